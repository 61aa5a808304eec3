"""Rows of IAM: how entities are named, found, made, changed and listed, with AWS's words for what goes wrong.

Called by this room's operations; calls the store. `body` is what Get answers; `work` holds what hangs on the entity:
`inline` (name -> document), `attached` (policy ARNs), `groups` (of a user), `roles` (of an instance profile).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from sagewright.core import ids
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Row

_RETRIES = 20
_MAX_TAGS = 50


@dataclass(frozen=True)
class Entity:
    """One kind of IAM entity: its row kind, name and id members, id prefix, ARN resource, and its error texts."""

    kind: str
    name: str
    id: str
    prefix: str
    resource: str
    missing: str
    exists: str


USER = Entity("iam:User", "UserName", "UserId", "AIDA", "user",
              "The user with name {} cannot be found.", "User with name {} already exists.")
GROUP = Entity("iam:Group", "GroupName", "GroupId", "AGPA", "group",
               "The group with name {} cannot be found.", "Group with name {} already exists.")
ROLE = Entity("iam:Role", "RoleName", "RoleId", "AROA", "role",
              "The role with name {} cannot be found.", "Role with name {} already exists.")
PROFILE = Entity("iam:InstanceProfile", "InstanceProfileName", "InstanceProfileId", "AIPA", "instance-profile",
                 "Instance Profile {} cannot be found.", "Instance Profile {} already exists.")
POLICY = Entity("iam:Policy", "PolicyName", "PolicyId", "ANPA", "policy",
                "Policy {} was not found.", "A policy called {} already exists. Duplicate names are not allowed.")
KEY = "iam:AccessKey"
CERTIFICATE = "iam:SigningCertificate"


# -- errors --------------------------------------------------------------------------------------------------------
def missing(message: str) -> AwsError:
    """NoSuchEntity with this message."""
    return AwsError("NoSuchEntity", message, 404)


def taken(message: str) -> AwsError:
    """EntityAlreadyExists with this message."""
    return AwsError("EntityAlreadyExists", message, 409)


def in_use(message: str) -> AwsError:
    """DeleteConflict with this message."""
    return AwsError("DeleteConflict", message, 409)


def over(quota: str, limit: int) -> AwsError:
    """LimitExceeded in IAM's usual words."""
    return AwsError("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}", 409)


def invalid(message: str) -> AwsError:
    """ValidationError: IAM's name for it, without the Exception."""
    return AwsError("ValidationError", message)


# -- one entity ----------------------------------------------------------------------------------------------------
def arn(call: Call, entity: Entity, path: str, name: str) -> str:
    """The ARN of an entity of the caller's account."""
    return f"arn:{call.world.config.partition}:iam::{call.account}:{entity.resource}{path}{name}"


def find(call: Call, entity: Entity, name: str) -> Row:
    """The entity of that name, or NoSuchEntity."""
    row = call.store.get(entity.kind, call.account, "", name)
    if row is None:
        raise missing(entity.missing.format(name))
    return row


def create(call: Call, entity: Entity, name: str, members: dict[str, Any] | None = None,
           work: dict[str, Any] | None = None, path: str = "") -> Row:
    """A new entity from the request's Path, Tags, PermissionsBoundary and the given members."""
    path = checked_path(path or call.params.get("Path") or "/")
    tags = checked_tags(call.params.get("Tags") or [])
    body = {"Path": path, entity.name: name, entity.id: ids.iam_id(entity.prefix) + "A",
            "Arn": arn(call, entity, path, name), "CreateDate": int(call.now), **(members or {})}
    if boundary := call.params.get("PermissionsBoundary"):
        body["PermissionsBoundary"] = boundary_of(call, boundary)
    try:
        return call.store.insert(Row(entity.kind, call.account, "", name, body["Arn"], body,
                                     work={"inline": {}, "attached": [], **(work or {})}), tags)
    except Conflict:
        raise taken(entity.exists.format(name)) from None


def change(call: Call, entity: Entity, name: str, step: Callable[[Row], Row]) -> Row:
    """Read, change and store one entity, again if somebody else was quicker."""
    return again(call, lambda: find(call, entity, name), step)


def again(call: Call, read: Callable[[], Row], step: Callable[[Row], Row]) -> Row:
    """Read, change and store whatever `read` finds, again if somebody else was quicker."""
    for _ in range(_RETRIES):
        row = read()
        try:
            return call.store.update(step(row))
        except Conflict:
            continue
    raise AwsError("ConcurrentModification", f"{row.name} is being changed by others.", 409)


def rename(call: Call, entity: Entity, row: Row, name: str, path: str) -> Row:
    """The same entity under another name or path; its tags move along."""
    if name != row.name and call.store.get(entity.kind, call.account, "", name) is not None:
        raise taken(entity.exists.format(name))
    renamed = arn(call, entity, checked_path(path), name)
    moved = replace(row, name=name, arn=renamed, body={**row.body, entity.name: name, "Path": path, "Arn": renamed})
    try:
        after = call.store.update(moved)
    except Conflict:
        raise AwsError("ConcurrentModification", f"{row.name} is being changed by others.", 409) from None
    except sa.exc.IntegrityError:
        raise taken(entity.exists.format(name)) from None
    if renamed != row.arn and (tags := call.store.tags(row.arn)):
        call.store.tag(renamed, tags)
        call.store.untag(row.arn, [tag["Key"] for tag in tags])
    return after


def remove(call: Call, row: Row) -> None:
    """Delete the row; ConcurrentModification if it changed since it was judged deletable."""
    try:
        call.store.delete(row)
    except Conflict:
        raise AwsError("ConcurrentModification", f"{row.name} is being changed by others.", 409) from None


def described(call: Call, row: Row) -> dict[str, Any]:
    """What Get answers: the body with its documents encoded and its tags."""
    found = listed(row)
    if "PermissionsBoundary" in row.body:
        found["PermissionsBoundary"] = row.body["PermissionsBoundary"]
    tags = call.store.tags(row.arn)
    return {**found, "Tags": tags} if tags else found


def listed(row: Row) -> dict[str, Any]:
    """What List answers: the body with its trust policy encoded, without boundary and tags."""
    body = {member: value for member, value in row.body.items() if member != "PermissionsBoundary"}
    if "AssumeRolePolicyDocument" in body:
        body["AssumeRolePolicyDocument"] = encoded(body["AssumeRolePolicyDocument"])
    return body


def encoded(document: str) -> str:
    """A policy document as IAM sends it: percent-encoded."""
    return quote(document, safe="")


# -- what requests carry -------------------------------------------------------------------------------------------
def checked_path(path: str) -> str:
    """The path, which begins and ends with a slash."""
    if not (path.startswith("/") and path.endswith("/")) or "//" in path:
        raise invalid("The specified value for path is invalid. It must begin and end with / and contain only "
                      "alphanumeric characters and/or / characters.")
    return path


def checked_tags(tags: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The tags, whose keys differ by more than case."""
    keys = [tag["Key"].lower() for tag in tags]
    if len(set(keys)) != len(keys):
        raise AwsError("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in keys):
        raise AwsError("InvalidInput", "Tag keys that start with aws: are reserved for AWS use.")
    return list(tags)


def tag(call: Call, row: Row) -> None:
    """Add the request's tags to the entity."""
    wanted = checked_tags(call.params["Tags"])
    present = call.store.tags(row.arn)
    if len({each["Key"] for each in [*present, *wanted]}) > _MAX_TAGS:
        raise AwsError("LimitExceeded", "The number of tags has reached the maximum limit.", 409)
    call.store.tag(row.arn, wanted)


def boundary_of(call: Call, policy_arn: str) -> dict[str, str]:
    """The PermissionsBoundary member for that policy ARN."""
    parts = policy_arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("policy/"):
        raise invalid(f"Value ({policy_arn}) for parameter PermissionsBoundary is invalid.")
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy_arn}


# -- lists ---------------------------------------------------------------------------------------------------------
def paged(call: Call, items: Sequence[Any], member: str, limit: int = 100) -> dict[str, Any]:
    """One page of `items` under `member`, by the request's Marker and MaxItems."""
    start = _position(call.params.get("Marker"))
    end = start + (call.params.get("MaxItems") or limit)
    answer: dict[str, Any] = {member: list(items[start:end]), "IsTruncated": end < len(items)}
    if end < len(items):
        answer["Marker"] = base64.urlsafe_b64encode(f"at:{end}".encode()).decode()
    return answer


def _position(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        label, _, number = base64.urlsafe_b64decode(marker).decode().partition(":")
        if label == "at" and number.isdecimal():
            return int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise invalid("Invalid Marker.")


def entities(call: Call, entity: Entity, prefix: str | None = None) -> list[Row]:
    """Every entity of the account whose path starts so, by name."""
    found = call.store.all(entity.kind, call.account)
    return sorted((row for row in found if row.body["Path"].startswith(prefix or "/")), key=lambda row: row.name)


def owned_by(row: Row, user: Row) -> Row:
    """The row of an access key or certificate after its user was renamed."""
    return replace(row, owner=user.arn, body={**row.body, "UserName": user.name})


def refuse_service_linked(row: Row) -> None:
    """Refuse changes to a role that belongs to a service."""
    if row.kind == ROLE.kind and row.body["Path"].startswith("/aws-service-role/"):
        service = row.body["Path"].split("/")[2]
        raise AwsError("UnmodifiableEntity", f"Cannot perform the operation on the protected role '{row.name}' - this "
                                             f"role is only modifiable by AWS ({service})")


def profile(call: Call, row: Row) -> dict[str, Any]:
    """An instance profile with its roles."""
    roles = (call.store.get(ROLE.kind, call.account, "", name) for name in row.work["roles"])
    return {"Tags": [], **described(call, row), "Roles": [listed(role) for role in roles if role is not None]}
