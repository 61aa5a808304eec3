"""Metric filters at work: each batch of events that arrives becomes data points in `world.parts["metrics"]`.

`service.boot` gives `to_metrics` to `part.Logs`, which calls the result for every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sagewright.aws.logs import json_patterns, patterns
from sagewright.aws.logs.part import Ingested
from sagewright.aws.logs.word_patterns import number
from sagewright.core.store import Row
from sagewright.core.world import World


@lru_cache(maxsize=1000)
def _compiled(text: str) -> patterns.Pattern:
    return patterns.compile_pattern(text)


def to_metrics(world: World) -> Ingested:
    """What runs a group's metric filters over each batch of its events."""

    def ingested(row: Row, stream: str, events: Sequence[tuple[int, str]]) -> None:
        metrics = world.parts.get("metrics")
        if metrics is None:
            return
        for found in row.work.get("metric_filters", ()):
            for transformation in found["metricTransformations"]:
                data = _data(_compiled(found["filterPattern"]), transformation, events)
                if data:
                    metrics.put(row.account, row.region, transformation["metricNamespace"], data)

    return ingested


def _data(pattern: patterns.Pattern, transformation: dict[str, Any],
          events: Sequence[tuple[int, str]]) -> list[tuple[str, dict[str, str], float, str, float]]:
    name, unit = transformation["metricName"], transformation.get("unit", "None")
    wanted: str = transformation["metricValue"]
    data = []
    for ts, message in events:
        if not pattern.match(message):
            continue
        value = number(_field(pattern, message, wanted) or "") if wanted.startswith("$") else number(wanted)
        dimensions = {key: _field(pattern, message, at) for key, at in transformation.get("dimensions", {}).items()}
        if value is None or value != value or abs(value) == float("inf") or not all(dimensions.values()):
            continue
        data.append((name, {key: text or "" for key, text in dimensions.items()}, value, unit, ts / 1000))
    if not data and events and "defaultValue" in transformation:
        data.append((name, {}, float(transformation["defaultValue"]), unit, events[-1][0] / 1000))
    return data


def _field(pattern: patterns.Pattern, message: str, at: str) -> str | None:
    """The text that `$.latency` or `$size` names in a message that the pattern matched."""
    if at.startswith("$.") or at.startswith("$["):
        return json_patterns.value_in(message, at)
    return pattern.extract(message).get(at)
