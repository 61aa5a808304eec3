"""Rows of KMS: how keys and aliases are named, found, made and guarded, with AWS's words.

Called by this room's operations; calls the store, crypto and core/policy.py. A key's `body` is its KeyMetadata; `work`
holds `material` (id -> base64), `current`, `policy` and the rotation settings.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sagewright.aws.kms import crypto
from sagewright.core import policy
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Row

KEY, ALIAS, GRANT = "kms:Key", "kms:Alias", "kms:Grant"
DAY = 86400
_RETRIES = 20
_ID = re.compile(r"(mrk-[0-9a-f]{32})|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# AWS services that bring a key of their own: alias/aws/NAME -> what its description says it protects
AWS_KEYS = {"acm": "private keys", "athena": "Athena results", "dynamodb": "DynamoDB data", "ebs": "EBS volumes",
            "ecr": "ECR repositories", "elasticfilesystem": "EFS file systems", "fsx": "FSx resources",
            "glue": "Glue data", "kinesis": "Kinesis streams", "lambda": "Lambda functions",
            "rds": "RDS database volumes", "redshift": "Redshift clusters", "s3": "S3 objects",
            "sagemaker": "SageMaker data", "secretsmanager": "Secrets Manager secrets", "sns": "SNS data",
            "sqs": "SQS messages", "ssm": "SSM parameters"}


def not_found(message: str) -> AwsError:
    """NotFoundException with this message."""
    return AwsError("NotFoundException", message)


def arn(call: Call, resource: str) -> str:
    """The ARN of a key or alias of the caller's account and region."""
    return f"arn:{call.world.config.partition}:kms:{call.region}:{call.account}:{resource}"


# -- finding -------------------------------------------------------------------------------------------------------
def find(call: Call, key_id: str, aliases: bool = True, action: str = "") -> Row:
    """The key that a KeyId means (id, key ARN, alias name, alias ARN), if the caller may do this with it."""
    row = _resolve(call, key_id, aliases)
    authorize(call, row, action or call.operation)
    return row


def _resolve(call: Call, key_id: str, aliases: bool) -> Row:
    name = key_id
    if key_id.startswith("arn:"):
        parts = key_id.split(":", 5)
        if len(parts) != 6 or parts[2] != "kms" or not parts[5].startswith(("key/", "alias/")):
            raise AwsError("InvalidArnException", f"Invalid arn {key_id}")
        if parts[3] != call.region:
            raise not_found(f"Invalid arn {parts[3]}")
        if parts[4] != call.account:
            return _foreign(call, key_id)
        name = parts[5].removeprefix("key/")
    if name.startswith("alias/"):
        if not aliases:
            raise not_found(f"Invalid keyId {key_id}") if not key_id.startswith("arn:") \
                else AwsError("InvalidArnException", f"{key_id} is not a key ARN")
        return _behind(call, name)
    if not _ID.fullmatch(name):
        raise not_found(f"Invalid keyId '{key_id}'")
    row = call.store.get(KEY, call.account, call.region, name)
    if row is None or _ended(call, row):
        raise not_found(f"Key '{arn(call, 'key/' + name)}' does not exist")
    return row


def _foreign(call: Call, arn_: str) -> Row:
    """A key of another account by ARN, or the key behind such an alias; whether it may be used, its policy says."""
    row = call.store.by_arn(arn_)
    if row is not None and row.kind == ALIAS:
        row = call.store.get(KEY, row.account, row.region, row.body["TargetKeyId"])
    if row is None or row.kind != KEY or _ended(call, row):
        what = "Alias {} is not found." if ":alias/" in arn_ else "Key '{}' does not exist"
        raise not_found(what.format(arn_))
    return row


def _behind(call: Call, alias: str) -> Row:
    """The key behind an alias; a service's own key comes into being when it is first asked for."""
    row = call.store.get(ALIAS, call.account, call.region, alias)
    service = alias.removeprefix("alias/aws/")
    if row is None and service in AWS_KEYS and service != alias:
        made = create(call, f"Default key that protects my {AWS_KEYS[service]} when no other key is defined",
                      manager="AWS")
        try:
            row = put_alias(call, alias, made.name)
        except AwsError:  # somebody else asked for it at the same moment: theirs counts
            remove(call, made)
            return _behind(call, alias)
    key = call.store.get(KEY, call.account, call.region, row.body["TargetKeyId"]) if row is not None else None
    if key is None or _ended(call, key):
        raise not_found(f"Alias {arn(call, alias)} is not found.")
    return key


def _ended(call: Call, row: Row) -> bool:
    """Whether the key's waiting period is over; then it goes for good, with its material and aliases."""
    if row.body["KeyState"] != "PendingDeletion" or row.body["DeletionDate"] > call.now:
        return False
    for hanging in (*call.store.children(row.arn, ALIAS), *call.store.children(row.arn, GRANT)):
        remove(call, hanging)
    remove(call, row)
    return True


def usable(row: Row, usage: str = "") -> Row:
    """The key, if it is enabled and made for that usage."""
    if row.body["KeyState"] == "Disabled":
        raise AwsError("DisabledException", f"{row.arn} is disabled.")
    if row.body["KeyState"] != "Enabled":
        raise AwsError("KMSInvalidStateException", f"{row.arn} is pending deletion.")
    if usage and row.body["KeyUsage"] != usage:
        raise AwsError("InvalidKeyUsageException", f"{row.arn} key usage is {row.body['KeyUsage']} which is not valid "
                                                   f"for {_OPERATIONS[usage]}.")
    return row


_OPERATIONS = {"ENCRYPT_DECRYPT": "Encrypt", "SIGN_VERIFY": "Sign", "GENERATE_VERIFY_MAC": "GenerateMac"}


# -- who may -------------------------------------------------------------------------------------------------------
def authorize(call: Call, row: Row, operation: str) -> None:
    """Refuse unless the key policy or a grant allows it; a policy that names the account's root lets its identities in.
    """
    action, names = f"kms:{operation}", policy.names(call.principal)
    context = {"kms:CallerAccount": call.account, "aws:PrincipalArn": call.principal.policy_arn or call.principal.arn,
               **{f"kms:EncryptionContext:{key}": value
                  for key, value in (call.params.get("EncryptionContext") or {}).items()}}
    decision = policy.evaluate(policy.statements(row.work["policy"]), action, row.arn, context, names)
    if decision == policy.ALLOW or (decision == policy.IMPLICIT and _granted(call, row, operation, names)):
        return
    why = "with an explicit deny in a resource-based policy" if decision == policy.DENY \
        else f"because no resource-based policy allows the {action} action"
    raise AwsError("AccessDeniedException", f"User: {call.principal.arn} is not authorized to perform: {action} on "
                                            f"resource: {row.arn} {why}")


def _granted(call: Call, row: Row, operation: str, names: policy.Names) -> bool:
    known = set(names.get("AWS", ()))
    return any(grant.body.get("GranteePrincipal") in known and operation in grant.body["Operations"]
               for grant in call.store.children(row.arn, GRANT))


def default_policy(call: Call) -> str:
    """The policy of a key that was made without one: the account decides."""
    root = f"arn:{call.world.config.partition}:iam::{call.account}:root"
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [
        {"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*",
         "Resource": "*"}]}, indent=2)


# -- making and changing -------------------------------------------------------------------------------------------
def create(call: Call, description: str = "", spec: str = crypto.SYMMETRIC, usage: str = "ENCRYPT_DECRYPT",
           manager: str = "CUSTOMER", document: str = "", multi_region: bool = False,
           tags: Sequence[dict[str, str]] = ()) -> Row:
    """A new enabled key with its material."""
    name = f"mrk-{uuid.uuid4().hex}" if multi_region else str(uuid.uuid4())
    material = crypto.make(spec)
    material_id = crypto.material_id(material)
    body: dict[str, Any] = {"AWSAccountId": call.account, "KeyId": name, "Arn": arn(call, f"key/{name}"),
                            "CreationDate": call.now, "Enabled": True, "Description": description, "KeyUsage": usage,
                            "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": manager,
                            "CustomerMasterKeySpec": spec, "KeySpec": spec, "MultiRegion": multi_region}
    member = {"SIGN_VERIFY": "SigningAlgorithms", "GENERATE_VERIFY_MAC": "MacAlgorithms"}.get(
        usage, "EncryptionAlgorithms")
    body[member] = crypto.algorithms(spec, usage)
    if spec == crypto.SYMMETRIC:
        body["CurrentKeyMaterialId"] = material_id
    if multi_region:
        body["MultiRegionConfiguration"] = {"MultiRegionKeyType": "PRIMARY", "ReplicaKeys": [],
                                            "PrimaryKey": {"Arn": body["Arn"], "Region": call.region}}
    work = {"material": {material_id: base64.b64encode(material).decode()}, "current": material_id,
            "policy": document or default_policy(call), "rotations": []}
    return call.store.insert(Row(KEY, call.account, call.region, name, body["Arn"], body, work=work), tags)


def put_alias(call: Call, alias: str, key: str) -> Row:
    """A new alias; AlreadyExistsException if the name is taken."""
    name = arn(call, alias)
    body = {"AliasName": alias, "AliasArn": name, "TargetKeyId": key, "CreationDate": call.now,
            "LastUpdatedDate": call.now}
    try:
        return call.store.insert(Row(ALIAS, call.account, call.region, alias, name, body,
                                     owner=arn(call, f"key/{key}")))
    except Conflict:
        raise AwsError("AlreadyExistsException", f"An alias with the name {name} already exists") from None


def change(call: Call, row: Row, step: Callable[[Row], Row]) -> Row:
    """Change and store a row, again if somebody else was quicker."""
    for _ in range(_RETRIES):
        try:
            return call.store.update(step(row))
        except Conflict:
            again = call.store.get(row.kind, row.account, row.region, row.name)
            if again is None:
                raise not_found(f"Key '{row.arn}' does not exist") from None
            row = again
    raise AwsError("KMSInternalException", f"{row.arn} is being changed by others.", 500)


def remove(call: Call, row: Row) -> None:
    """Delete a row, whatever happened to it meanwhile."""
    found: Row | None = row
    while found is not None:
        try:
            return call.store.delete(found)
        except Conflict:
            found = call.store.get(row.kind, row.account, row.region, row.name)
    return None


def customer(row: Row) -> Row:
    """The key, unless it belongs to an AWS service."""
    if row.body["KeyManager"] == "AWS":
        raise AwsError("AccessDeniedException", f"{row.arn} is an AWS managed key, which its service alone may change.")
    return row


# -- material ------------------------------------------------------------------------------------------------------
def material(row: Row, material_id: str = "") -> bytes:
    """The bytes of the key's current material, or of an earlier one; KeyError if it never had that."""
    return base64.b64decode(row.work["material"][material_id or row.work["current"]])


def rotate(call: Call, row: Row, kind: str) -> Row:
    """Give the key new material; what the old one sealed still opens."""

    def step(row: Row) -> Row:
        made = crypto.make(row.body["KeySpec"])
        name = crypto.material_id(made)
        rotation = {"KeyId": row.arn, "RotationDate": call.now, "RotationType": kind, "KeyMaterialId": name}
        work: dict[str, Any] = {"material": {**row.work["material"], name: base64.b64encode(made).decode()},
                                "current": name, "rotations": [*row.work["rotations"], rotation]}
        if kind == "AUTOMATIC":
            work["next_rotation"] = call.now + row.work["rotation_days"] * DAY
        return replace(row.with_(work=work), body={**row.body, "CurrentKeyMaterialId": name})

    return change(call, row, step)


def rotated(call: Call, row: Row) -> Row:
    """The key, rotated first if its automatic rotation is due."""
    due = row.work.get("next_rotation")
    return rotate(call, row, "AUTOMATIC") if due is not None and due <= call.now else row


# -- lists ---------------------------------------------------------------------------------------------------------
def paged(call: Call, items: Sequence[Any], member: str, limit: int) -> dict[str, Any]:
    """One page of `items` under `member`, by Limit and Marker."""
    try:
        start = int(base64.urlsafe_b64decode(call.params["Marker"]).decode()) if call.params.get("Marker") else 0
    except ValueError:
        start = -1
    if start < 0:
        raise AwsError("InvalidMarkerException", "Could not deserialize next marker.")
    end = start + (call.params.get("Limit") or limit)
    answer: dict[str, Any] = {member: list(items[start:end]), "Truncated": end < len(items)}
    if end < len(items):
        answer["NextMarker"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer
