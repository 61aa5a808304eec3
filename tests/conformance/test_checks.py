"""The ratchet itself: what counts as a regression, as risen, as explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance import checks, clients, fuzz, moto, served
from tests.conformance.checks import FAILED, OUTSIDE, PASSED, Baseline, Check


def test_a_check_that_passed_before_must_pass_again() -> None:
    verdict = checks.judge("s", [Check("a", PASSED), Check("b", FAILED), Check("c", OUTSIDE)], {"a", "b", "c", "d"}, [])
    assert verdict.regressions == ["b", "c", "d"] and verdict.risen == []


def test_what_passes_newly_is_told_and_only_added(tmp_path: Path) -> None:
    baseline = Baseline(tmp_path)
    baseline.raise_by("s", ["b", "a"])
    verdict = checks.judge("s", [Check("b", PASSED), Check("c", PASSED)], baseline.names("s"), [])
    assert verdict.risen == ["c"]
    baseline.raise_by("s", verdict.risen)
    assert (tmp_path / "s.txt").read_text() == "a\nb\nc\n"


@pytest.mark.parametrize(("name", "pattern", "fit"), [
    ("x::test_a[1]", "x::test_a[1]", True), ("x::test_a[1]", "x::test_a*", True), ("x::test_a[1]", "x::test_a", False)])
def test_an_explanation_names_a_check_or_its_beginning(name: str, pattern: str, fit: bool) -> None:
    assert checks.fits(name, pattern) is fit


def test_only_failures_without_an_explanation_are_unexplained() -> None:
    verdict = checks.judge("s", [Check("a", FAILED), Check("b", FAILED)], set(), [("a", "why")])
    assert verdict.explained == {"a": "why"} and [check.name for check in verdict.unexplained] == ["b"]


def test_every_explanation_has_a_suite_a_check_and_a_reason() -> None:
    from tests.conformance.suites import SUITES

    for line in (checks.HERE / "explained.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            suite, pattern, why = line.split("\t")
            assert suite in SUITES and pattern and len(why) > 10, line
            assert pattern not in Baseline().names(suite), f"{line}: it passes"


def test_a_test_of_an_operation_that_is_not_served_is_outside(tmp_path: Path) -> None:
    record = {"nodeid": "tests/test_x.py::test_y", "outcome": "failed", "why": "boom",
              "calls": [["s3", "CreateBucket", 200, None, 1], ["cloudformation", "CreateStack", 400, "Unknown", 1]]}
    report = tmp_path / "r.jsonl"
    report.write_text(json.dumps(record))
    assert moto.checks(report) == [Check("test_x.py::test_y", OUTSIDE, "cloudformation.CreateStack")]
    record["calls"] = record["calls"][:1]
    report.write_text(json.dumps(record))
    assert moto.checks(report) == [Check("test_x.py::test_y", FAILED, "boom")]


def test_what_is_served_is_read_off_the_services() -> None:
    assert served.is_served("s3", "PutObject") and served.is_served("sagemaker-runtime", "InvokeEndpoint")
    assert not served.is_served("cloudformation", "CreateStack")


def test_a_finding_of_the_fuzzer_fails_its_operation() -> None:
    results = [{"op": "A", "kind": "full", "seed": 1, "status": 500, "code": "X", "msg": "m", "problems": ["5xx"]},
               {"op": "B", "kind": "full", "seed": 2, "status": 400, "code": "Y", "problems": ["refused-valid"]}]
    found = fuzz.checks({"ops": ["A", "B"], "results": results})
    assert [(check.name, check.status) for check in found] == [("A", FAILED), ("B", PASSED)]
    assert "A:full:1" in found[0].why


def test_lines_of_a_script_become_checks() -> None:
    output = ("PASS s3 mb 12 ms\nFAIL sns create-topic: CreateTopic of sns is not available in this Sagewright.\n"
              "FAIL x: y\n")
    assert [(check.name, check.status) for check in clients.checks_of(output)] == [
        ("s3 mb", PASSED), ("sns create-topic", OUTSIDE), ("x", FAILED)]
