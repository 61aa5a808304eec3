"""Access control lists: canned names, grant headers and documents turned into grants, and what grants allow.

An ACL is kept as AWS's list of grants. Called by `access` and by every operation that takes an ACL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sagewright.core.call import Principal
from sagewright.core.errors import AwsError

Grants = list[dict[str, Any]]
_GROUPS = "http://acs.amazonaws.com/groups/"
EVERYONE, SIGNED_IN = _GROUPS + "global/AllUsers", _GROUPS + "global/AuthenticatedUsers"
LOGGERS = _GROUPS + "s3/LogDelivery"
_PUBLIC = {EVERYONE, SIGNED_IN}
_PERMISSIONS = {"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"}
_CANNED: dict[str, tuple[tuple[str, str], ...]] = {
    "private": (), "public-read": ((EVERYONE, "READ"),), "public-read-write": ((EVERYONE, "READ"), (EVERYONE, "WRITE")),
    "authenticated-read": ((SIGNED_IN, "READ"),), "aws-exec-read": (),
    "log-delivery-write": ((LOGGERS, "WRITE"), (LOGGERS, "READ_ACP")),
    "bucket-owner-read": (("owner", "READ"),), "bucket-owner-full-control": (("owner", "FULL_CONTROL"),),
}
_HEADERS = {"GrantFullControl": ("FULL_CONTROL", "x-amz-grant-full-control"), "GrantRead": ("READ", "x-amz-grant-read"),
            "GrantWrite": ("WRITE", "x-amz-grant-write"), "GrantReadACP": ("READ_ACP", "x-amz-grant-read-acp"),
            "GrantWriteACP": ("WRITE_ACP", "x-amz-grant-write-acp")}


def canonical_id(account: str) -> str:
    """The canonical user id of an account: 64 hexadecimal characters, the same for ever."""
    return hashlib.sha256(f"canonical user {account}".encode()).hexdigest()


def owner(account: str) -> dict[str, str]:
    """The Owner structure of an account. AWS stopped sending DisplayName in 2025."""
    return {"ID": canonical_id(account)}


def _user(identifier: str) -> dict[str, str]:
    return {"ID": identifier, "Type": "CanonicalUser"}


def _group(uri: str) -> dict[str, str]:
    return {"URI": uri, "Type": "Group"}


def private(account: str) -> Grants:
    """The ACL that everything starts with."""
    return [{"Grantee": _user(canonical_id(account)), "Permission": "FULL_CONTROL"}]


def asked(params: Mapping[str, Any], account: str, bucket_account: str) -> Grants | None:
    """The grants that a request asks for by canned name or by headers; None if it names none."""
    canned = params.get("ACL")
    headers = {name: params[name] for name in _HEADERS if params.get(name)}
    if canned and headers:
        raise AwsError("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    if canned:
        return _from_canned(str(canned), account, bucket_account)
    if not headers:
        return None
    return [grant for name, value in headers.items() for grant in _from_header(name, str(value))]


def _from_canned(name: str, account: str, bucket_account: str) -> Grants:
    if name not in _CANNED:
        raise AwsError("InvalidArgument", "", 400, {"ArgumentName": "x-amz-acl", "ArgumentValue": name})
    grants = private(account)
    for grantee, permission in _CANNED[name]:
        if grantee != "owner":
            grants.append({"Grantee": _group(grantee), "Permission": permission})
        elif bucket_account != account:
            grants.append({"Grantee": _user(canonical_id(bucket_account)), "Permission": permission})
    return grants


def _from_header(name: str, value: str) -> Grants:
    permission, header = _HEADERS[name]
    grants: Grants = []
    for item in value.split(","):
        found = re.fullmatch(r'\s*(id|uri|emailAddress)\s*=\s*"?([^"]*)"?\s*', item)
        if found is None:
            raise AwsError("InvalidArgument", "Argument format not recognized", 400,
                           {"ArgumentName": header, "ArgumentValue": value})
        grants.append({"Grantee": _grantee(found[1], found[2], "id", "uri"), "Permission": permission})
    return grants


def _grantee(kind: str, value: str, id_name: str, uri_name: str) -> dict[str, str]:
    if kind == "id":
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise AwsError("InvalidArgument", "Invalid id", 400, {"ArgumentName": id_name, "ArgumentValue": value})
        return _user(value)
    if kind == "uri":
        if value not in {EVERYONE, SIGNED_IN, LOGGERS}:
            raise AwsError("InvalidArgument", "Invalid group uri", 400,
                           {"ArgumentName": uri_name, "ArgumentValue": value})
        return _group(value)
    raise AwsError("UnresolvableGrantByEmailAddress", "The e-mail address you provided does not match any account on "
                   "record.")


def document(policy: Mapping[str, Any], account: str) -> Grants:
    """The grants of an AccessControlPolicy document, checked."""
    malformed = AwsError("MalformedACLError", "The XML you provided was not well-formed or did not validate against "
                         "our published schema")
    named = (policy.get("Owner") or {}).get("ID")
    if not named or policy.get("Grants") is None:
        raise malformed
    if named != canonical_id(account):
        if not re.fullmatch(r"[0-9a-f]{64}", str(named)):
            raise AwsError("InvalidArgument", "Invalid id", 400,
                           {"ArgumentName": "CanonicalUser/ID", "ArgumentValue": str(named)})
        raise AwsError("AccessDenied", "Access Denied", 403)
    grants: Grants = []
    for grant in policy["Grants"]:
        grantee = grant.get("Grantee") or {}
        if grant.get("Permission") not in _PERMISSIONS or not grantee:
            raise malformed
        kind, member = {"CanonicalUser": ("id", "ID"), "Group": ("uri", "URI")}.get(
            str(grantee.get("Type")), ("email", "EmailAddress"))
        grants.append({"Grantee": _grantee(kind, str(grantee.get(member, "")), "CanonicalUser/ID", "Group/URI"),
                       "Permission": grant["Permission"]})
    return grants


def is_public(grants: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a grant reaches everyone or every AWS account."""
    return any(grant["Grantee"].get("URI") in _PUBLIC for grant in grants)


def allows(grants: Sequence[Mapping[str, Any]], who: Principal, permission: str, public: bool = True) -> bool:
    """Whether the grants give that permission; `public=False` leaves out what everyone is granted."""
    signed_in = who.account != "anonymous"
    mine = canonical_id(who.account)
    for grant in grants:
        if grant["Permission"] not in (permission, "FULL_CONTROL"):
            continue
        grantee = grant["Grantee"]
        uri = grantee.get("URI")
        if signed_in and grantee.get("ID") == mine:
            return True
        if public and (uri == EVERYONE or (uri == SIGNED_IN and signed_in)):
            return True
    return False
