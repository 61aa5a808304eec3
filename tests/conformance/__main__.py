"""`python -m tests.conformance [SUITE ...]`: run other people's tests, compare with the baseline, print one table.

Ends with 1 when a check that once passed does not pass any more or a suite could not be run to its end. A name may be
the beginning of several suites' names ("moto", "fuzz-cloudwatch").
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback

from rich.console import Console
from rich.table import Table

from tests.conformance import checks, places, target
from tests.conformance.checks import FAILED, OUTSIDE, PASSED, Baseline, Verdict
from tests.conformance.suites import SUITES

OUT = Console(width=None if sys.stdout.isatty() else 140)


def main(argv: list[str] | None = None) -> int:
    """Run the suites asked for (all by default)."""
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--update", action="store_true", help="write newly passing checks into the baseline")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each failure that is not explained")
    asked = parser.parse_args(argv)
    names = [name for name in SUITES if not asked.suites or any(name.startswith(wanted) for wanted in asked.suites)]
    if not names:
        parser.error(f"no suite is called {' or '.join(asked.suites)}")
    rows, bad = [], False
    for name in names:
        row, failed = _one(name, asked.update, asked.verbose)
        rows.append(row)
        bad = bad or failed
    OUT.print(_table(rows))
    return 1 if bad else 0


def _one(name: str, update: bool, verbose: bool) -> tuple[tuple[str, ...], bool]:
    """Run one suite; its row of the table and whether it counts as a regression."""
    started, baseline = time.monotonic(), Baseline()
    OUT.print(f"[bold]{name}[/bold] ...", end=" ")
    try:
        with target.running() as live:
            found = list(SUITES[name](live))
    except places.Absent as absent:
        OUT.print(f"skipped: {absent}", markup=False, soft_wrap=True)
        return (name, "", "", "", "", "", "", "", "skipped"), False
    except Exception:  # noqa: BLE001 - a suite that breaks must not hide the results of the others
        OUT.print("broken", traceback.format_exc(), markup=False, soft_wrap=True)
        return (name, "", "", "", "", "", "", "", "broken"), True
    verdict = checks.judge(name, found, baseline.names(name), checks.explanations(name))
    if update:
        baseline.raise_by(name, verdict.risen)
    _keep(verdict)
    _tell(verdict, verbose)
    seconds = f"{time.monotonic() - started:.0f}"
    numbers = (len(verdict.checks), verdict.count(PASSED), len(verdict.explained), verdict.count(OUTSIDE),
               len(verdict.unexplained), len(verdict.regressions), len(verdict.risen))
    return (name, *(str(number or "") for number in numbers), seconds), bool(verdict.regressions)


def _tell(verdict: Verdict, verbose: bool) -> None:
    OUT.print(f"{verdict.count(PASSED)} of {verdict.count(PASSED) + verdict.count(FAILED)} pass", markup=False)
    for name in verdict.regressions:
        check = verdict.checks.get(name)
        OUT.print(f"  regression: {name}: {check.why if check else 'was not run'}", markup=False, soft_wrap=True)
    for name in verdict.risen[:20]:
        OUT.print(f"  newly passing: {name}", markup=False, soft_wrap=True)
    if len(verdict.risen) > 20:
        OUT.print(f"  newly passing: {len(verdict.risen) - 20} more")
    for check in verdict.unexplained if verbose else ():
        OUT.print(f"  failing: {check.name}: {check.why}", markup=False, soft_wrap=True)


def _keep(verdict: Verdict) -> None:
    """The whole result, for whoever wants to look closer."""
    folder = places.WORK / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{verdict.suite}.json").write_text(json.dumps(
        [{"name": one.name, "status": one.status, "why": one.why, "explained": verdict.explained.get(one.name, "")}
         for one in verdict.checks.values()], indent=1))


def _table(rows: list[tuple[str, ...]]) -> Table:
    table = Table(title="Conformance")
    table.add_column("suite", no_wrap=True)
    for title in ("checks", "passed", "explained", "not served", "failing", "regressions", "new", "seconds"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    sys.exit(main())
