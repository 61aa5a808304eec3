"""Samples: what CloudWatch keeps of the values of one metric in one period, and the statistics drawn from it.

A sample holds count, sum, minimum and maximum, and how often each value came, up to 200 distinct ones; beyond that
values are counted in buckets one percent wide (or two, four, ... until they are few enough), so that memory stays
bounded and percentiles stay true to half a bucket. Pure; called by `part`, `points` and the operations.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

MAX_VALUES = 200
SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

_PERCENTILE = re.compile(r"(p|tm|tc|ts|wm)(\d{1,2}(?:\.\d{1,10})?|100)$", re.IGNORECASE)
_RANGE = re.compile(r"(TM|TC|TS|WM|PR)\(([\d.eE+-]*)(%?):([\d.eE+-]*)(%?)\)$")


@dataclass(slots=True)
class Sample:
    """One period's values. `values` is None once a statistic set came in that hides its distribution; `width` is that
    of the buckets, 0 while values are kept as they came."""

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] | None = field(default_factory=dict)
    width: float = 0.0

    def add(self, value: float, times: float = 1.0) -> None:
        """Count a value in."""
        self.count += times
        self.total += value * times
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        values = self.values
        if values is not None:
            key = _middle(value, self.width) if self.width else value
            values[key] = values.get(key, 0.0) + times
            if len(values) > MAX_VALUES:
                self._fold()

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Count a statistic set in; its distribution is known only if all its values are equal."""
        if low == high or count == 1:
            self.add(total / count if count else low, count)
            return
        self.count, self.total = self.count + count, self.total + total
        self.low, self.high, self.values = min(self.low, low), max(self.high, high), None

    def merge(self, other: Sample) -> None:
        """Count another sample's values in."""
        self.count, self.total = self.count + other.count, self.total + other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if self.values is None or other.values is None:
            self.values = None
            return
        self.width = max(self.width, other.width)
        for value, times in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + times
        if len(self.values) > MAX_VALUES:
            self._fold()

    def _fold(self) -> None:
        """Count the same values in buckets, as narrow as the bound on their number allows."""
        values = self.values or {}
        while len(values) > MAX_VALUES:
            self.width = self.width * 2 or 0.01
            folded: dict[float, float] = {}
            for value, times in values.items():
                key = _middle(value, self.width)
                folded[key] = folded.get(key, 0.0) + times
            values = folded
        self.values = values

    def packed(self) -> str | None:
        """The distribution as text."""
        return None if self.values is None else json.dumps(list(self.values.items()), separators=(",", ":"))


def unpack(count: float, total: float, low: float, high: float, values: str | None) -> Sample:
    """A sample from its parts as they are stored."""
    return Sample(count, total, low, high, None if values is None else {float(v): t for v, t in json.loads(values)})


def _middle(value: float, width: float) -> float:
    """The middle of the bucket that a value falls into; buckets grow with the value's size."""
    if not value:
        return value
    middle = math.exp(min((math.floor(math.log(abs(value)) / width) + 0.5) * width, 709.0))
    return middle if value > 0 else -middle


def is_statistic(name: str) -> bool:
    """Whether CloudWatch knows a statistic of that name."""
    return name in SIMPLE or name == "IQM" or is_extended(name)


def is_extended(name: str) -> bool:
    """Whether the name is a percentile, trimmed mean or another extended statistic."""
    if _PERCENTILE.match(name):
        return True
    found = _RANGE.match(name)
    if found is None or _bounds(found) is None:
        return False
    both_given_in_one_way = not (found[2] and found[4]) or found[3] == found[5]
    return both_given_in_one_way and not (found[1] == "PR" and (found[3] or found[5]))


def _bounds(found: re.Match[str]) -> tuple[float, float, bool] | None:
    """(low, high, whether they are percent) of a range, None where they are no numbers."""
    percent = bool(found[3] or found[5])
    try:
        low = float(found[2]) if found[2] else (0.0 if percent else -math.inf)
        high = float(found[4]) if found[4] else (100.0 if percent else math.inf)
    except ValueError:
        return None
    return (low, high, percent) if low < high else None


def statistic(sample: Sample, name: str) -> float | None:
    """That statistic of the sample; None where it cannot be told."""
    if name in SIMPLE:
        return {"SampleCount": sample.count, "Sum": sample.total, "Minimum": sample.low, "Maximum": sample.high,
                "Average": sample.total / sample.count if sample.count else 0.0}[name]
    if sample.values is None or not sample.count:
        return None
    if name == "IQM":
        return _trimmed(sample, "TM", 25.0, 75.0, True)
    found = _PERCENTILE.match(name)
    if found:
        kind, bound = found[1].upper(), float(found[2])
        return percentile(sample, bound) if kind == "P" else _trimmed(sample, kind, 0.0, bound, True)
    match = _RANGE.match(name)
    bounds = _bounds(match) if match else None
    return _trimmed(sample, match[1], *bounds) if match and bounds else None


def percentile(sample: Sample, percent: float) -> float:
    """The smallest value that at least so many percent of the values do not exceed."""
    rank, seen = sample.count * percent / 100.0, 0.0
    for value, times in sorted((sample.values or {}).items()):
        seen += times
        if seen >= rank - 1e-9:
            return min(max(value, sample.low), sample.high)
    return sample.high


def _trimmed(sample: Sample, kind: str, low: float, high: float, percent: bool) -> float | None:
    """Trimmed mean, count or sum, winsorized mean, or percentile rank between two bounds."""
    ordered = sorted((sample.values or {}).items())
    if kind == "PR":
        inside = sum(times for value, times in ordered if low < value <= high)
        return 100.0 * inside / sample.count
    if percent:
        first, last = sample.count * low / 100.0, sample.count * high / 100.0
        parts, seen = [], 0.0
        for value, times in ordered:
            share = min(seen + times, last) - max(seen, first)
            seen += times
            if share > 0:
                parts.append((value, share))
    else:
        parts = [(value, times) for value, times in ordered if low < value <= high]
    count, total = sum(times for _, times in parts), sum(value * times for value, times in parts)
    if kind == "TC":
        return count
    if kind == "TS":
        return total
    if not parts:
        return None
    if kind == "WM":
        below = sum(times for value, times in ordered if value < parts[0][0])
        total += parts[0][0] * below + parts[-1][0] * (sample.count - count - below)
        return total / sample.count
    return total / count
