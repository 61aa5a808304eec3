"""Log groups: create, describe, delete, retention, encryption keys and tags.

Written by hand because the model of CloudWatch Logs says nothing that a derivation could use: groups are described by
prefix or pattern, and tagged by name as well as by ARN. Called by the gateway's dispatch; calls `part.Logs`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagewright.aws.logs import tokens
from sagewright.aws.logs.lookup import bad, described, group_of, name_of, part
from sagewright.aws.logs.part import KIND
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Page, Row

_RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_MAX_TAGS = 50


def create_log_group(call: Call) -> dict[str, Any]:
    """Add a log group."""
    params = call.params
    settings = ("kmsKeyId", "logGroupClass", "deletionProtectionEnabled")
    body: dict[str, Any] = {key: params[key] for key in settings if key in params}
    tags = _tag_list(params.get("tags", {}))
    _check_tags(tags)
    try:
        part(call).create_group(call.account, call.region, params["logGroupName"], body, tags)
    except Conflict:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists") from None
    return {}


def delete_log_group(call: Call) -> dict[str, Any]:
    """Remove a log group, its streams and all its events."""
    row = group_of(call)
    if row.body.get("deletionProtectionEnabled"):
        raise AwsError("ValidationException", "Unable to delete log group because deletion protection is enabled. "
                       "Disable deletion protection and try again.")
    try:
        part(call).delete_group(row)
    except Conflict:
        raise AwsError("OperationAbortedException", "A conflicting operation is currently in progress against this "
                       "resource. Please try again.") from None
    return {}


def describe_log_groups(call: Call) -> dict[str, Any]:
    """Groups in order of name, by prefix, by text within the name, or by identifier."""
    params = call.params
    if "logGroupNamePrefix" in params and "logGroupNamePattern" in params:
        raise bad("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    if params.get("logGroupIdentifiers"):
        named = [part(call).group(call.account, call.region, name_of(text)) for text in params["logGroupIdentifiers"]]
        return {"logGroups": [_shown(call, row) for row in named if row is not None]}
    rows, token = _groups(call, params.get("logGroupNamePrefix", ""), params.get("logGroupNamePattern", ""))
    shown = [_shown(call, row) for row in rows]
    if "logGroupNamePattern" in params:  # AWS leaves these two out of what it finds by pattern
        shown = [{k: v for k, v in one.items() if k not in ("storedBytes", "deletionProtectionEnabled")}
                 for one in shown]
    return {"logGroups": shown, **token}


def list_log_groups(call: Call) -> dict[str, Any]:
    """Groups in order of name as summaries. The pattern is text within the name or, after ^, a prefix."""
    pattern = call.params.get("logGroupNamePattern", "")
    if "|" in pattern or "*" in pattern:
        raise bad("Wildcards and alternatives in logGroupNamePattern are not supported yet.")
    prefix = pattern[1:] if pattern.startswith("^") else ""
    rows, token = _groups(call, prefix, "" if prefix else pattern)
    groups = [{"logGroupName": row.name, "logGroupArn": row.arn, "logGroupClass": row.body["logGroupClass"]}
              for row in rows]
    return {"logGroups": groups, **token}


def put_retention_policy(call: Call) -> dict[str, Any]:
    """Keep the group's events for so many days."""
    days = call.params["retentionInDays"]
    if days not in _RETENTION:
        raise bad(f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                  f"Member must satisfy enum value set: {list(_RETENTION)}")
    part(call).change_group(call.account, call.region, call.params["logGroupName"], {"retentionInDays": days})
    part(call).reclaim()
    return {}


def delete_retention_policy(call: Call) -> dict[str, Any]:
    """Keep the group's events for ever."""
    part(call).change_group(call.account, call.region, call.params["logGroupName"], {"retentionInDays": None})
    return {}


def associate_kms_key(call: Call) -> dict[str, Any]:
    """Record the key of a group."""
    _key(call, call.params["kmsKeyId"])
    return {}


def disassociate_kms_key(call: Call) -> dict[str, Any]:
    """Forget the key of a group."""
    _key(call, None)
    return {}


def put_log_group_deletion_protection(call: Call) -> dict[str, Any]:
    """Refuse, or allow again, that the group be deleted."""
    name = name_of(call.params["logGroupIdentifier"])
    wanted = {"deletionProtectionEnabled": call.params["deletionProtectionEnabled"]}
    part(call).change_group(call.account, call.region, name, wanted)
    return {}


# -- tags -------------------------------------------------------------------------------------------------------------
def tag_log_group(call: Call) -> dict[str, Any]:
    """Tag a group by name (the older API)."""
    _tag(call, group_of(call).arn, call.params["tags"])
    return {}


def untag_log_group(call: Call) -> dict[str, Any]:
    """Remove tags of a group by name (the older API)."""
    call.store.untag(group_of(call).arn, call.params["tags"])
    return {}


def list_tags_log_group(call: Call) -> dict[str, Any]:
    """The tags of a group by name (the older API)."""
    return {"tags": _tag_map(call, group_of(call).arn)}


def tag_resource(call: Call) -> dict[str, Any]:
    """Tag a group by ARN."""
    _tag(call, _tagged(call), call.params["tags"])
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Remove tags of a group by ARN."""
    call.store.untag(_tagged(call), call.params["tagKeys"])
    return {}


def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """The tags of a group by ARN."""
    return {"tags": _tag_map(call, _tagged(call))}


def _tagged(call: Call) -> str:
    row = part(call).group(call.account, call.region, name_of(call.params["resourceArn"]))
    if row is None:
        raise AwsError("ResourceNotFoundException", "The specified resource does not exist.")
    return row.arn


def _tag(call: Call, arn: str, tags: dict[str, str]) -> None:
    wanted = _tag_list(tags)
    _check_tags([*(tag for tag in call.store.tags(arn) if tag["Key"] not in tags), *wanted])
    call.store.tag(arn, wanted)


def _check_tags(tags: list[dict[str, str]]) -> None:
    if len(tags) > _MAX_TAGS:
        raise AwsError("TooManyTagsException", "The number of tags exceeds the limit of 50 per resource")
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise bad("aws: prefixed tag key names are not allowed for external use.")


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _tag_map(call: Call, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in call.store.tags(arn)}


def _key(call: Call, key: str | None) -> None:
    name, resource = call.params.get("logGroupName"), call.params.get("resourceIdentifier")
    if (name is None) == (resource is None):
        raise bad("Exactly one of logGroupName and resourceIdentifier must be specified.")
    part(call).change_group(call.account, call.region, name or name_of(resource or ""), {"kmsKeyId": key})


def _shown(call: Call, row: Row) -> dict[str, Any]:
    return described(row, part(call).events.stored_bytes(row.work["key"]))


def _groups(call: Call, prefix: str, pattern: str) -> tuple[list[Row], dict[str, Any]]:
    """A page of groups and, where there are more, the token of the next."""
    limit, wanted = call.params.get("limit", 50), call.params.get("logGroupClass", "")
    question = [call.account, call.region, prefix, pattern, wanted]
    found: list[Row] = []
    # (prefix, -1) stands before the first name that begins with the prefix
    after = tokens.parse_opaque(call.params.get("nextToken"), question) or (prefix, -1)
    for row in _walk(call, after, pattern, lambda row: row.name.startswith(prefix)):
        if wanted and row.body["logGroupClass"] != wanted or pattern not in row.name:
            continue
        if len(found) == limit:
            last = found[-1]
            return found, {"nextToken": tokens.opaque(question, (last.name, last.id))}
        found.append(row)
    return found, {}


def _walk(call: Call, after: Any, pattern: str, inside: Callable[[Row], bool]):  # noqa: ANN202 - a generator of rows
    while True:
        rows = call.store.page(Page(KIND, call.account, call.region, limit=200, sort="name", after=tuple(after),
                                    name_contains=pattern))
        for row in rows:
            if not inside(row):
                return
            yield row
        if len(rows) < 200:
            return
        after = (rows[-1].name, rows[-1].id)


