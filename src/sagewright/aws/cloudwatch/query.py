"""One GetMetricData request at work: its metrics read, its expressions computed once each, its results in order.

Called by `query_operations`; calls `part.Metrics`, `expressions` and `functions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sagewright.aws.cloudwatch import expressions
from sagewright.aws.cloudwatch.expressions import Scope, Series, Wrong
from sagewright.aws.cloudwatch.functions import FUNCTIONS
from sagewright.aws.cloudwatch.part import Metrics
from sagewright.aws.cloudwatch.points import Metric
from sagewright.aws.cloudwatch.samples import SIMPLE, statistic
from sagewright.aws.cloudwatch.wording import validation_error
from sagewright.core.call import Call

_DAY = 86_400


def metric(call: Call, namespace: str, name: str, dimensions: Iterable[dict[str, str]]) -> Metric:
    """The metric that a request names."""
    pairs = tuple(sorted((pair["Name"], pair["Value"]) for pair in dimensions))
    return Metric(call.account, call.region, namespace, name, pairs)


def round_start(start: int, now: float, period: int) -> int:
    """The start of the first period: AWS rounds it down, the further the older it is."""
    age = now - start
    if age < 15 * _DAY:
        step = period if period < 60 else 60
    else:
        step = 300 if age < 63 * _DAY else 3600
    return start // step * step


class Query:
    """The queries of one request over [start, end)."""

    def __init__(self, call: Call, metrics: Metrics, queries: Sequence[dict[str, Any]], start: int, end: int) -> None:
        self.call, self.metrics, self.end, self._start = call, metrics, end, start
        self.queries = {asked["Id"]: asked for asked in queries}
        self._known: dict[str, Any] = {}
        self._notes: dict[str, dict[str, str]] = {}
        self._under_way: list[str] = []

    def results(self, newest_first: bool) -> list[dict[str, Any]]:
        """What to answer, in the order asked: one result for each series of each query that returns data."""
        found = []
        for name, asked in self.queries.items():
            if not asked.get("ReturnData", True):
                continue
            value = self._value(name)
            several = value if isinstance(value, list) else [value]
            for series in several:
                if not isinstance(series, Series):
                    raise validation_error(f"Error in expression '{name}': The expression must return a time series "
                                           "or an array of time series.")
                times = sorted((at for at, value in series.values.items() if math.isfinite(value)),
                               reverse=newest_first)
                label = asked.get("Label") or (series.label if len(several) > 1 else "") or self._label(name, asked)
                found.append({"Id": name, "Label": label, "Timestamps": times,
                              "Values": [series.values[at] for at in times], "StatusCode": "Complete"})
                if name in self._notes:
                    found[-1]["Messages"] = [self._notes[name]]
        return found

    def _value(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        if name in self._under_way:
            raise validation_error(f"Error in expression '{name}': The expression refers to itself.")
        self._under_way.append(name)
        asked = self.queries[name]
        if "MetricStat" in asked:
            value: Any = self._read(name, asked["MetricStat"])
        else:
            try:
                value = expressions.evaluate(asked["Expression"], self._scope(asked))
            except Wrong as wrong:
                raise validation_error(f"Error in expression '{name}': {wrong}") from None
        self._under_way.pop()
        self._known[name] = value
        return value

    def _read(self, name: str, stat: dict[str, Any]) -> Series:
        period, given = stat["Period"], stat["Metric"]
        start = round_start(self._start, self.call.now, period)
        which = metric(self.call, given["Namespace"], given["MetricName"], given.get("Dimensions", ()))
        found = self.metrics.points.read(which, start, self.end, period, stat.get("Unit", ""),
                                         values=stat["Stat"] not in SIMPLE)
        units = sorted({unit for _, unit in found})
        if len(units) > 1:  # AWS takes the first and says so
            self._notes[name] = {"Code": "MultipleUnits", "Value": f"Multiple units returned: '[{', '.join(units)}]'"}
        values = {at: statistic(sample, stat["Stat"]) for (at, unit), sample in sorted(found.items())
                  if unit == units[0]}
        return Series({at: value for at, value in values.items() if value is not None}, period,
                      self._label(name, self.queries[name]))

    def _scope(self, asked: dict[str, Any]) -> Scope:
        start = round_start(self._start, self.call.now, asked.get("Period", 60))
        return Scope(self._named, self._metrics, start, self.end, FUNCTIONS)

    def _named(self, name: str) -> Any:
        if name not in self.queries:
            raise Wrong(f"the id {name} is not defined")
        return self._value(name)

    def _metrics(self, text: str) -> list[Series]:
        """METRICS(): every metric of the request whose id contains the text."""
        return [self._value(name) for name, asked in self.queries.items() if "MetricStat" in asked and text in name]

    def _label(self, name: str, asked: dict[str, Any]) -> str:
        """The label asked for, or the metric's name with the statistic and period where the queries differ in them."""
        if asked.get("Label"):
            return str(asked["Label"])
        if "MetricStat" not in asked:
            return name
        stat = asked["MetricStat"]
        others = [q["MetricStat"] for q in self.queries.values()
                  if "MetricStat" in q and q["MetricStat"]["Metric"]["MetricName"] == stat["Metric"]["MetricName"]]
        parts = [stat["Metric"]["MetricName"]]
        parts += [str(stat[key]) for key in ("Stat", "Period") if len({other[key] for other in others}) > 1]
        return " ".join(parts)
