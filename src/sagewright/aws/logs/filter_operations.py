"""Metric filters, and the listing of subscription filters, of which there are none: nothing here could deliver to them.

A group keeps its filters in `work["metric_filters"]`, so that a writer has them at hand with the group; `evaluation`
runs them over what arrives. Called by the gateway's dispatch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sagewright.aws.logs import patterns, tokens
from sagewright.aws.logs.lookup import bad, group_of, part
from sagewright.aws.logs.part import KIND
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row

_MAX_FILTERS = 100
_KEPT = ("filterName", "filterPattern", "metricTransformations", "applyOnTransformedLogs", "fieldSelectionCriteria",
         "emitSystemFieldDimensions")


def put_metric_filter(call: Call) -> dict[str, Any]:
    """Add or replace a metric filter of a group."""
    params = call.params
    patterns.compile_pattern(params["filterPattern"])
    for transformation in params["metricTransformations"]:
        if transformation.get("dimensions") and "defaultValue" in transformation:
            raise bad("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
    new = {"applyOnTransformedLogs": False, **{key: params[key] for key in _KEPT if key in params},
           "creationTime": part(call).now(),
           "metricTransformations": [_as_shown(one) for one in params["metricTransformations"]]}

    def add(work: dict[str, Any]) -> dict[str, Any]:
        others = [f for f in work.get("metric_filters", ()) if f["filterName"] != new["filterName"]]
        if len(others) >= _MAX_FILTERS:
            raise AwsError("LimitExceededException", "Resource limit exceeded.")
        return {"metric_filters": sorted([*others, new], key=lambda f: f["filterName"])}

    part(call).change_group(call.account, call.region, params["logGroupName"], work=add)
    return {}


def delete_metric_filter(call: Call) -> dict[str, Any]:
    """Remove a metric filter."""
    name = call.params["filterName"]

    def remove(work: dict[str, Any]) -> dict[str, Any]:
        others = [f for f in work.get("metric_filters", ()) if f["filterName"] != name]
        if len(others) == len(work.get("metric_filters", ())):
            raise AwsError("ResourceNotFoundException", "The specified metric filter does not exist.")
        return {"metric_filters": others or None}

    part(call).change_group(call.account, call.region, call.params["logGroupName"], work=remove)
    return {}


def describe_metric_filters(call: Call) -> dict[str, Any]:
    """Metric filters of a group, or of the account by the metric they feed."""
    params = call.params
    if ("metricName" in params) != ("metricNamespace" in params):
        raise bad("If you include the metricName parameter in your request, you must also include the metricNamespace "
                  "parameter.")
    rows = [group_of(call)] if "logGroupName" in params else \
        [row for row in call.store.all(KIND, call.account) if row.region == call.region]
    found = [shown for row in sorted(rows, key=lambda row: row.name) for shown in _wanted(row, params)]
    limit, question = params.get("limit", 50), {k: v for k, v in params.items() if k not in ("nextToken", "limit")}
    after = tokens.parse_opaque(params.get("nextToken"), question)
    if after is not None:
        found = [f for f in found if [f["logGroupName"], f["filterName"]] > after]
    answer: dict[str, Any] = {"metricFilters": found[:limit]}
    if len(found) > limit:
        last = found[limit - 1]
        answer["nextToken"] = tokens.opaque(question, [last["logGroupName"], last["filterName"]])
    return answer


def test_metric_filter(call: Call) -> dict[str, Any]:
    """Which of some messages a pattern matches, and what it extracts from them."""
    pattern = patterns.compile_pattern(call.params["filterPattern"])
    matches = [{"eventNumber": n, "eventMessage": message, "extractedValues": pattern.extract(message)}
               for n, message in enumerate(call.params["logEventMessages"], start=1) if pattern.match(message)]
    return {"matches": matches}


def put_subscription_filter(call: Call) -> dict[str, Any]:
    """Refused: events cannot be delivered to another service yet, and a filter that delivers nothing would mislead."""
    group_of(call)
    raise bad("Could not deliver test message to specified destination. Subscription filters are not supported yet.")


def describe_subscription_filters(call: Call) -> dict[str, Any]:
    """The group's subscription filters: none, as PutSubscriptionFilter refuses them."""
    group_of(call)
    return {"subscriptionFilters": []}


def delete_subscription_filter(call: Call) -> dict[str, Any]:
    """There is none to remove."""
    group_of(call)
    raise AwsError("ResourceNotFoundException", "The specified subscription filter does not exist.")


def _as_shown(transformation: dict[str, Any]) -> dict[str, Any]:
    """A transformation with its default as the double that the model says it is."""
    known = {"defaultValue": float(transformation["defaultValue"])} if "defaultValue" in transformation else {}
    return {**transformation, **known}


def _wanted(row: Row, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for found in row.work.get("metric_filters", ()):
        if not found["filterName"].startswith(params.get("filterNamePrefix", "")):
            continue
        feeds = [(t["metricNamespace"], t["metricName"]) for t in found["metricTransformations"]]
        if "metricName" in params and (params["metricNamespace"], params["metricName"]) not in feeds:
            continue
        yield {**found, "logGroupName": row.name}
