"""Resource policies and saved queries: kept and shown as they were put.

Written by hand because they are put and described, not created and listed, and have no ARN in the model. Called by the
gateway's dispatch; keeps rows of kinds LogResourcePolicy and LogQueryDefinition in the store.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from sagewright.aws.logs import tokens
from sagewright.aws.logs.lookup import bad
from sagewright.core import arns
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Page, Row

_POLICY = "LogResourcePolicy"
_QUERY = "LogQueryDefinition"
_MAX_POLICIES = 10


def put_resource_policy(call: Call) -> dict[str, Any]:
    """Add or replace an account policy."""
    params = call.params
    if "policyName" not in params or "policyDocument" not in params:
        raise bad("policyName and policyDocument must be specified.")
    if "resourceArn" in params:
        raise bad("Resource policies of a single log group are not supported yet.")
    _check_json(params["policyDocument"])
    known = call.store.get(_POLICY, call.account, call.region, params["policyName"])
    if known is None and len(_rows(call, _POLICY, _MAX_POLICIES + 1)) >= _MAX_POLICIES:
        raise AwsError("LimitExceededException", "Resource limit exceeded.")
    body = {"policyName": params["policyName"], "policyDocument": params["policyDocument"],
            "lastUpdatedTime": int(call.now * 1000), "policyScope": "ACCOUNT"}
    _put(call, _POLICY, params["policyName"], body)
    return {"resourcePolicy": body}


def describe_resource_policies(call: Call) -> dict[str, Any]:
    """Account policies in order of name."""
    return _page(call, _POLICY, "resourcePolicies")


def delete_resource_policy(call: Call) -> dict[str, Any]:
    """Remove an account policy."""
    name = call.params.get("policyName")
    if name is None:
        raise bad("policyName must be specified.")
    if not _delete(call, _POLICY, name):
        raise AwsError("ResourceNotFoundException", f"Policy with name [{name}] does not exist.")
    return {}


def put_query_definition(call: Call) -> dict[str, Any]:
    """Save a query, or change a saved one."""
    params = call.params
    key = params.get("queryDefinitionId")
    if key is not None and call.store.get(_QUERY, call.account, call.region, key) is None:
        raise AwsError("ResourceNotFoundException", "The specified query definition does not exist.")
    key = key or str(uuid.uuid4())
    kept = {name: value for name, value in params.items() if name != "clientToken"}
    _put(call, _QUERY, key, {"queryLanguage": "CWLI", **kept, "queryDefinitionId": key,
                             "lastModified": int(call.now * 1000)})
    return {"queryDefinitionId": key}


def describe_query_definitions(call: Call) -> dict[str, Any]:
    """Saved queries whose name begins with a prefix."""
    return _page(call, _QUERY, "queryDefinitions", "maxResults", call.params.get("queryDefinitionNamePrefix", ""))


def delete_query_definition(call: Call) -> dict[str, Any]:
    """Remove a saved query."""
    if not _delete(call, _QUERY, call.params["queryDefinitionId"]):
        raise AwsError("ResourceNotFoundException", "The specified query definition does not exist.")
    return {"success": True}


def _check_json(document: str) -> None:
    try:
        policy = json.loads(document)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise bad("Invalid policy document.")


def _put(call: Call, kind: str, name: str, body: dict[str, Any]) -> None:
    while True:
        row = call.store.get(kind, call.account, call.region, name)
        try:
            if row is None:
                arn = arns.make("logs", call.region, call.account, f"{kind}:{name}")
                call.store.insert(Row(kind, call.account, call.region, name, arn, body))
            else:
                cleared = dict.fromkeys(row.body)
                call.store.update(row.with_(body={**cleared, **body}))
            return
        except Conflict:
            continue


def _delete(call: Call, kind: str, name: str) -> bool:
    row = call.store.get(kind, call.account, call.region, name)
    if row is None:
        return False
    try:
        call.store.delete(row)
    except Conflict:
        return False
    return True


def _rows(call: Call, kind: str, limit: int, after: Any = None) -> list[Row]:
    return call.store.page(Page(kind, call.account, call.region, limit=limit, sort="name", after=after))


def _page(call: Call, kind: str, member: str, limit_key: str = "limit", prefix: str = "") -> dict[str, Any]:
    limit = call.params.get(limit_key, 50)
    after = tokens.parse_opaque(call.params.get("nextToken"), [kind, prefix])
    found: list[Row] = []
    while True:
        rows = _rows(call, kind, 200, tuple(after) if after else None)
        found += [row for row in rows if row.body.get("name", "").startswith(prefix)] if prefix else rows
        if len(rows) < 200 or len(found) > limit:
            break
        after = (rows[-1].name, rows[-1].id)
    answer: dict[str, Any] = {member: [row.body for row in found[:limit]]}
    if len(found) > limit:
        last = found[limit - 1]
        answer["nextToken"] = tokens.opaque([kind, prefix], (last.name, last.id))
    return answer
