"""Operations on roles, their trust policies and tags. Called by dispatch; calls records, grammar and identities."""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import grammar, records
from sagewright.aws.iam.caller import identities
from sagewright.aws.iam.records import PROFILE, ROLE
from sagewright.core.call import Call

_MAX_TRUST = 2048


def create_role(call: Call) -> dict[str, Any]:
    """A role that nobody but its trust policy's principals can assume."""
    members = {"AssumeRolePolicyDocument": _trust(call.params["AssumeRolePolicyDocument"]),
               "MaxSessionDuration": call.params.get("MaxSessionDuration", 3600)}
    if description := call.params.get("Description"):
        members["Description"] = description
    row = records.create(call, ROLE, call.params["RoleName"], members)
    return {"Role": records.described(call, row)}


def get_role(call: Call) -> dict[str, Any]:
    """A role by name."""
    return {"Role": records.described(call, records.find(call, ROLE, call.params["RoleName"]))}


def list_roles(call: Call) -> dict[str, Any]:
    """Roles of the account by name."""
    found = records.entities(call, ROLE, call.params.get("PathPrefix"))
    return records.paged(call, [records.listed(row) for row in found], "Roles")


def update_role(call: Call) -> dict[str, Any]:
    """Change description and longest session."""
    changed: dict[str, Any] = {member: call.params[member] for member in ("Description", "MaxSessionDuration")
                               if member in call.params}
    records.change(call, ROLE, call.params["RoleName"], lambda row: row.with_(body=changed))
    return {}


def update_role_description(call: Call) -> dict[str, Any]:
    """The older way to change a description."""
    changed = {"Description": call.params["Description"]}
    row = records.change(call, ROLE, call.params["RoleName"], lambda row: row.with_(body=changed))
    return {"Role": records.described(call, row)}


def update_assume_role_policy(call: Call) -> dict[str, Any]:
    """Replace the trust policy."""
    records.refuse_service_linked(records.find(call, ROLE, call.params["RoleName"]))
    changed = {"AssumeRolePolicyDocument": _trust(call.params["PolicyDocument"])}
    records.change(call, ROLE, call.params["RoleName"], lambda row: row.with_(body=changed))
    return {}


def delete_role(call: Call) -> dict[str, Any]:
    """Delete a role that has nothing left attached; its sessions end."""
    row = records.find(call, ROLE, call.params["RoleName"])
    records.refuse_service_linked(row)
    if any(row.name in profile.work["roles"] for profile in call.store.all(PROFILE.kind, call.account)):
        raise records.in_use("Cannot delete entity, must remove roles from instance profile first.")
    if row.work["attached"]:
        raise records.in_use("Cannot delete entity, must detach all policies first.")
    if row.work["inline"]:
        raise records.in_use("Cannot delete entity, must delete policies first.")
    records.remove(call, row)
    identities(call).withdraw(row.arn)
    return {}


def tag_role(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a role."""
    records.tag(call, records.find(call, ROLE, call.params["RoleName"]))
    return {}


def untag_role(call: Call) -> dict[str, Any]:
    """Remove tags of a role."""
    call.store.untag(records.find(call, ROLE, call.params["RoleName"]).arn, call.params["TagKeys"])
    return {}


def list_role_tags(call: Call) -> dict[str, Any]:
    """Tags of a role."""
    row = records.find(call, ROLE, call.params["RoleName"])
    return records.paged(call, call.store.tags(row.arn), "Tags")


def put_role_permissions_boundary(call: Call) -> dict[str, Any]:
    """Record a permissions boundary."""
    boundary = records.boundary_of(call, call.params["PermissionsBoundary"])
    records.change(call, ROLE, call.params["RoleName"], lambda row: row.with_(body={"PermissionsBoundary": boundary}))
    return {}


def delete_role_permissions_boundary(call: Call) -> dict[str, Any]:
    """Remove the permissions boundary."""
    records.change(call, ROLE, call.params["RoleName"], lambda row: row.with_(body={"PermissionsBoundary": None}))
    return {}


def _trust(document: str) -> str:
    """The trust policy, judged."""
    if len("".join(document.split())) > _MAX_TRUST:
        raise records.over("ACLSizePerRole", _MAX_TRUST)
    grammar.check_trust(document)
    return document
