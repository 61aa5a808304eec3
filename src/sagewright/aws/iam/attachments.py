"""Operations that hang policies on users, groups and roles: attached and inline. Called by dispatch.

The three entities differ in names and limits only, so each operation is one line over a shared function.
"""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import grammar, records, usage
from sagewright.aws.iam.records import GROUP, ROLE, USER, Entity
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row

_MAX_ATTACHED = 10
_MAX_INLINE = {"user": 2048, "group": 5120, "role": 10240}


def attach_user_policy(call: Call) -> dict[str, Any]:
    """Attach a managed policy to a user."""
    return _attach(call, USER)


def attach_group_policy(call: Call) -> dict[str, Any]:
    """Attach a managed policy to a group."""
    return _attach(call, GROUP)


def attach_role_policy(call: Call) -> dict[str, Any]:
    """Attach a managed policy to a role."""
    return _attach(call, ROLE)


def detach_user_policy(call: Call) -> dict[str, Any]:
    """Detach a managed policy from a user."""
    return _detach(call, USER)


def detach_group_policy(call: Call) -> dict[str, Any]:
    """Detach a managed policy from a group."""
    return _detach(call, GROUP)


def detach_role_policy(call: Call) -> dict[str, Any]:
    """Detach a managed policy from a role."""
    return _detach(call, ROLE)


def list_attached_user_policies(call: Call) -> dict[str, Any]:
    """Managed policies of a user."""
    return _list_attached(call, USER)


def list_attached_group_policies(call: Call) -> dict[str, Any]:
    """Managed policies of a group."""
    return _list_attached(call, GROUP)


def list_attached_role_policies(call: Call) -> dict[str, Any]:
    """Managed policies of a role."""
    return _list_attached(call, ROLE)


def put_user_policy(call: Call) -> dict[str, Any]:
    """Write an inline policy of a user."""
    return _put(call, USER)


def put_group_policy(call: Call) -> dict[str, Any]:
    """Write an inline policy of a group."""
    return _put(call, GROUP)


def put_role_policy(call: Call) -> dict[str, Any]:
    """Write an inline policy of a role."""
    return _put(call, ROLE)


def get_user_policy(call: Call) -> dict[str, Any]:
    """An inline policy of a user."""
    return _get(call, USER)


def get_group_policy(call: Call) -> dict[str, Any]:
    """An inline policy of a group."""
    return _get(call, GROUP)


def get_role_policy(call: Call) -> dict[str, Any]:
    """An inline policy of a role."""
    return _get(call, ROLE)


def delete_user_policy(call: Call) -> dict[str, Any]:
    """Delete an inline policy of a user."""
    return _delete(call, USER)


def delete_group_policy(call: Call) -> dict[str, Any]:
    """Delete an inline policy of a group."""
    return _delete(call, GROUP)


def delete_role_policy(call: Call) -> dict[str, Any]:
    """Delete an inline policy of a role."""
    return _delete(call, ROLE)


def list_user_policies(call: Call) -> dict[str, Any]:
    """Names of a user's inline policies."""
    return _list(call, USER)


def list_group_policies(call: Call) -> dict[str, Any]:
    """Names of a group's inline policies."""
    return _list(call, GROUP)


def list_role_policies(call: Call) -> dict[str, Any]:
    """Names of a role's inline policies."""
    return _list(call, ROLE)


def list_entities_for_policy(call: Call) -> dict[str, Any]:
    """Who uses a managed policy, as permissions or as boundary."""
    arn, wanted = call.params["PolicyArn"], call.params.get("EntityFilter")
    if usage.policy(call, arn) is None:
        raise records.missing(f"Policy {arn} was not found.")
    kind, prefix = call.params.get("PolicyUsageFilter"), call.params.get("PathPrefix") or "/"
    users = []
    for entity, row in usage.every(call):
        attached = arn in row.work["attached"] and kind != "PermissionsBoundary"
        bounding = usage.boundary(row) == arn and kind != "PermissionsPolicy"
        if (attached or bounding) and row.body["Path"].startswith(prefix) and wanted in (None, entity.name[:-4]):
            users.append((entity, {entity.name: row.name, entity.id: row.body[entity.id]}))
    page = records.paged(call, users, "Found")
    found = page.pop("Found")
    return {f"Policy{entity.name[:-4]}s": [each for of, each in found if of is entity]
            for entity in (GROUP, USER, ROLE)} | page


# -- attached ------------------------------------------------------------------------------------------------------
def _attach(call: Call, entity: Entity) -> dict[str, Any]:
    arn = call.params["PolicyArn"]

    def add(row: Row) -> Row:
        if arn in row.work["attached"]:
            return row
        if len(row.work["attached"]) >= _MAX_ATTACHED:
            raise records.over(f"PoliciesPer{entity.name[:-4]}", _MAX_ATTACHED)
        return row.with_(work={"attached": [*row.work["attached"], arn]})

    _changeable(call, entity)
    if usage.policy(call, arn) is None:
        raise records.missing(f"Policy {arn} does not exist or is not attachable.")
    records.change(call, entity, call.params[entity.name], add)
    return {}


def _detach(call: Call, entity: Entity) -> dict[str, Any]:
    arn = call.params["PolicyArn"]

    def drop(row: Row) -> Row:
        if arn not in row.work["attached"]:
            raise records.missing(f"Policy {arn} was not found.")
        return row.with_(work={"attached": [each for each in row.work["attached"] if each != arn]})

    _changeable(call, entity)
    records.change(call, entity, call.params[entity.name], drop)
    return {}


def _list_attached(call: Call, entity: Entity) -> dict[str, Any]:
    row = records.find(call, entity, call.params[entity.name])
    found = (usage.policy(call, arn) for arn in row.work["attached"])
    prefix = call.params.get("PathPrefix") or "/"
    shown = [{"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in found
             if policy is not None and policy.body["Path"].startswith(prefix)]
    return records.paged(call, shown, "AttachedPolicies")


# -- inline --------------------------------------------------------------------------------------------------------
def _put(call: Call, entity: Entity) -> dict[str, Any]:
    name, document = call.params["PolicyName"], call.params["PolicyDocument"]
    limit = _MAX_INLINE[entity.resource]

    def write(row: Row) -> Row:
        inline = {**row.work["inline"], name: document}
        if sum(len("".join(each.split())) for each in inline.values()) > limit:
            raise AwsError("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {entity.resource} "
                                            f"{row.name}", 409)
        return row.with_(work={"inline": inline})

    _changeable(call, entity)
    grammar.check(document)
    records.change(call, entity, call.params[entity.name], write)
    return {}


def _get(call: Call, entity: Entity) -> dict[str, Any]:
    row, name = records.find(call, entity, call.params[entity.name]), call.params["PolicyName"]
    if name not in row.work["inline"]:
        raise _no_inline(entity, name)
    return {entity.name: row.name, "PolicyName": name, "PolicyDocument": records.encoded(row.work["inline"][name])}


def _delete(call: Call, entity: Entity) -> dict[str, Any]:
    name = call.params["PolicyName"]

    def drop(row: Row) -> Row:
        if name not in row.work["inline"]:
            raise _no_inline(entity, name)
        return row.with_(work={"inline": {key: value for key, value in row.work["inline"].items() if key != name}})

    _changeable(call, entity)
    records.change(call, entity, call.params[entity.name], drop)
    return {}


def _list(call: Call, entity: Entity) -> dict[str, Any]:
    row = records.find(call, entity, call.params[entity.name])
    return records.paged(call, sorted(row.work["inline"]), "PolicyNames")


def _no_inline(entity: Entity, name: str) -> AwsError:
    return records.missing(f"The {entity.resource} policy with name {name} cannot be found.")


def _changeable(call: Call, entity: Entity) -> None:
    """Refuse changes to roles that belong to a service."""
    row = records.find(call, entity, call.params[entity.name])
    records.refuse_service_linked(row)
