# The two commands of the README: `make demo` and `make test`. Each sets up what is missing first.
.PHONY: demo test check setup conformance bench

setup:
	@scripts/setup

demo: setup
	@scripts/demo

test: setup
	@scripts/check
	@scripts/test

check: setup
	@scripts/check

conformance: setup
	@scripts/conformance

bench: setup
	@scripts/bench
