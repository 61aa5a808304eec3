"""What a suite found, the committed baseline, and how the two compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PASSED, FAILED, OUTSIDE = "passed", "failed", "outside"


@dataclass(frozen=True)
class Check:
    """One check of a suite. status: PASSED, FAILED, or OUTSIDE (it is about something not served; why says what)."""

    name: str
    status: str
    why: str = ""


@dataclass(frozen=True)
class Verdict:
    """One suite against its baseline."""

    suite: str
    checks: dict[str, Check]
    explained: dict[str, str]
    regressions: list[str]
    risen: list[str]

    def count(self, status: str) -> int:
        return sum(check.status == status for check in self.checks.values())

    @property
    def unexplained(self) -> list[Check]:
        """Failures that no line of `explained.tsv` accounts for."""
        return [check for check in self.checks.values() if check.status == FAILED and check.name not in self.explained]


@dataclass
class Baseline:
    """The names of checks that have passed, one file per suite."""

    folder: Path = field(default_factory=lambda: HERE / "baseline")

    def names(self, suite: str) -> set[str]:
        file = self.folder / f"{suite}.txt"
        return set(file.read_text().splitlines()) if file.exists() else set()

    def raise_by(self, suite: str, names: Iterable[str]) -> None:
        """Add names: a baseline only rises (a wrong check is taken out by hand, with a reason in explained.tsv)."""
        self.folder.mkdir(exist_ok=True)
        everything = sorted(self.names(suite) | set(names))
        (self.folder / f"{suite}.txt").write_text("".join(f"{name}\n" for name in everything))


def judge(suite: str, checks: Iterable[Check], baseline: set[str], reasons: Iterable[tuple[str, str]]) -> Verdict:
    """Compare a whole run of a suite with what passed before."""
    found = {check.name: check for check in checks}
    passed = {name for name, check in found.items() if check.status == PASSED}
    reasons = list(reasons)
    explained = {name: why for name, check in found.items() if check.status == FAILED
                 for pattern, why in reasons if fits(name, pattern)}
    return Verdict(suite, found, explained, sorted(baseline - passed), sorted(passed - baseline))


def fits(name: str, pattern: str) -> bool:
    """Whether a name is the pattern, or begins with it where it ends in a star."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def explanations(suite: str, folder: Path = HERE) -> list[tuple[str, str]]:
    """(name or prefix*, reason) of the checks that are not expected to pass."""
    found = [(pattern, why) for where, pattern, why in _lines(folder / "explained.tsv") if where == suite]
    if suite == "s3-tests":
        found += [(name.rsplit("/", 1)[-1], why) for name, why in _lines(folder / "s3tests_excluded.txt")]
    return found


def _lines(file: Path) -> Iterator[list[str]]:
    for line in file.read_text().splitlines() if file.exists() else ():
        if line and not line.startswith("#"):
            yield line.split("\t")
