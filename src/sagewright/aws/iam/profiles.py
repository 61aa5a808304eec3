"""Operations on instance profiles: the wrapper in which EC2 takes a role. Called by dispatch."""

from __future__ import annotations

from typing import Any

from sagewright.aws.iam import records
from sagewright.aws.iam.records import PROFILE, ROLE
from sagewright.core.call import Call
from sagewright.core.store import Row


def create_instance_profile(call: Call) -> dict[str, Any]:
    """A profile without a role."""
    row = records.create(call, PROFILE, call.params["InstanceProfileName"], work={"roles": []})
    return {"InstanceProfile": records.profile(call, row)}


def get_instance_profile(call: Call) -> dict[str, Any]:
    """A profile with its role."""
    return {"InstanceProfile": records.profile(call, _find(call))}


def list_instance_profiles(call: Call) -> dict[str, Any]:
    """Profiles of the account by name."""
    found = records.entities(call, PROFILE, call.params.get("PathPrefix"))
    return records.paged(call, [records.profile(call, row) for row in found], "InstanceProfiles")


def list_instance_profiles_for_role(call: Call) -> dict[str, Any]:
    """The profiles that hold a role."""
    role = records.find(call, ROLE, call.params["RoleName"])
    found = [records.profile(call, row) for row in records.entities(call, PROFILE) if role.name in row.work["roles"]]
    return records.paged(call, found, "InstanceProfiles")


def delete_instance_profile(call: Call) -> dict[str, Any]:
    """Delete a profile that holds no role."""
    row = _find(call)
    if row.work["roles"]:
        raise records.in_use("Cannot delete entity, must remove roles from instance profile first.")
    records.remove(call, row)
    return {}


def add_role_to_instance_profile(call: Call) -> dict[str, Any]:
    """Put a role into a profile, which holds one."""
    role = records.find(call, ROLE, call.params["RoleName"])

    def hold(row: Row) -> Row:
        if row.work["roles"]:
            raise records.over("InstanceSessionsPerInstanceProfile", 1)
        return row.with_(work={"roles": [role.name]})

    records.change(call, PROFILE, call.params["InstanceProfileName"], hold)
    return {}


def remove_role_from_instance_profile(call: Call) -> dict[str, Any]:
    """Take the role out of a profile."""
    name = call.params["RoleName"]

    def drop(row: Row) -> Row:
        if name not in row.work["roles"]:
            raise records.missing(ROLE.missing.format(name))
        return row.with_(work={"roles": []})

    records.change(call, PROFILE, call.params["InstanceProfileName"], drop)
    return {}


def tag_instance_profile(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a profile."""
    records.tag(call, _find(call))
    return {}


def untag_instance_profile(call: Call) -> dict[str, Any]:
    """Remove tags of a profile."""
    call.store.untag(_find(call).arn, call.params["TagKeys"])
    return {}


def list_instance_profile_tags(call: Call) -> dict[str, Any]:
    """Tags of a profile."""
    return records.paged(call, call.store.tags(_find(call).arn), "Tags")


def _find(call: Call) -> Row:
    return records.find(call, PROFILE, call.params["InstanceProfileName"])
