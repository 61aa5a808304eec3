"""Alarms, dashboards and tags, kept as records.

Alarms are not evaluated yet: a new one says INSUFFICIENT_DATA until SetAlarmState says otherwise, and no action runs.
Written by hand because they are put and described by name, not created and listed. Called by the gateway's dispatch;
keeps rows of kinds CloudWatchAlarm and CloudWatchDashboard in the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from sagewright.aws.cloudwatch.samples import is_extended
from sagewright.aws.cloudwatch.wording import invalid_value, validation_error
from sagewright.core import arns
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Page, Row

_ALARM, _DASHBOARD = "CloudWatchAlarm", "CloudWatchDashboard"
_UNCHECKED = "Unchecked: Initial alarm creation"
_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
_NOT_SHOWN = ("Tags",)


# -- alarms -----------------------------------------------------------------------------------------------------------
def put_metric_alarm(call: Call) -> dict[str, Any]:
    """Add or replace an alarm on a metric or on metric math."""
    params = call.params
    _check_alarm(params)
    body = {"ActionsEnabled": True, "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [],
            **{key: value for key, value in params.items() if key not in _NOT_SHOWN}}
    if "Metrics" not in params:
        body.setdefault("Dimensions", [])
    if "Threshold" in params:  # clients that send 30 read 30.0 back
        body["Threshold"] = float(params["Threshold"])
    _put_alarm(call, body)
    return {}


def describe_alarms(call: Call) -> dict[str, Any]:
    """Alarms in order of name, by names, prefix, state or action."""
    params = call.params
    if "AlarmNames" in params and "AlarmNamePrefix" in params:
        raise validation_error("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive and you have "
                               "specified both.")
    types = params.get("AlarmTypes") or ["MetricAlarm"]
    prefix, limit = params.get("AlarmNamePrefix", ""), params.get("MaxRecords", 50)
    rows = [] if "MetricAlarm" not in types else _named(call, params["AlarmNames"]) if "AlarmNames" in params else \
        _walk(call, _ALARM, prefix, params.get("NextToken"))
    found: list[Row] = []
    for row in rows:
        if _shows(row.body, params):
            if len(found) == limit:
                return {**_alarms(found), "NextToken": found[-1].name}
            found.append(row)
    return _alarms(found)


def _alarms(found: list[Row]) -> dict[str, Any]:
    return {"MetricAlarms": [row.body for row in found], "CompositeAlarms": [], "LogAlarms": []}


def describe_alarms_for_metric(call: Call) -> dict[str, Any]:
    """The alarms on one metric."""
    keys = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit")
    wanted = {key: call.params[key] for key in keys if key in call.params}
    dimensions = _sorted(call.params.get("Dimensions", ()))
    found = [row.body for row in _walk(call, _ALARM)
             if all(row.body.get(key) == value for key, value in wanted.items())
             and _sorted(row.body.get("Dimensions", ())) == dimensions]
    return {"MetricAlarms": found}


def delete_alarms(call: Call) -> dict[str, Any]:
    """Remove alarms; names without an alarm are passed over, as AWS does."""
    for row in _named(call, call.params["AlarmNames"]):
        _delete(call, row)
    return {}


def set_alarm_state(call: Call) -> dict[str, Any]:
    """Put an alarm into a state by hand. Its actions do not run."""
    params = call.params
    if params["StateValue"] not in _STATES:
        raise invalid_value(f"The value {params['StateValue']} for parameter StateValue is invalid.")
    if "StateReasonData" in params and not _is_json(params["StateReasonData"]):
        raise AwsError("InvalidFormat", "StateReasonData must be valid JSON.")

    def change(body: dict[str, Any]) -> dict[str, Any]:
        moved = {"StateTransitionedTimestamp": call.now} if body["StateValue"] != params["StateValue"] else {}
        return {"StateValue": params["StateValue"], "StateReason": params["StateReason"],
                "StateReasonData": params.get("StateReasonData"), "StateUpdatedTimestamp": call.now, **moved}

    if not _change(call, _ALARM, params["AlarmName"], change):
        raise AwsError("ResourceNotFound", "", 404)
    return {}


def enable_alarm_actions(call: Call) -> dict[str, Any]:
    """Record that the alarms' actions are wanted."""
    return _actions(call, True)


def disable_alarm_actions(call: Call) -> dict[str, Any]:
    """Record that the alarms' actions are not wanted."""
    return _actions(call, False)


def _actions(call: Call, enabled: bool) -> dict[str, Any]:
    for name in call.params["AlarmNames"]:
        _change(call, _ALARM, name, lambda body: {"ActionsEnabled": enabled})
    return {}


def _check_alarm(params: dict[str, Any]) -> None:
    if ("MetricName" in params) == ("Metrics" in params):
        raise validation_error("One of MetricName and Metrics must be specified, and not both." if "Metrics" in params
                               else "The parameter MetricName is required.\n")
    if "Metrics" not in params:
        if ("Statistic" in params) == ("ExtendedStatistic" in params):
            raise validation_error("Exactly one of the parameters Statistic and ExtendedStatistic must be specified.")
        for key in ("Period", "Namespace"):
            if key not in params:
                raise validation_error(f"The parameter {key} is required.\n")
    if "ExtendedStatistic" in params and not is_extended(params["ExtendedStatistic"]):
        raise invalid_value(f"The value {params['ExtendedStatistic']} for parameter ExtendedStatistic is not "
                            "supported.")
    low = params.get("EvaluateLowSampleCountPercentile", "evaluate")
    if low not in ("evaluate", "ignore"):
        raise validation_error(f"Option {low} is not supported. Supported options for parameter "
                               "EvaluateLowSampleCountPercentile are evaluate and ignore.")
    missing = params.get("TreatMissingData", "missing")
    if missing not in ("breaching", "notBreaching", "ignore", "missing"):
        raise validation_error(f"Option {missing} is not supported. Supported options for parameter TreatMissingData "
                               "are breaching, notBreaching, ignore and missing.")
    if params.get("DatapointsToAlarm", 1) > params.get("EvaluationPeriods", 1):
        raise validation_error("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")


def _put_alarm(call: Call, body: dict[str, Any]) -> None:
    name = body["AlarmName"]
    arn = arns.make("cloudwatch", call.region, call.account, f"alarm:{name}")
    body = {**body, "AlarmArn": arn, "AlarmConfigurationUpdatedTimestamp": call.now}
    fresh = {"StateValue": "INSUFFICIENT_DATA", "StateReason": _UNCHECKED, "StateUpdatedTimestamp": call.now,
             "StateTransitionedTimestamp": call.now}

    def replaced(old: dict[str, Any]) -> dict[str, Any]:
        state = {key: value for key, value in old.items() if key.startswith("State")}
        return {**dict.fromkeys(old), **state, **body}

    while not _change(call, _ALARM, name, replaced):
        try:
            call.store.insert(Row(_ALARM, call.account, call.region, name, arn, {**body, **fresh}),
                              call.params.get("Tags", ()))
            return
        except Conflict:
            continue


def _shows(body: dict[str, Any], params: dict[str, Any]) -> bool:
    actions = [*body["OKActions"], *body["AlarmActions"], *body["InsufficientDataActions"]]
    prefix = params.get("ActionPrefix", "")
    return params.get("StateValue", body["StateValue"]) == body["StateValue"] \
        and (not prefix or any(action.startswith(prefix) for action in actions))


# -- dashboards -------------------------------------------------------------------------------------------------------
def put_dashboard(call: Call) -> dict[str, Any]:
    """Add or replace a dashboard; its body must be JSON."""
    name, text = call.params["DashboardName"], call.params["DashboardBody"]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise invalid_value("The value for field DashboardName contains invalid characters. It can only contain "
                            "alphanumerics, dash (-) and underscore (_).\n")
    if not _is_json(text):
        message = {"Message": "The field DashboardBody must be a valid JSON object", "DataPath": ""}
        raise AwsError("InvalidParameterInput", "The field DashboardBody must be a valid JSON object",
                       fields={"dashboardValidationMessages": [message]})
    arn = f"arn:{arns.partition_of(call.region)}:cloudwatch::{call.account}:dashboard/{name}"
    body = {"DashboardName": name, "DashboardArn": arn, "DashboardBody": text, "LastModified": call.now}
    while not _change(call, _DASHBOARD, name, lambda old: body):
        try:
            call.store.insert(Row(_DASHBOARD, call.account, "", name, arn, body), call.params.get("Tags", ()))
            break
        except Conflict:
            continue
    return {"DashboardValidationMessages": []}


def get_dashboard(call: Call) -> dict[str, Any]:
    """A dashboard's body."""
    row = call.store.get(_DASHBOARD, call.account, "", call.params["DashboardName"])
    if row is None:
        raise _no_dashboard(call.params["DashboardName"])
    return {key: row.body[key] for key in ("DashboardName", "DashboardArn", "DashboardBody")}


def list_dashboards(call: Call) -> dict[str, Any]:
    """Dashboards in order of name, by prefix."""
    found: list[dict[str, Any]] = []
    limit = 1000
    for row in _walk(call, _DASHBOARD, call.params.get("DashboardNamePrefix", ""), call.params.get("NextToken"), ""):
        if len(found) == limit:
            return {"DashboardEntries": found, "NextToken": found[-1]["DashboardName"]}
        shown = {key: row.body[key] for key in ("DashboardName", "DashboardArn", "LastModified")}
        found.append({**shown, "Size": len(row.body["DashboardBody"].encode("utf-8", "replace"))})
    return {"DashboardEntries": found}


def delete_dashboards(call: Call) -> dict[str, Any]:
    """Remove dashboards; none if one of them does not exist."""
    names = call.params["DashboardNames"]
    if not names:
        raise invalid_value("The parameter DashboardNames must not be empty.")
    rows = [call.store.get(_DASHBOARD, call.account, "", name) for name in names]
    missing = next((name for name, row in zip(names, rows) if row is None), None)
    if missing is not None:
        raise _no_dashboard(missing)
    for row in rows:
        if row is not None:
            _delete(call, row)
    return {}


def _no_dashboard(name: str) -> AwsError:
    return AwsError("DashboardNotFoundError", f"Dashboard {name} does not exist", 404)


# -- tags -------------------------------------------------------------------------------------------------------------
def tag_resource(call: Call) -> dict[str, Any]:
    """Tag an alarm or a dashboard."""
    call.store.tag(_tagged(call), call.params["Tags"])
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Remove tags of an alarm or a dashboard."""
    call.store.untag(_tagged(call), call.params["TagKeys"])
    return {}


def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """The tags of an alarm or a dashboard."""
    row = _by_arn(call)
    return {"Tags": [] if row is None else call.store.tags(row.arn)}


def _tagged(call: Call) -> str:
    row = _by_arn(call)
    if row is None:
        raise AwsError("ResourceNotFoundException", "Unknown", 404)
    return row.arn


def _by_arn(call: Call) -> Row | None:
    row = call.store.by_arn(call.params["ResourceARN"])
    return row if row is not None and row.kind in (_ALARM, _DASHBOARD) and row.account == call.account else None


# -- rows -------------------------------------------------------------------------------------------------------------
def _named(call: Call, names: Iterable[str]) -> list[Row]:
    rows = [call.store.get(_ALARM, call.account, call.region, name) for name in sorted(set(names))]
    return [row for row in rows if row is not None]


def _walk(call: Call, kind: str, prefix: str = "", after: str | None = None, region: str | None = None):  # noqa: ANN202
    """Rows in order of name whose name begins with the prefix, after a name."""
    place = (prefix, -1) if after is None else (after, 2**62)
    while True:
        rows = call.store.page(Page(kind, call.account, call.region if region is None else region, limit=200,
                                    sort="name", after=place))
        for row in rows:
            if not row.name.startswith(prefix):
                return
            yield row
        if len(rows) < 200:
            return
        place = (rows[-1].name, rows[-1].id)


def _change(call: Call, kind: str, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Merge what `change(body)` gives into a row, whoever else is changing it; False where there is none."""
    while True:
        row = call.store.get(kind, call.account, "" if kind == _DASHBOARD else call.region, name)
        if row is None:
            return False
        try:
            call.store.update(row.with_(body=change(row.body)))
            return True
        except Conflict:
            continue


def _delete(call: Call, row: Row) -> None:
    while True:
        try:
            call.store.delete(row)
            return
        except Conflict:
            current = call.store.get(row.kind, row.account, row.region, row.name)
            if current is None:
                return
            row = current


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _sorted(dimensions: Iterable[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((pair["Name"], pair["Value"]) for pair in dimensions)
