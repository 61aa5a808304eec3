"""Bucket sub-resources that are one document each: put, returned, deleted. Operations are made from one table.

Hand-written because S3 has no nouns in the model; the table below is all that tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagewright.aws.s3 import access, buckets, settings_checks
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.service import Handler


@dataclass(frozen=True)
class Setting:
    """One sub-resource: its name in operations, its member in Put, the name of its action, what is said if absent.

    shape: how Get answers: "wrapped" under the member's name, or "flat". missing: (code, message), or None where Get
    answers an empty document. check may refuse or change what is put.
    """

    noun: str
    member: str
    action: str
    shape: str = "flat"
    missing: tuple[str, str] | None = None
    check: Callable[[Call, buckets.Bucket, Any], Any] | None = None
    delete: str = ""


SETTINGS = (
    Setting("bucket_cors", "CORSConfiguration", "BucketCORS", missing=(
        "NoSuchCORSConfiguration", "The CORS configuration does not exist"), check=settings_checks.cors,
        delete="delete_bucket_cors"),
    Setting("bucket_lifecycle_configuration", "LifecycleConfiguration", "LifecycleConfiguration", missing=(
        "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        check=settings_checks.lifecycle, delete="delete_bucket_lifecycle"),
    Setting("bucket_encryption", "ServerSideEncryptionConfiguration", "EncryptionConfiguration", shape="wrapped",
            check=settings_checks.encryption, delete="delete_bucket_encryption"),
    Setting("bucket_ownership_controls", "OwnershipControls", "BucketOwnershipControls", shape="wrapped", missing=(
        "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
        check=settings_checks.ownership, delete="delete_bucket_ownership_controls"),
    Setting("public_access_block", "PublicAccessBlockConfiguration", "BucketPublicAccessBlock", shape="wrapped",
            missing=("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
            check=settings_checks.public_access, delete="delete_public_access_block"),
    Setting("bucket_website", "WebsiteConfiguration", "BucketWebsite", missing=(
        "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
        check=settings_checks.website, delete="delete_bucket_website"),
    Setting("bucket_replication", "ReplicationConfiguration", "ReplicationConfiguration", shape="wrapped", missing=(
        "ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
        check=settings_checks.replication, delete="delete_bucket_replication"),
    Setting("bucket_logging", "BucketLoggingStatus", "BucketLogging", check=settings_checks.logging),
    Setting("bucket_notification_configuration", "NotificationConfiguration", "BucketNotification",
            check=settings_checks.notification),
    Setting("bucket_accelerate_configuration", "AccelerateConfiguration", "AccelerateConfiguration",
            check=settings_checks.accelerate),
    Setting("bucket_request_payment", "RequestPaymentConfiguration", "BucketRequestPayment",
            check=settings_checks.payment),
    Setting("object_lock_configuration", "ObjectLockConfiguration", "BucketObjectLockConfiguration", shape="wrapped",
            missing=("ObjectLockConfigurationNotFoundError",
                     "Object Lock configuration does not exist for this bucket"), check=settings_checks.object_lock),
)
_DEFAULTS: dict[str, dict[str, Any]] = {
    "ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                                                     "BucketKeyEnabled": False}]},
    "RequestPaymentConfiguration": {"Payer": "BucketOwner"},
}


def _getter(setting: Setting) -> Handler:
    def get(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Get{setting.action}")
        found = bucket.settings.get(setting.member, _DEFAULTS.get(setting.member))
        if found is None and setting.missing is not None:
            raise AwsError(*setting.missing, 404, {"BucketName": bucket.name})
        found = {name: value for name, value in (found or {}).items() if name != "Explicit"}
        return {setting.member: found} if setting.shape == "wrapped" else found

    return get


def _putter(setting: Setting) -> Handler:
    def put(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Put{setting.action}")
        wanted = call.params.get(setting.member)
        if wanted is None:
            raise AwsError("MissingRequestBodyError", "Request Body is empty")
        if setting.check is not None:
            wanted = setting.check(call, bucket, wanted)
        buckets.put(call, bucket, setting.member, wanted)
        if setting.noun == "bucket_lifecycle_configuration" and "TransitionDefaultMinimumObjectSize" in wanted:
            return {"TransitionDefaultMinimumObjectSize": wanted["TransitionDefaultMinimumObjectSize"]}
        return {}

    return put


def _deleter(setting: Setting) -> Handler:
    def delete(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Put{setting.action}")
        buckets.put(call, bucket, setting.member, None)
        return {}

    return delete


# -- configurations of which a bucket has several, by id --------------------------------------------------------
_BY_ID = (("analytics", "AnalyticsConfiguration", "AnalyticsConfiguration"),
          ("intelligent_tiering", "IntelligentTieringConfiguration", "IntelligentTieringConfiguration"),
          ("inventory", "InventoryConfiguration", "InventoryConfiguration"),
          ("metrics", "MetricsConfiguration", "MetricsConfiguration"))


def _numbered(noun: str, member: str, action: str) -> dict[str, Handler]:
    store = f"{member}s"

    def missing() -> AwsError:
        return AwsError("NoSuchConfiguration", "The specified configuration does not exist.", 404)

    def put(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Put{action}")
        wanted = call.params[member]
        if wanted.get("Id") != call.params["Id"]:
            raise AwsError("IdMismatch", "Document ID does not match the specified configuration ID.")
        buckets.change(call, bucket, lambda settings: settings.setdefault(store, {}).update({wanted["Id"]: wanted}))
        return {}

    def get(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Get{action}")
        found = bucket.settings.get(store, {}).get(call.params["Id"])
        if found is None:
            raise missing()
        return {member: found}

    def delete(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Put{action}")
        if call.params["Id"] not in bucket.settings.get(store, {}):
            raise missing()
        buckets.change(call, bucket, lambda settings: settings.get(store, {}).pop(call.params["Id"], None))
        return {}

    def every(call: Call) -> dict[str, Any]:
        bucket = access.enter(call, f"s3:Get{action}")
        found = [value for _, value in sorted(bucket.settings.get(store, {}).items())]
        return {"IsTruncated": False, **({f"{member}List": found} if found else {})}

    return {f"put_bucket_{noun}_configuration": put, f"get_bucket_{noun}_configuration": get,
            f"delete_bucket_{noun}_configuration": delete, f"list_bucket_{noun}_configurations": every}


def operations() -> dict[str, Handler]:
    """Every operation that the tables above describe, by boto3 method name."""
    table: dict[str, Handler] = {}
    for setting in SETTINGS:
        table[f"get_{setting.noun}"] = _getter(setting)
        table[f"put_{setting.noun}"] = _putter(setting)
        if setting.delete:
            table[setting.delete] = _deleter(setting)
    for noun, member, action in _BY_ID:
        table |= _numbered(noun, member, action)
    return table
