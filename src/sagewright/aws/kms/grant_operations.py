"""Operations on grants: who may use a key without its policy saying so. Called by dispatch; calls keys."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from sagewright.aws.kms import keys
from sagewright.aws.kms.keys import GRANT
from sagewright.core import policy
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.store import Row

_MEMBERS = ("GranteePrincipal", "GranteeServicePrincipal", "RetiringPrincipal", "RetiringServicePrincipal",
            "Operations", "Constraints", "Name")


def create_grant(call: Call) -> dict[str, Any]:
    """Let a principal do some operations with a key. A grant with a name is made once."""
    key = keys.usable(keys.customer(keys.find(call, call.params["KeyId"], aliases=False)))
    ask = {member: value for member, value in call.params.items()
           if member in _MEMBERS}
    if not {"GranteePrincipal", "GranteeServicePrincipal"} & set(ask):
        raise validation("Either GranteePrincipal or GranteeServicePrincipal is required.")
    if call.params.get("DryRun"):
        raise AwsError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.",
                       412)
    for row in call.store.children(key.arn, GRANT) if "Name" in ask else ():
        if all(row.body.get(member) == ask.get(member) for member in _MEMBERS):
            return {"GrantToken": row.work["token"], "GrantId": row.name}
    grant_id = secrets.token_hex(32)
    body = {"KeyId": key.arn, "GrantId": grant_id, **ask, "CreationDate": call.now,
            "IssuingAccount": f"arn:{call.world.config.partition}:iam::{call.account}:root"}
    token = base64.urlsafe_b64encode(secrets.token_bytes(96)).decode()
    call.store.insert(Row(GRANT, call.account, call.region, grant_id, f"{key.arn}/grant/{grant_id}", body,
                          owner=key.arn, work={"token": token}))
    return {"GrantToken": token, "GrantId": grant_id}


def list_grants(call: Call) -> dict[str, Any]:
    """Grants of a key."""
    key = keys.find(call, call.params["KeyId"], aliases=False)
    wanted = {member: call.params[member] for member in ("GrantId", "GranteePrincipal") if member in call.params}
    found = [row.body for row in call.store.children(key.arn, GRANT)
             if all(row.body.get(member) == value for member, value in wanted.items())]
    return keys.paged(call, found, "Grants", 50)


def list_retirable_grants(call: Call) -> dict[str, Any]:
    """Grants that a principal may retire."""
    wanted = {member: call.params[member] for member in ("RetiringPrincipal", "RetiringServicePrincipal")
              if member in call.params}
    if not wanted:
        raise validation("Either RetiringPrincipal or RetiringServicePrincipal is required.")
    found = [row.body for row in call.store.all(GRANT, call.account) if row.region == call.region
             and all(row.body.get(member) == value for member, value in wanted.items())]
    return keys.paged(call, found, "Grants", 50)


def revoke_grant(call: Call) -> dict[str, Any]:
    """Take a grant back."""
    key = keys.find(call, call.params["KeyId"], aliases=False)
    row = call.store.get(GRANT, call.account, call.region, call.params["GrantId"])
    if row is None or row.owner != key.arn:
        raise keys.not_found(f"Grant ID {call.params['GrantId']} not found")
    keys.remove(call, row)
    return {}


def retire_grant(call: Call) -> dict[str, Any]:
    """Give a grant up, as its retiring or grantee principal or the account."""
    token, grant_id = call.params.get("GrantToken"), call.params.get("GrantId")
    if token is None and (grant_id is None or "KeyId" not in call.params):
        raise validation("A grant token or a key ID with a grant ID is required.")
    for row in call.store.all(GRANT, call.account):
        if row.region == call.region and (row.work["token"] == token if token is not None else row.name == grant_id):
            known = set(policy.names(call.principal)["AWS"])
            root = row.body["IssuingAccount"]
            if not known & {row.body.get("GranteePrincipal", root), row.body.get("RetiringPrincipal", root), root}:
                raise AwsError("AccessDeniedException", f"User: {call.principal.arn} is not authorized to perform: "
                                                        f"kms:RetireGrant on resource: {row.owner}")
            keys.remove(call, row)
            return {}
    raise keys.not_found("Invalid grant token" if token is not None else f"Grant ID {grant_id} not found")
