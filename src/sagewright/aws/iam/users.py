"""Operations on users and their tags. Called by dispatch; calls records and identities."""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import records
from sagewright.aws.iam.caller import identities, named_user
from sagewright.aws.iam.records import CERTIFICATE, GROUP, KEY, USER
from sagewright.core.call import Call
from sagewright.core.store import Row


def create_user(call: Call) -> dict[str, Any]:
    """A user without keys or policies."""
    row = records.create(call, USER, call.params["UserName"], work={"groups": []})
    return {"User": records.described(call, row)}


def get_user(call: Call) -> dict[str, Any]:
    """A user by name, or whoever asks."""
    if "UserName" not in call.params and call.principal.is_root:
        return {"User": {"Path": "/", "UserName": "root", "UserId": call.account, "Arn": call.principal.arn,
                         "CreateDate": 0}}
    return {"User": records.described(call, records.find(call, USER, named_user(call)))}


def list_users(call: Call) -> dict[str, Any]:
    """Users of the account by name."""
    found = records.entities(call, USER, call.params.get("PathPrefix"))
    return records.paged(call, [records.listed(row) for row in found], "Users")


def update_user(call: Call) -> dict[str, Any]:
    """Rename a user or move it to another path; keys and memberships follow."""
    row = records.find(call, USER, call.params["UserName"])
    name, path = call.params.get("NewUserName", row.name), call.params.get("NewPath", row.body["Path"])
    after = records.rename(call, USER, row, name, path)
    for owned in (*call.store.children(row.arn, KEY), *call.store.children(row.arn, CERTIFICATE)):
        _follow(call, owned, after)
    identities(call).withdraw(row.arn)
    return {}


def delete_user(call: Call) -> dict[str, Any]:
    """Delete a user that has nothing left attached."""
    row = records.find(call, USER, call.params["UserName"])
    if call.store.children(row.arn, KEY):
        raise records.in_use("Cannot delete entity, must delete access keys first.")
    if call.store.children(row.arn, CERTIFICATE):
        raise records.in_use("Cannot delete entity, must delete signing certificates first.")
    if row.work["attached"]:
        raise records.in_use("Cannot delete entity, must detach all policies first.")
    if row.work["inline"]:
        raise records.in_use("Cannot delete entity, must delete policies first.")
    if row.work["groups"]:
        raise records.in_use("Cannot delete entity, must remove users from group first.")
    records.remove(call, row)
    identities(call).withdraw(row.arn)
    return {}


def tag_user(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a user."""
    records.tag(call, records.find(call, USER, call.params["UserName"]))
    return {}


def untag_user(call: Call) -> dict[str, Any]:
    """Remove tags of a user."""
    call.store.untag(records.find(call, USER, call.params["UserName"]).arn, call.params["TagKeys"])
    return {}


def list_user_tags(call: Call) -> dict[str, Any]:
    """Tags of a user."""
    row = records.find(call, USER, call.params["UserName"])
    return records.paged(call, call.store.tags(row.arn), "Tags")


def put_user_permissions_boundary(call: Call) -> dict[str, Any]:
    """Record a permissions boundary."""
    boundary = records.boundary_of(call, call.params["PermissionsBoundary"])
    records.change(call, USER, call.params["UserName"], lambda row: row.with_(body={"PermissionsBoundary": boundary}))
    return {}


def delete_user_permissions_boundary(call: Call) -> dict[str, Any]:
    """Remove the permissions boundary."""
    records.change(call, USER, call.params["UserName"], lambda row: row.with_(body={"PermissionsBoundary": None}))
    return {}


def list_groups_for_user(call: Call) -> dict[str, Any]:
    """The groups that a user is in."""
    row = records.find(call, USER, call.params["UserName"])
    found = (call.store.get(GROUP.kind, call.account, "", name) for name in row.work["groups"])
    return records.paged(call, [group.body for group in found if group is not None], "Groups")


def _follow(call: Call, owned: Row, user: Row) -> None:
    """Have an access key or certificate belong to its renamed user."""

    def read() -> Row:
        found = call.store.get(owned.kind, owned.account, "", owned.name)
        if found is None:
            raise records.missing(f"{owned.name} cannot be found.")
        return found

    records.again(call, read, lambda row: records.owned_by(row, user))
