"""Operations on groups and who is in them. Called by dispatch. Membership is kept with the user."""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import records
from sagewright.aws.iam.records import GROUP, USER
from sagewright.core.call import Call
from sagewright.core.store import Row

_MAX_GROUPS = 10


def create_group(call: Call) -> dict[str, Any]:
    """A group without members or policies."""
    return {"Group": records.create(call, GROUP, call.params["GroupName"]).body}


def get_group(call: Call) -> dict[str, Any]:
    """A group with its members."""
    row = records.find(call, GROUP, call.params["GroupName"])
    members = [records.listed(user) for user in _members(call, row.name)]
    return {"Group": row.body, **records.paged(call, members, "Users")}


def list_groups(call: Call) -> dict[str, Any]:
    """Groups of the account by name."""
    found = records.entities(call, GROUP, call.params.get("PathPrefix"))
    return records.paged(call, [row.body for row in found], "Groups")


def update_group(call: Call) -> dict[str, Any]:
    """Rename a group or move it to another path; its members stay in it."""
    row = records.find(call, GROUP, call.params["GroupName"])
    name, path = call.params.get("NewGroupName", row.name), call.params.get("NewPath", row.body["Path"])
    records.rename(call, GROUP, row, name, path)
    for user in _members(call, row.name) if name != row.name else ():
        records.change(call, USER, user.name, lambda user: user.with_(
            work={"groups": [name if each == row.name else each for each in user.work["groups"]]}))
    return {}


def delete_group(call: Call) -> dict[str, Any]:
    """Delete a group that is empty and has nothing attached."""
    row = records.find(call, GROUP, call.params["GroupName"])
    if _members(call, row.name):
        raise records.in_use("Cannot delete entity, must remove users from group first.")
    if row.work["attached"]:
        raise records.in_use("Cannot delete entity, must detach all policies first.")
    if row.work["inline"]:
        raise records.in_use("Cannot delete entity, must delete policies first.")
    records.remove(call, row)
    return {}


def add_user_to_group(call: Call) -> dict[str, Any]:
    """Put a user into a group; doing it twice does it once."""
    records.find(call, USER, call.params["UserName"])
    group = records.find(call, GROUP, call.params["GroupName"])

    def join(user: Row) -> Row:
        groups = user.work["groups"]
        if group.name not in groups and len(groups) >= _MAX_GROUPS:
            raise records.over("GroupsPerUser", _MAX_GROUPS)
        return user if group.name in groups else user.with_(work={"groups": [*groups, group.name]})

    records.change(call, USER, call.params["UserName"], join)
    return {}


def remove_user_from_group(call: Call) -> dict[str, Any]:
    """Take a user out of a group."""
    group = records.find(call, GROUP, call.params["GroupName"])

    def leave(user: Row) -> Row:
        if group.name not in user.work["groups"]:
            raise records.missing(f"User {user.name} not in group {group.name}")
        return user.with_(work={"groups": [each for each in user.work["groups"] if each != group.name]})

    records.change(call, USER, call.params["UserName"], leave)
    return {}


def _members(call: Call, group: str) -> list[Row]:
    return [user for user in records.entities(call, USER) if group in user.work["groups"]]
