"""Bucket policy, tags and ACL, and the tags, ACL and locks of objects: each with rules of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import access, acl, buckets, changes, lock, policy, tagging, versions
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.operations_objects import readable
from sagewright.aws.s3.settings_checks import malformed
from sagewright.aws.s3.versions import NULL, Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError


# -- bucket policy ----------------------------------------------------------------------------------------------
def put_bucket_policy(call: Call) -> dict[str, Any]:
    """Store the policy as it was sent, once it is one."""
    bucket = access.enter(call, "s3:PutBucketPolicy")
    text = call.params["Policy"]
    text = text.decode() if isinstance(text, bytes) else str(text)
    document = policy.check(text, bucket.name)
    if bucket.blocks("BlockPublicPolicy") and policy.is_public(document):
        raise access.denied()
    buckets.put(call, bucket, "Policy", text)
    call.reply_status = 204
    return {}


def get_bucket_policy(call: Call) -> dict[str, Any]:
    """The policy's text."""
    bucket = access.enter(call, "s3:GetBucketPolicy")
    return {"Policy": _policy(bucket)}


def _policy(bucket: Bucket) -> str:
    text = bucket.settings.get("Policy")
    if text is None:
        raise AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404, {"BucketName": bucket.name})
    return str(text)


def delete_bucket_policy(call: Call) -> dict[str, Any]:
    """Remove the policy, if there is one."""
    bucket = access.enter(call, "s3:DeleteBucketPolicy")
    buckets.put(call, bucket, "Policy", None)
    return {}


def get_bucket_policy_status(call: Call) -> dict[str, Any]:
    """Whether the policy makes the bucket public."""
    bucket = access.enter(call, "s3:GetBucketPolicyStatus")
    return {"PolicyStatus": {"IsPublic": policy.is_public(policy.parse(_policy(bucket)))}}


# -- bucket tags and ACL ----------------------------------------------------------------------------------------
def put_bucket_tagging(call: Call) -> dict[str, Any]:
    """Replace the bucket's tags."""
    bucket = access.enter(call, "s3:PutBucketTagging")
    buckets.put(call, bucket, "Tagging", tagging.from_document(call.params["Tagging"], 50))
    call.reply_status = 204
    return {}


def get_bucket_tagging(call: Call) -> dict[str, Any]:
    """The bucket's tags; an error where there are none."""
    bucket = access.enter(call, "s3:GetBucketTagging")
    if not bucket.settings.get("Tagging"):
        raise AwsError("NoSuchTagSet", "The TagSet does not exist", 404, {"BucketName": bucket.name})
    return {"TagSet": bucket.settings["Tagging"]}


def delete_bucket_tagging(call: Call) -> dict[str, Any]:
    """Remove the bucket's tags."""
    bucket = access.enter(call, "s3:PutBucketTagging")
    buckets.put(call, bucket, "Tagging", None)
    return {}


def get_bucket_acl(call: Call) -> dict[str, Any]:
    """The bucket's owner and grants."""
    bucket = access.enter(call, "s3:GetBucketAcl")
    return {"Owner": acl.owner(bucket.account),
            "Grants": bucket.settings.get("Acl", acl.private(bucket.account))}


def put_bucket_acl(call: Call) -> dict[str, Any]:
    """Replace the bucket's grants, where ownership and the public access block let it have any."""
    bucket = access.enter(call, "s3:PutBucketAcl")
    buckets.put(call, bucket, "Acl", _wanted_acl(call, bucket, bucket.account))
    return {}


def _wanted_acl(call: Call, bucket: Bucket, account: str) -> acl.Grants:
    grants = acl.asked(call.params, account, bucket.account)
    document = call.params.get("AccessControlPolicy")
    if grants is not None and document:
        raise AwsError("UnexpectedContent", "This request does not support content")
    if grants is None and not document:
        raise AwsError("MissingSecurityHeader", "Your request was missing a required header", 400,
                       {"MissingHeaderName": "x-amz-acl"})
    if grants is None:
        grants = acl.document(document or {}, account)
    if bucket.ownership in ("", "BucketOwnerEnforced") and grants != acl.private(account):
        raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")
    if bucket.blocks("BlockPublicAcls") and acl.is_public(grants):
        raise access.denied()
    return grants


# -- objects: tags, ACL, locks ----------------------------------------------------------------------------------
def _alter(call: Call, bucket: Bucket, found: Version, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change one version's meta in a transaction of its own; `edit` gets what is stored then."""

    def change(tx: sa.Connection) -> tuple[None, list[str]]:
        versions.lock(tx, bucket, found.key)
        now = versions.find(tx, bucket, found.key, found.version, data=False)
        if now is None or now.id != found.id:
            raise versions.no_such_key(found.key)
        edit(now.meta)
        versions.set_meta(tx, now, now.meta)
        return None, []

    changes.commit(call, change)


def _of_version(bucket: Bucket, found: Version) -> dict[str, Any]:
    return {"VersionId": found.version} if bucket.versioning or found.version != NULL else {}


def get_object_tagging(call: Call) -> dict[str, Any]:
    """The object's tags by key."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:GetObjectTagging")
    tags = sorted(found.meta.get("Tags", []), key=lambda tag: tag["Key"])
    return {"TagSet": tags, **_of_version(bucket, found)}


def put_object_tagging(call: Call) -> dict[str, Any]:
    """Replace the object's tags."""
    bucket = buckets.find(call)
    tags = tagging.from_document(call.params["Tagging"], 10)
    found = readable(call, bucket, call.params["Key"], False, "s3:PutObjectTagging", "PUT")
    _alter(call, bucket, found, lambda meta: meta.update(Tags=tags))
    changes.notify(call, bucket, "ObjectTagging:Put", found)
    return _of_version(bucket, found)


def delete_object_tagging(call: Call) -> dict[str, Any]:
    """Remove the object's tags."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:DeleteObjectTagging", "DELETE")
    _alter(call, bucket, found, lambda meta: meta.pop("Tags", None) and None)
    changes.notify(call, bucket, "ObjectTagging:Delete", found)
    return _of_version(bucket, found)


def get_object_acl(call: Call) -> dict[str, Any]:
    """The object's owner and grants."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:GetObjectAcl")
    owner = found.meta.get("Owner", bucket.account)
    return {"Owner": acl.owner(owner), "Grants": found.meta.get("Acl", acl.private(owner))}


def put_object_acl(call: Call) -> dict[str, Any]:
    """Replace the object's grants."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:PutObjectAcl", "PUT")
    grants = _wanted_acl(call, bucket, found.meta.get("Owner", bucket.account))
    _alter(call, bucket, found, lambda meta: meta.update(Acl=grants))
    changes.notify(call, bucket, "ObjectAcl:Put", found)
    return {}


def _unlocked() -> AwsError:
    return AwsError("NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration",
                    404)


def get_object_retention(call: Call) -> dict[str, Any]:
    """Mode and date of the object's retention."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:GetObjectRetention")
    lock.require(bucket)
    if "ObjectLockMode" not in found.meta:
        raise _unlocked()
    return {"Retention": {"Mode": found.meta["ObjectLockMode"],
                          "RetainUntilDate": found.meta["ObjectLockRetainUntilDate"]}}


def put_object_retention(call: Call) -> dict[str, Any]:
    """Set, lengthen or (with the bypass) weaken the object's retention."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:PutObjectRetention", "PUT")
    lock.require(bucket)
    wanted = call.params.get("Retention") or {}
    mode = wanted.get("Mode")
    if bool(mode) != bool(wanted.get("RetainUntilDate")) or mode not in (None, "GOVERNANCE", "COMPLIANCE"):
        raise malformed()
    until = lock.future(call, wanted["RetainUntilDate"]) if mode else 0.0
    lock.check_retention_change(call, found, mode, until)

    def edit(meta: dict[str, Any]) -> None:
        for name in ("ObjectLockMode", "ObjectLockRetainUntilDate"):
            meta.pop(name, None)
        if mode:
            meta.update(ObjectLockMode=mode, ObjectLockRetainUntilDate=until)

    _alter(call, bucket, found, edit)
    return {}


def get_object_legal_hold(call: Call) -> dict[str, Any]:
    """Whether the object is held."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:GetObjectLegalHold")
    lock.require(bucket)
    if "ObjectLockLegalHoldStatus" not in found.meta:
        raise _unlocked()
    return {"LegalHold": {"Status": found.meta["ObjectLockLegalHoldStatus"]}}


def put_object_legal_hold(call: Call) -> dict[str, Any]:
    """Hold the object, or let it go."""
    bucket = buckets.find(call)
    found = readable(call, bucket, call.params["Key"], False, "s3:PutObjectLegalHold", "PUT")
    lock.require(bucket)
    status = (call.params.get("LegalHold") or {}).get("Status")
    if status not in ("ON", "OFF"):
        raise malformed()
    _alter(call, bucket, found, lambda meta: meta.update(ObjectLockLegalHoldStatus=status))
    return {}
