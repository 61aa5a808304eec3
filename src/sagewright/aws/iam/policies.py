"""Operations on managed policies, their versions and tags. Called by dispatch; calls records, grammar and managed.

A customer policy is a row whose `work` holds `versions` (newest last) and `next`, the number of the next version.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sagewright.aws.iam import grammar, managed, records, usage
from sagewright.aws.iam.records import POLICY
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row

_MAX_SIZE = 6144
_MAX_VERSIONS = 5


def create_policy(call: Call) -> dict[str, Any]:
    """A managed policy of the account, as its version v1."""
    document = _judged(call.params["PolicyDocument"])
    now = int(call.now)
    members = {"DefaultVersionId": "v1", "UpdateDate": now}
    if description := call.params.get("Description"):
        members["Description"] = description
    version = {"VersionId": "v1", "Document": document, "CreateDate": now}
    row = records.create(call, POLICY, call.params["PolicyName"], members, {"versions": [version], "next": 2})
    return {"Policy": _described(call, row, Counter(), Counter(), {
        member: value for member, value in records.described(call, row).items() if member != "Description"})}


def get_policy(call: Call) -> dict[str, Any]:
    """A policy by ARN, with how many entities use it."""
    row = _find(call)
    attached, boundaries = usage.counts(call)
    return {"Policy": _described(call, row, attached, boundaries, {"Tags": [], **records.described(call, row)})}


def list_policies(call: Call) -> dict[str, Any]:
    """Policies of the account and of AWS."""
    scope, prefix = call.params.get("Scope", "All"), call.params.get("PathPrefix") or "/"
    rows = [] if scope == "AWS" else call.store.all(POLICY.kind, call.account)
    rows += [] if scope == "Local" else managed.every(call.world.config.partition)
    attached, boundaries = usage.counts(call)
    wanted = {"PermissionsPolicy": attached, "PermissionsBoundary": boundaries}.get(
        call.params.get("PolicyUsageFilter", ""))
    if wanted is None and call.params.get("OnlyAttached"):
        wanted = attached
    found = [_described(call, row, attached, boundaries, {k: v for k, v in row.body.items() if k != "Description"})
             for row in sorted(rows, key=lambda row: row.name)
             if row.body["Path"].startswith(prefix) and (wanted is None or wanted[row.arn])]
    return records.paged(call, found, "Policies")


def delete_policy(call: Call) -> dict[str, Any]:
    """Delete a policy that nothing uses and that has one version."""
    row = _own(call)
    if any(count[row.arn] for count in usage.counts(call)):
        raise records.in_use("Cannot delete a policy attached to entities.")
    if len(row.work["versions"]) > 1:
        raise records.in_use("This policy has more than one version. Before you delete a policy, you must delete the "
                             "policy's versions. The default version is deleted with the policy.")
    records.remove(call, row)
    return {}


# -- versions ------------------------------------------------------------------------------------------------------
def create_policy_version(call: Call) -> dict[str, Any]:
    """A further version, the default one if asked."""
    document = _judged(call.params["PolicyDocument"])
    made: dict[str, Any] = {}

    def add(row: Row) -> Row:
        if len(row.work["versions"]) >= _MAX_VERSIONS:
            raise AwsError("LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new "
                           "version, you must delete an existing version.", 409)
        made.update(VersionId=f"v{row.work['next']}", Document=document, CreateDate=int(call.now))
        body = {"UpdateDate": int(call.now)}
        if call.params.get("SetAsDefault"):
            body["DefaultVersionId"] = made["VersionId"]
        return row.with_(body=body, work={"versions": [*row.work["versions"], dict(made)],
                                          "next": row.work["next"] + 1})

    row = records.change(call, POLICY, _own(call).name, add)
    return {"PolicyVersion": _version(row, made, with_document=False)}


def get_policy_version(call: Call) -> dict[str, Any]:
    """One version with its document."""
    row = _find(call)
    return {"PolicyVersion": _version(row, _numbered(row, call.params["VersionId"]), with_document=True)}


def list_policy_versions(call: Call) -> dict[str, Any]:
    """Versions, newest first."""
    row = _find(call)
    found = [_version(row, version, with_document=False) for version in reversed(row.work["versions"])]
    return records.paged(call, found, "Versions")


def set_default_policy_version(call: Call) -> dict[str, Any]:
    """Make a version the one in force."""

    def choose(row: Row) -> Row:
        version = _numbered(row, call.params["VersionId"])["VersionId"]
        return row.with_(body={"DefaultVersionId": version, "UpdateDate": int(call.now)})

    records.change(call, POLICY, _own(call).name, choose)
    return {}


def delete_policy_version(call: Call) -> dict[str, Any]:
    """Delete a version that is not the default one."""

    def drop(row: Row) -> Row:
        version = _numbered(row, call.params["VersionId"])
        if version["VersionId"] == row.body["DefaultVersionId"]:
            raise records.in_use("Cannot delete the default version of a policy.")
        return row.with_(work={"versions": [each for each in row.work["versions"] if each != version]})

    records.change(call, POLICY, _own(call).name, drop)
    return {}


# -- tags ----------------------------------------------------------------------------------------------------------
def tag_policy(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a policy."""
    records.tag(call, _own(call))
    return {}


def untag_policy(call: Call) -> dict[str, Any]:
    """Remove tags of a policy."""
    call.store.untag(_own(call).arn, call.params["TagKeys"])
    return {}


def list_policy_tags(call: Call) -> dict[str, Any]:
    """Tags of a policy."""
    return records.paged(call, call.store.tags(_find(call).arn), "Tags")


# -- shared --------------------------------------------------------------------------------------------------------
def _find(call: Call) -> Row:
    arn = call.params["PolicyArn"]
    row = usage.policy(call, arn)
    if row is None:
        raise records.missing(f"Policy {arn} was not found.")
    return row


def _own(call: Call) -> Row:
    """The policy, if the account may change it."""
    row = _find(call)
    if row.account == "aws":
        raise AwsError("AccessDenied", f"User: {call.principal.arn} is not authorized to perform: "
                       f"iam:{call.operation} on resource: policy {row.arn}", 403)
    return row


def _judged(document: str) -> str:
    if len("".join(document.split())) > _MAX_SIZE:
        raise records.over("PolicySize", _MAX_SIZE)
    grammar.check(document)
    return document


def _described(call: Call, row: Row, attached: Counter[str], boundaries: Counter[str],
               body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "AttachmentCount": attached[row.arn], "PermissionsBoundaryUsageCount": boundaries[row.arn],
            "IsAttachable": True}


def _numbered(row: Row, version: str) -> dict[str, Any]:
    for each in row.work["versions"]:
        if each["VersionId"] == version:
            return each
    raise records.missing(f"Policy {row.arn} version {version} does not exist or is not attachable.")


def _version(row: Row, version: dict[str, Any], with_document: bool) -> dict[str, Any]:
    found = {**version, "IsDefaultVersion": version["VersionId"] == row.body["DefaultVersionId"]}
    document = found.pop("Document")
    return {"Document": records.encoded(document), **found} if with_document else found
