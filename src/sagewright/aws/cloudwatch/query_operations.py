"""GetMetricStatistics, GetMetricData and ListMetrics.

Called by the gateway's dispatch; calls `part.Metrics` and `query`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from sagewright.aws.cloudwatch import query
from sagewright.aws.cloudwatch.part import Metrics
from sagewright.aws.cloudwatch.points import Metric
from sagewright.aws.cloudwatch.samples import SIMPLE, is_extended, is_statistic, statistic
from sagewright.aws.cloudwatch.wording import invalid_combination, invalid_value, seconds, validation_error
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_MAX_DATAPOINTS = 1440
_MAX_QUERIES = 500
_PAGE_DATAPOINTS = 100_800
_LIST_PAGE = 500
_TWO_WEEKS = 14 * 86_400
_THREE_HOURS = 3 * 3600
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*$")


def get_metric_statistics(call: Call) -> dict[str, Any]:
    """Statistics of one metric, a data point for each period (and unit)."""
    params, metrics = call.params, _metrics(call)
    simple, extended = params.get("Statistics", ()), params.get("ExtendedStatistics", ())
    if not simple and not extended:
        raise invalid_combination("Must specify either Statistics or ExtendedStatistics")
    for name in extended:
        if not is_extended(name) and name != "IQM":
            raise invalid_value(f"The value {name} for parameter ExtendedStatistics.member.1 is invalid.")
    for name in simple:
        if name not in SIMPLE:
            raise invalid_value(f"The value {name} for parameter Statistics.member.1 is invalid.")
    start, end = int(seconds(params["StartTime"])), int(seconds(params["EndTime"]))
    if start >= end:
        raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    period = _period(params["Period"], "Period")
    wanted = math.ceil((end - start) / period)
    start = query.round_start(start, call.now, period)
    if wanted > _MAX_DATAPOINTS:
        raise invalid_combination(
            f"You have requested up to {wanted} datapoints, which exceeds the limit of {_MAX_DATAPOINTS}. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range.")
    metrics.flush()
    found = metrics.points.read(_metric(call, params), start, end, period, params.get("Unit", ""),
                                values=bool(extended))
    points = []
    for (at, unit), sample in sorted(found.items()):
        point: dict[str, Any] = {"Timestamp": at, "Unit": unit, **{name: statistic(sample, name) for name in simple}}
        more = {name: statistic(sample, name) for name in extended}
        if extended:
            point["ExtendedStatistics"] = {name: value for name, value in more.items() if value is not None}
        points.append(point)
    return {"Label": params["MetricName"], "Datapoints": points}


def get_metric_data(call: Call) -> dict[str, Any]:
    """Many metrics and metric math at once, in pages of data points."""
    params, metrics = call.params, _metrics(call)
    queries = params["MetricDataQueries"]
    start, end = _window(params)
    _check_queries(queries)
    limit = params.get("MaxDatapoints", _PAGE_DATAPOINTS)
    offset = _parse_token(params.get("NextToken"))
    metrics.flush()
    results = query.Query(call, metrics, queries, start, end).results(params.get("ScanBy") != "TimestampAscending")
    shown, position = [], 0
    for result in results:
        first, last = max(offset - position, 0), min(offset + limit - position, len(result["Values"]))
        position += len(result["Values"])
        if first < last or (not result["Values"] and offset == 0):
            done = last >= len(result["Values"])
            shown.append({**result, "Timestamps": result["Timestamps"][first:last],
                          "Values": result["Values"][first:last], "StatusCode": "Complete" if done else "PartialData"})
    answer: dict[str, Any] = {"MetricDataResults": shown, "Messages": []}
    if position > offset + limit:
        answer["NextToken"] = _token(offset + limit)
    return answer


def list_metrics(call: Call) -> dict[str, Any]:
    """Metrics that had data in the last two weeks (or three hours), by namespace, name and dimensions."""
    params, metrics = call.params, _metrics(call)
    recent = params.get("RecentlyActive")
    if recent not in (None, "PT3H"):
        raise invalid_value(f"The value {recent} for parameter RecentlyActive is invalid.")
    since = int(call.now - (_THREE_HOURS if recent else _TWO_WEEKS)) // 60 * 60
    filters = [(f["Name"], f.get("Value")) for f in params.get("Dimensions", ())]
    after = _parse_list_token(params.get("NextToken"))
    found: list[dict[str, Any]] = []
    metrics.flush()
    while True:
        page = metrics.points.metrics(call.account, call.region, params.get("Namespace"), params.get("MetricName"),
                                      since, after, _LIST_PAGE)
        for number, metric in page:
            if not _has(metric, filters):
                continue
            if len(found) == _LIST_PAGE:
                return {"Metrics": found, "NextToken": _token(after)}
            found.append({"Namespace": metric.namespace, "MetricName": metric.name,
                          "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions]})
            after = number
        if len(page) < _LIST_PAGE:
            return {"Metrics": found}
        after = page[-1][0]


def _has(metric: Metric, filters: Sequence[tuple[str, str | None]]) -> bool:
    own = dict(metric.dimensions)
    return all(name in own and (value is None or own[name] == value) for name, value in filters)


def _metrics(call: Call) -> Metrics:
    return call.world.parts["metrics"]


def _metric(call: Call, params: dict[str, Any]) -> Metric:
    return query.metric(call, params["Namespace"], params["MetricName"], params.get("Dimensions", ()))


def _period(value: int, where: str) -> int:
    if value not in (1, 5, 10, 20, 30) and value % 60 or value <= 0:
        raise invalid_value(f"The parameter {where} must be a multiple of 60, or 1, 5, 10, 20 or 30.")
    if value > 86_400 * 366:
        raise invalid_value(f"The parameter {where} is too large.")
    return value


def _window(params: dict[str, Any]) -> tuple[int, int]:
    start, end = int(seconds(params["StartTime"])), int(seconds(params["EndTime"]))
    if start == end:
        raise validation_error("The parameter StartTime must not equal parameter EndTime.")
    if start > end:
        raise validation_error("The parameter EndTime must be greater than StartTime.")
    return start, end


def _check_queries(queries: list[dict[str, Any]]) -> None:
    if not queries:
        raise validation_error("The parameter MetricDataQueries is required.\n")
    if len(queries) > _MAX_QUERIES:
        raise validation_error(f"The collection MetricDataQueries must not have a size greater than {_MAX_QUERIES}.")
    seen: set[str] = set()
    for n, asked in enumerate(queries, start=1):
        where = f"MetricDataQueries.member.{n}"
        if not _ID.match(asked["Id"]):
            raise validation_error(f"The value {asked['Id']} for parameter {where}.Id is not matching the expected "
                                   "pattern ^[a-z][a-zA-Z0-9_]*$.")
        if asked["Id"] in seen:
            raise validation_error(f"The values for parameter Id in parameter MetricDataQueries are not unique "
                                   f"({asked['Id']}).")
        seen.add(asked["Id"])
        if "Expression" in asked and "MetricStat" in asked:
            raise validation_error(f"The parameters {where}.Expression and {where}.MetricStat are mutually exclusive "
                                   "and you have specified both.")
        if "Expression" not in asked:
            _check_stat(asked.get("MetricStat"), where)
        elif "Period" in asked:
            _period(asked["Period"], f"{where}.Period")


def _check_stat(stat: dict[str, Any] | None, where: str) -> None:
    if stat is None:
        raise validation_error(f"The parameter {where}.MetricStat is required.\n")
    _period(stat["Period"], f"{where}.MetricStat.Period")
    if not is_statistic(stat["Stat"]):
        raise validation_error(f"The value {stat['Stat']} for parameter {where}.MetricStat.Stat is not supported.")
    for key in ("Namespace", "MetricName"):
        if not stat["Metric"].get(key):
            raise validation_error(f"The parameter {where}.MetricStat.Metric.{key} is required.\n")


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"at": offset}).encode()).decode()


def _offset(token: str) -> int | None:
    try:
        at = json.loads(base64.urlsafe_b64decode(token.encode()))["at"]
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        return None
    return at if isinstance(at, int) and 0 <= at < 2**53 else None


def _parse_token(token: str | None) -> int:
    offset = _offset(token) if token is not None else 0
    if offset is None:
        raise AwsError("InvalidNextToken", "The next token specified is invalid.")
    return offset


def _parse_list_token(token: str | None) -> int:
    offset = _offset(token) if token is not None else 0
    if offset is None:
        raise invalid_value("Request parameter NextToken is invalid")
    return offset
