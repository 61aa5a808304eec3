"""Metric math over series made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.aws.cloudwatch.expressions import Scope, Series, Wrong, evaluate
from sagewright.aws.cloudwatch.functions import FUNCTIONS

SERIES = {
    "m1": Series({0: 1.0, 60: 2.0, 120: 3.0}, 60),
    "m2": Series({0: 10.0, 120: 0.0}, 60),
    "low": Series({60: -4.0}, 60),
}


def compute(text: str) -> Any:
    def metrics(part: str) -> list[Series]:
        return [series for name, series in SERIES.items() if part in name]

    scope = Scope(lambda name: SERIES[name], metrics, 0, 240, FUNCTIONS)
    value = evaluate(text, scope)
    return value.values if isinstance(value, Series) else value


@pytest.mark.parametrize(("text", "expected"), [
    ("1 + 2 * 3", 7.0), ("(1 + 2) * 3", 9.0), ("2 ^ 3 ^ 2", 512.0), ("-2 ^ 2", -4.0), ("1e3 / 4", 250.0),
    ("10 - 2 - 3", 5.0), ("--1", 1.0),
    ("m1", {0: 1, 60: 2, 120: 3}),
    ("m1 * 2 + 1", {0: 3, 60: 5, 120: 7}),
    ("100 - m1", {0: 99, 60: 98, 120: 97}),
    ("m1 + m2", {0: 11, 120: 3}),
    ("m1 / m2", {0: 0.1}),
    ("1 / m2", {0: 0.1}),
    ("-m1", {0: -1, 60: -2, 120: -3}),
    ("m1 > 1", {0: 0, 60: 1, 120: 1}),
    ("m1 > 1 AND m1 < 3", {0: 0, 60: 1, 120: 0}),
    ("m1 == 1 || m1 == 3", {0: 1, 60: 0, 120: 1}),
    ("SUM(m1)", 6.0), ("AVG(m1)", 2.0), ("MIN(m1)", 1.0), ("MAX(m1)", 3.0), ("m1 - MIN(m1)", {0: 0, 60: 1, 120: 2}),
    ("SUM([m1, m2])", {0: 11, 60: 2, 120: 3}),
    ("SUM(METRICS())", {0: 11, 60: -2, 120: 3}),
    ('AVG(METRICS("m"))', {0: 5.5, 60: 2, 120: 1.5}),
    ("MAX(METRICS('m') * 2)", {0: 20, 60: 4, 120: 6}),
    ("RATE(m1)", {60: 1 / 60, 120: 1 / 60}), ("DIFF(m1)", {60: 1, 120: 1}), ("RUNNING_SUM(m1)", {0: 1, 60: 3, 120: 6}),
    ("FILL(m2, 5)", {0: 10, 60: 5, 120: 0, 180: 5}),
    ("FILL(m2, REPEAT)", {0: 10, 60: 10, 120: 0, 180: 0}),
    ("FILL(m2, LINEAR)", {0: 10, 60: 5, 120: 0}),
    ("FILL(m2, m1)", {0: 10, 60: 2, 120: 0}),
    ("IF(m1 > 1, m1, 0)", {0: 0, 60: 2, 120: 3}),
    ("IF(m1 > 1, m1)", {60: 2, 120: 3}),
    ("IF(m1 > 2, 1, 0) * 10", {0: 0, 60: 0, 120: 10}),
    ("ABS(low)", {60: 4}), ("CEIL(m1 / 2)", {0: 1, 60: 1, 120: 2}), ("LOG10(m2)", {0: 1}),
    ("m1 * PERIOD(m1)", {0: 60, 60: 120, 120: 180}),
    ("TIME_SERIES(7)", {0: 7, 60: 7, 120: 7, 180: 7}),
    ("METRIC_COUNT(METRICS())", 3.0), ("LAST(m1)", 3.0), ("FIRST(METRICS())", {0: 1, 60: 2, 120: 3}),
])
def test_an_expression_has_its_value(text: str, expected: Any) -> None:
    assert compute(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", [
    "", "1 +", "m1 m2", "(m1", "[1, 2]", "NOPE(m1)", "SUM()", "SUM(1)", "FILL(m1)", "IF(m1)", "m1 $ 2", "[m1,",
    "METRICS(1)", "(" * 500 + "1" + ")" * 500, "2 ^ " * 500 + "2", "FILL(m1, 'x')", "RATE(1)", "PERIOD(METRICS())",
    "1" * 3000, "[m1] + [m1, m2]", "SUM('x')", "m1 + 'x'", "IF(m1 > 1, 'x')",
])
def test_a_wrong_expression_is_refused(text: str) -> None:
    with pytest.raises(Wrong):
        compute(text)


def test_overflow_drops_the_point() -> None:
    assert compute("(m1 * 1e300) ^ 2") == {}
