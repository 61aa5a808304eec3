"""Operations on aliases. Called by dispatch; calls keys."""

from __future__ import annotations

import re
from typing import Any

from sagewright.aws.kms import keys
from sagewright.aws.kms.keys import ALIAS, AWS_KEYS
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.store import Page, Row

_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def create_alias(call: Call) -> dict[str, Any]:
    """A further name for a key."""
    alias, target = _checked(call.params["AliasName"]), call.params["TargetKeyId"]
    if ":" in alias or not _NAME.fullmatch(alias):
        raise validation(f"{alias} contains invalid characters for an alias")
    keys.put_alias(call, alias, _target(call, target).name)
    return {}


def update_alias(call: Call) -> dict[str, Any]:
    """Point an alias at another key of the same kind."""
    row, key = _find(call), _target(call, call.params["TargetKeyId"])
    changed = {"TargetKeyId": key.name, "LastUpdatedDate": call.now}
    keys.change(call, row, lambda row: Row(**{**vars(row), "body": {**row.body, **changed}, "owner": key.arn}))
    return {}


def delete_alias(call: Call) -> dict[str, Any]:
    """Remove the name; the key stays."""
    keys.remove(call, _find(call))
    return {}


def list_aliases(call: Call) -> dict[str, Any]:
    """Aliases of the account and region, those of AWS's services included."""
    found = {row.name: row.body for row in call.store.page(Page(ALIAS, call.account, call.region, limit=100_000))}
    if key_id := call.params.get("KeyId"):
        name = keys.find(call, key_id, aliases=False).name
        found = {alias: body for alias, body in found.items() if body["TargetKeyId"] == name}
    else:
        for service in AWS_KEYS:
            alias = f"alias/aws/{service}"
            found.setdefault(alias, {"AliasName": alias, "AliasArn": keys.arn(call, alias)})
    return keys.paged(call, [found[alias] for alias in sorted(found)], "Aliases", 50)


def _checked(alias: str) -> str:
    """The name, if users may have such a name."""
    if not alias.startswith("alias/") or alias == "alias/":
        raise validation("Invalid identifier")
    if alias.startswith("alias/aws/") or alias == "alias/aws":
        raise AwsError("NotAuthorizedException", "")
    return alias


def _target(call: Call, key_id: str) -> Row:
    if key_id.startswith("alias/") or ":alias/" in key_id:
        raise validation("Aliases must refer to keys. Not aliases")
    row = keys.customer(keys.find(call, key_id, aliases=False))
    if row.body["KeyState"] == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{row.arn} is pending deletion.")
    return row


def _find(call: Call) -> Row:
    alias = _checked(call.params["AliasName"])
    row = call.store.get(ALIAS, call.account, call.region, alias)
    if row is None:
        raise keys.not_found(f"Alias {keys.arn(call, alias)} is not found.")
    return row
