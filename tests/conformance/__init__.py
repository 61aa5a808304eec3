"""Other people's tests as black-box checks: `make conformance` runs them, `baseline/` holds what must go on passing.

`__main__` is the command; `suites` the table of suites; `checks` compares with the baseline; `target` starts servers;
`places` finds the suites' files and builds their environments; `clients`, `moto`, `ceph`, `fuzz` and `terraform` each
run one family. Nothing of the suites is committed here: absent files mean a skipped suite.
"""
