"""The functions of metric math. Each takes the `Scope` and its arguments; wrong ones raise, and the parser says so.

A statistic of one series is a number; of several series, the series of it at each time.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sagewright.aws.cloudwatch.expressions import Scope, Series, Wrong, apply


def _statistic(function: Callable[[Sequence[float]], float]) -> Callable[..., Any]:
    def compute(scope: Scope, first: Any) -> Any:
        if isinstance(first, Series):
            return float(function(list(first.values.values()))) if first.values else math.nan
        by_time: dict[int, list[float]] = {}
        for series in first:
            for at, value in series.values.items():
                by_time.setdefault(at, []).append(value)
        return Series({at: float(function(values)) for at, values in sorted(by_time.items())}, _period(first))
    return compute


def _each(function: Callable[[float], float]) -> Callable[..., Any]:
    def compute(scope: Scope, value: Any) -> Any:
        return apply(lambda a, _: _try(function, a), value, 0.0)
    return compute


def _try(function: Callable[[float], float], value: float) -> float | None:
    try:
        return float(function(value))
    except (ValueError, OverflowError):
        return None


def _running(step: Callable[[float, float, int], float | None]) -> Callable[..., Any]:
    """A function of each point, the one before it and the seconds between them."""
    def compute(scope: Scope, value: Any) -> Any:
        if isinstance(value, list):
            return [compute(scope, series) for series in value]
        found, previous = {}, None
        for at, point in sorted(value.values.items()):
            if previous is not None:
                result = step(point, value.values[previous], at - previous)
                if result is not None:
                    found[at] = result
            previous = at
        return Series(found, value.period, value.label)
    return compute


def _running_sum(scope: Scope, value: Any) -> Any:
    if isinstance(value, list):
        return [_running_sum(scope, series) for series in value]
    total, found = 0.0, {}
    for at, point in sorted(value.values.items()):
        total += point
        found[at] = total
    return Series(found, value.period, value.label)


def _fill(scope: Scope, value: Any, how: Any) -> Any:
    """Missing points as a number, another series, the last value (REPEAT) or a line between neighbours (LINEAR)."""
    if isinstance(value, list):
        return [_fill(scope, series, how) for series in value]
    found = {}
    known = sorted(value.values)
    for at in _grid(scope, value.period):
        if at in value.values:
            found[at] = value.values[at]
            continue
        point = _filled(value, known, at, how)
        if point is not None:
            found[at] = point
    return Series(found, value.period, value.label)


def _filled(value: Series, known: list[int], at: int, how: Any) -> float | None:
    if isinstance(how, (int, float)):
        return float(how)
    if isinstance(how, Series):
        return how.values.get(at)
    place = bisect.bisect_left(known, at)
    before = known[place - 1] if place else None
    after = known[place] if place < len(known) else None
    if how not in ("REPEAT", "LINEAR"):
        raise Wrong("FILL takes a number, a time series, REPEAT or LINEAR")
    if how == "REPEAT":
        return value.values[before] if before is not None else None
    if before is None or after is None:
        return None
    share = (at - before) / (after - before)
    return value.values[before] * (1 - share) + value.values[after] * share


def _if(scope: Scope, condition: Any, yes: Any, no: Any = None) -> Any:
    """Points of `yes` where the condition holds and of `no` where it does not; without `no`, nothing there."""
    if any(isinstance(part, (list, str)) for part in (condition, yes, no)):
        raise Wrong("IF takes time series and numbers")
    shape = next((part for part in (condition, yes, no) if isinstance(part, Series)), None)
    if shape is None:
        if no is None:
            raise Wrong("IF without a time series needs three numbers")
        return yes if condition else no
    found = {}
    for at in sorted({at for part in (condition, yes, no) if isinstance(part, Series) for at in part.values}):
        holds = _at(condition, at)
        chosen = None if holds is None else _at(yes, at) if holds else _at(no, at)
        if chosen is not None:
            found[at] = chosen
    return Series(found, shape.period, shape.label)


def _at(part: Any, at: int) -> float | None:
    return part.values.get(at) if isinstance(part, Series) else part


def _time_series(scope: Scope, value: Any) -> Series:
    period = 60 if scope.end - scope.start <= 86_400 else 300
    return Series(dict.fromkeys(_grid(scope, period), float(value)), period)


def _clock(read: Callable[[datetime], int]) -> Callable[..., Any]:
    def compute(scope: Scope, value: Series) -> Series:
        return Series({at: float(read(datetime.fromtimestamp(at, UTC))) for at in value.values}, value.period)
    return compute


def _end(last: bool) -> Callable[..., Any]:
    def compute(scope: Scope, value: Any) -> Any:
        if isinstance(value, list):
            return value[-1 if last else 0]
        return value.values[max(value.values) if last else min(value.values)]
    return compute


def _grid(scope: Scope, period: int) -> range:
    if (scope.end - scope.start) / period > 100_800:
        raise Wrong("too many data points")
    return range(scope.start, scope.end, period)


def _period(several: Sequence[Series]) -> int:
    return several[0].period if several else 60


def _rate(now: float, before: float, seconds: int) -> float | None:
    return (now - before) / seconds if seconds else None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "SUM": _statistic(math.fsum), "AVG": _statistic(statistics.fmean), "MIN": _statistic(min), "MAX": _statistic(max),
    "STDDEV": _statistic(statistics.pstdev),
    "METRIC_COUNT": lambda scope, several: float(len(several)),
    "DATAPOINT_COUNT": lambda scope, series: float(len(series.values)),
    "ABS": _each(abs), "CEIL": _each(math.ceil), "FLOOR": _each(math.floor),
    "LOG": _each(math.log), "LOG10": _each(math.log10),
    "RATE": _running(_rate), "DIFF": _running(lambda now, before, seconds: now - before),
    "DIFF_TIME": _running(lambda now, before, seconds: float(seconds)), "RUNNING_SUM": _running_sum,
    "FILL": _fill, "IF": _if, "FIRST": _end(False), "LAST": _end(True), "TIME_SERIES": _time_series,
    "PERIOD": lambda scope, series: float(series.period),
    "MINUTE": _clock(lambda t: t.minute), "HOUR": _clock(lambda t: t.hour), "DAY": _clock(lambda t: t.isoweekday()),
    "DATE": _clock(lambda t: t.day), "MONTH": _clock(lambda t: t.month), "YEAR": _clock(lambda t: t.year),
    "EPOCH": _clock(lambda t: int(t.timestamp())),
}
