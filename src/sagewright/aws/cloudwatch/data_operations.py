"""PutMetricData: what it accepts, and how it refuses the rest.

Called by the gateway's dispatch; calls `part.Metrics.store`, so that data are on disk before the answer.
"""

from __future__ import annotations

import math
from typing import Any

from sagewright.aws.cloudwatch.part import LARGEST, Metrics
from sagewright.aws.cloudwatch.points import Metric, Slot
from sagewright.aws.cloudwatch.samples import Sample
from sagewright.aws.cloudwatch.wording import invalid_combination, invalid_value, seconds
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_MAX_DATA, _MAX_VALUES, _MAX_DIMENSIONS = 1000, 150, 30
_PAST, _FUTURE = 14 * 86_400, 2 * 3600


def put_metric_data(call: Call) -> dict[str, Any]:
    """Store data points: single values, values with counts, or statistic sets."""
    params = call.params
    namespace = params["Namespace"]
    if not namespace or namespace.startswith(":"):
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")
    data = [(f"MetricData.member.{n}", datum) for n, datum in enumerate(params.get("MetricData", ()), start=1)]
    for group, entity in enumerate(params.get("EntityMetricData", ()), start=1):
        data += [(f"EntityMetricData.member.{group}.MetricData.member.{n}", datum)
                 for n, datum in enumerate(entity.get("MetricData", ()), start=1)]
    if not data:
        raise AwsError("MissingParameter", "The parameter MetricData is required.")
    if len(data) > _MAX_DATA:
        raise invalid_value(f"The collection MetricData must not have a size greater than {_MAX_DATA}.")
    metrics: Metrics = call.world.parts["metrics"]
    samples = [_sample(call, namespace, where, datum) for where, datum in data]
    try:
        metrics.store([(slot, sample) for slot, sample in samples if sample.count])
    except Exception as failed:
        raise AwsError("InternalServiceError", "The data could not be stored; try again.", 500) from failed
    return {}


def _sample(call: Call, namespace: str, where: str, datum: dict[str, Any]) -> tuple[Slot, Sample]:
    sample = Sample()
    _check_kinds(where, datum)
    if "StatisticValues" in datum:
        _add_set(sample, where, datum["StatisticValues"])
    if "Values" in datum:  # AWS takes both, though it takes neither together with Value
        _add_values(sample, where, datum["Values"], datum.get("Counts"))
    if "Value" in datum:
        sample.add(_number(datum["Value"], f"{where}.Value"))
    span = datum.get("StorageResolution", 60)
    if span not in (1, 60):
        raise invalid_value(f"The value {span} for parameter {where}.StorageResolution is invalid.")
    at = int(_time(call, where, datum)) // span * span
    dimensions = _dimensions(where, datum.get("Dimensions", ()))
    metric = Metric(call.account, call.region, namespace, datum["MetricName"], dimensions)
    return Slot(metric, datum.get("Unit", "None"), at, span), sample


def _check_kinds(where: str, datum: dict[str, Any]) -> None:
    if "Value" in datum and "StatisticValues" in datum:
        raise invalid_combination(f"The parameters {where}.Value and {where}.StatisticValues are mutually exclusive "
                                  "and you have specified both.")
    if "Value" in datum and "Values" in datum:
        raise invalid_combination(f"The parameters {where}.Value and {where}.Values are mutually exclusive and you "
                                  "have specified both.")
    if not {"Value", "Values", "StatisticValues"} & datum.keys():
        raise AwsError("MissingParameter", f"At least one of the parameters {where}.Value, {where}.Values and "
                       f"{where}.StatisticValues must be specified.")


def _add_values(sample: Sample, where: str, values: list[float], counts: list[float] | None) -> None:
    if len(values) > _MAX_VALUES:
        raise invalid_value(f"The collection {where}.Values must not have a size greater than {_MAX_VALUES}.")
    if not values:
        raise AwsError("MissingParameter", f"The parameter {where}.Values is required.")
    if counts is not None and len(counts) != len(values):
        raise invalid_value(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    for n, value in enumerate(values):
        times = 1.0 if counts is None else _number(counts[n], f"{where}.Counts.member.{n + 1}")
        if times < 0:
            raise invalid_value(f"The value {times:g} for parameter {where}.Counts.member.{n + 1} is invalid.")
        number = _number(value, f"{where}.Values.member.{n + 1}")
        if times:
            sample.add(number, times)


def _add_set(sample: Sample, where: str, given: dict[str, Any]) -> None:
    count, total, low, high = (_number(given[key], f"{where}.StatisticValues.{key}")
                               for key in ("SampleCount", "Sum", "Minimum", "Maximum"))
    if count < 0:
        raise invalid_value(f"The value {count:g} for parameter {where}.StatisticValues.SampleCount is invalid.")
    if low > high:
        raise invalid_value(f"The parameter {where}.StatisticValues.Maximum must be greater than or equal to "
                            f"{where}.StatisticValues.Minimum.")
    sample.add_set(count, total, low, high)


def _number(value: Any, where: str) -> float:
    number = float(value)
    if not -LARGEST < number < LARGEST:
        text = "NaN" if math.isnan(number) else f"{number:G}".replace("INF", "Infinity")
        raise invalid_value(f"The value {text} for parameter {where} is invalid.")
    return number


def _time(call: Call, where: str, datum: dict[str, Any]) -> float:
    if "Timestamp" not in datum:
        return call.now
    at = seconds(datum["Timestamp"])
    if at < call.now - _PAST:
        raise invalid_value(f"The parameter {where}.Timestamp must specify a time no more than two weeks in the past.")
    if at > call.now + _FUTURE:
        raise invalid_value(f"The parameter {where}.Timestamp must specify a time no more than two hours in the "
                            "future.")
    return at


def _dimensions(where: str, given: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(given) > _MAX_DIMENSIONS:
        raise invalid_value(f"The collection {where}.Dimensions must not have a size greater than {_MAX_DIMENSIONS}.")
    for n, pair in enumerate(given, start=1):
        for key in ("Name", "Value"):
            if not pair.get(key, "").strip():
                raise invalid_value(f"The parameter {where}.Dimensions.member.{n}.{key} must not be empty.")
    pairs = {pair["Name"]: pair["Value"] for pair in given}
    if len(pairs) < len(given):
        raise invalid_value("No Metric may specify the same dimension name twice.")
    return tuple(sorted(pairs.items()))
