"""Operations on keys as resources: life, policy, tags, rotation. Called by dispatch; calls keys."""

from __future__ import annotations

from typing import Any

from sagewright.aws.kms import crypto, keys
from sagewright.aws.kms.keys import DAY, KEY
from sagewright.core import policy
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.store import Page, Row

_MAX_TAGS = 50
_MAX_ON_DEMAND = 25


def create_key(call: Call) -> dict[str, Any]:
    """A key with material made here."""
    ask = call.params
    if ask.get("Origin", "AWS_KMS") != "AWS_KMS" or ask.get("CustomKeyStoreId") or ask.get("XksKeyId"):
        raise AwsError("UnsupportedOperationException", "Imported key material and custom key stores are not "
                                                        "supported.")
    spec = ask.get("KeySpec") or ask.get("CustomerMasterKeySpec") or crypto.SYMMETRIC
    usage, possible = ask.get("KeyUsage"), crypto.usages(spec)
    if not possible:
        raise AwsError("UnsupportedOperationException", f"KeySpec {spec} is not supported.")
    if usage is None and spec != crypto.SYMMETRIC:
        raise validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    usage = usage or "ENCRYPT_DECRYPT"
    if usage not in possible:
        raise validation(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    document = ask.get("Policy", "")
    if document:
        _judge(call, document, f"arn:{call.world.config.partition}:kms:{call.region}:{call.account}:key/new")
    row = keys.create(call, ask.get("Description", ""), spec, usage, document=document,
                      multi_region=bool(ask.get("MultiRegion")), tags=_tags(ask.get("Tags") or []))
    return {"KeyMetadata": row.body}


def describe_key(call: Call) -> dict[str, Any]:
    """A key's metadata, never its material."""
    return {"KeyMetadata": keys.find(call, call.params["KeyId"]).body}


def list_keys(call: Call) -> dict[str, Any]:
    """Keys of the account and region."""
    rows = call.store.page(Page(KEY, call.account, call.region, limit=100_000))
    return keys.paged(call, [{"KeyId": row.name, "KeyArn": row.arn} for row in rows], "Keys", 100)


def update_key_description(call: Call) -> dict[str, Any]:
    """Change the description."""
    _change(call, {"Description": call.params["Description"]})
    return {}


def enable_key(call: Call) -> dict[str, Any]:
    """Let a key be used."""
    _change(call, {"KeyState": "Enabled", "Enabled": True})
    return {}


def disable_key(call: Call) -> dict[str, Any]:
    """Keep a key from being used."""
    _change(call, {"KeyState": "Disabled", "Enabled": False})
    return {}


def schedule_key_deletion(call: Call) -> dict[str, Any]:
    """Delete a key after a waiting period, 30 days unless asked otherwise."""
    days = call.params.get("PendingWindowInDays", 30)
    if not 7 <= days <= 30:
        raise validation("PendingWindowInDays must be between 7 and 30")
    row = _change(call, {"KeyState": "PendingDeletion", "Enabled": False, "DeletionDate": call.now + days * DAY})
    return {"KeyId": row.arn, "DeletionDate": row.body["DeletionDate"], "KeyState": "PendingDeletion",
            "PendingWindowInDays": days}


def cancel_key_deletion(call: Call) -> dict[str, Any]:
    """Keep a key that was to be deleted; it comes back disabled."""
    row = keys.customer(keys.find(call, call.params["KeyId"], aliases=False))
    if row.body["KeyState"] != "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{row.arn} is not pending deletion.")
    kept = {"KeyState": "Disabled", "Enabled": False, "DeletionDate": None}
    keys.change(call, row, lambda row: row.with_(body=kept))
    return {"KeyId": row.arn}


# -- policy --------------------------------------------------------------------------------------------------------
def get_key_policy(call: Call) -> dict[str, Any]:
    """The key's policy; it has one, called default."""
    row = keys.find(call, call.params["KeyId"], aliases=False)
    _only_default(call)
    return {"Policy": row.work["policy"], "PolicyName": "default"}


def put_key_policy(call: Call) -> dict[str, Any]:
    """Replace the policy, unless that would lock the caller out."""
    row = keys.customer(keys.find(call, call.params["KeyId"], aliases=False))
    _only_default(call)
    document = call.params["Policy"]
    _judge(call, document, row.arn)
    keys.change(call, row, lambda row: row.with_(work={"policy": document}))
    return {}


def list_key_policies(call: Call) -> dict[str, Any]:
    """The one name."""
    keys.find(call, call.params["KeyId"], aliases=False)
    return {"PolicyNames": ["default"], "Truncated": False}


def _only_default(call: Call) -> None:
    if call.params.get("PolicyName", "default") != "default":
        raise keys.not_found("No such policy exists")


def _judge(call: Call, document: str, resource: str) -> None:
    try:
        statements = policy.statements(document)
    except ValueError:
        raise AwsError("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid "
                                                           "principals.") from None
    if call.params.get("BypassPolicyLockoutSafetyCheck"):
        return
    if policy.evaluate(statements, "kms:PutKeyPolicy", resource, {}, policy.names(call.principal)) != policy.ALLOW:
        raise AwsError("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key "
                                                           "policy in the future.")


# -- tags ----------------------------------------------------------------------------------------------------------
def tag_resource(call: Call) -> dict[str, Any]:
    """Add or overwrite tags of a key."""
    row = keys.customer(keys.find(call, call.params["KeyId"], aliases=False))
    wanted = _tags(call.params["Tags"])
    if len({tag["Key"] for tag in [*call.store.tags(row.arn), *wanted]}) > _MAX_TAGS:
        raise AwsError("LimitExceededException", f"Too many tags: a key has {_MAX_TAGS} at most")
    call.store.tag(row.arn, wanted)
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Remove tags of a key."""
    row = keys.customer(keys.find(call, call.params["KeyId"], aliases=False))
    call.store.untag(row.arn, call.params["TagKeys"])
    return {}


def list_resource_tags(call: Call) -> dict[str, Any]:
    """Tags of a key."""
    row = keys.find(call, call.params["KeyId"], aliases=False)
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in call.store.tags(row.arn)]
    return keys.paged(call, tags, "Tags", 50)


def _tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    if any(tag["TagKey"].lower().startswith("aws:") for tag in tags):
        raise AwsError("TagException", "Tags beginning with aws: are reserved")
    if len({tag["TagKey"] for tag in tags}) != len(tags):
        raise AwsError("TagException", "Duplicate tag keys")
    return [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in tags]


# -- rotation ------------------------------------------------------------------------------------------------------
def enable_key_rotation(call: Call) -> dict[str, Any]:
    """Rotate a symmetric key every so many days, a year unless asked otherwise."""
    row, days = _rotatable(call), call.params.get("RotationPeriodInDays", 365)
    keys.change(call, row, lambda row: row.with_(work={"rotation_days": days,
                                                       "next_rotation": call.now + days * DAY}))
    return {}


def disable_key_rotation(call: Call) -> dict[str, Any]:
    """No more automatic rotation."""
    keys.change(call, _rotatable(call), lambda row: row.with_(work={"rotation_days": None, "next_rotation": None}))
    return {}


def get_key_rotation_status(call: Call) -> dict[str, Any]:
    """Whether and when a key rotates."""
    row = keys.find(call, call.params["KeyId"], aliases=False)
    found: dict[str, Any] = {"KeyId": row.arn, "KeyRotationEnabled": "next_rotation" in row.work}
    if "next_rotation" in row.work:
        found |= {"RotationPeriodInDays": row.work["rotation_days"], "NextRotationDate": row.work["next_rotation"]}
    return found


def rotate_key_on_demand(call: Call) -> dict[str, Any]:
    """Rotate a symmetric key now."""
    row = _rotatable(call)
    if sum(each["RotationType"] == "ON_DEMAND" for each in row.work["rotations"]) >= _MAX_ON_DEMAND:
        raise AwsError("LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. "
                       f"No more on-demand rotations can be performed for this key: {row.arn}")
    keys.rotate(call, row, "ON_DEMAND")
    return {"KeyId": row.arn}


def list_key_rotations(call: Call) -> dict[str, Any]:
    """Rotations that were done."""
    row = keys.find(call, call.params["KeyId"], aliases=False)
    return keys.paged(call, row.work["rotations"], "Rotations", 100)


def _rotatable(call: Call) -> Row:
    row = keys.usable(keys.customer(keys.find(call, call.params["KeyId"], aliases=False)))
    if row.body["KeySpec"] != crypto.SYMMETRIC:
        raise AwsError("UnsupportedOperationException", "")
    return row


def _change(call: Call, body: dict[str, Any]) -> Row:
    """Change members of a customer's key that is not about to go."""
    row = keys.customer(keys.find(call, call.params["KeyId"], aliases=False))
    if row.body["KeyState"] == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{row.arn} is pending deletion.")
    return keys.change(call, row, lambda row: row.with_(body=body))
