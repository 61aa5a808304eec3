"""Who may do what: the owner's account, the bucket policy, ACLs and the public access block.

`allowed` is the seam: identity policies (IAM) are evaluated by the gateway before a handler runs; this module adds
what a resource says. Called first by every operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from sagewright.aws.s3 import acl, buckets, policy
from sagewright.aws.s3.buckets import Bucket
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_PERMISSION = {"s3:ListBucket": "READ", "s3:ListBucketVersions": "READ", "s3:ListBucketMultipartUploads": "READ",
               "s3:PutObject": "WRITE", "s3:DeleteObject": "WRITE", "s3:GetBucketAcl": "READ_ACP",
               "s3:PutBucketAcl": "WRITE_ACP", "s3:GetObject": "READ", "s3:GetObjectVersion": "READ",
               "s3:GetObjectAcl": "READ_ACP", "s3:PutObjectAcl": "WRITE_ACP", "s3:AbortMultipartUpload": "WRITE",
               "s3:GetObjectAttributes": "READ", "s3:GetObjectVersionAttributes": "READ"}
_OF_BUCKET = {"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}
_CONTEXT = {"Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "MaxKeys": "s3:max-keys", "ACL": "s3:x-amz-acl",
            "CopySource": "s3:x-amz-copy-source", "MetadataDirective": "s3:x-amz-metadata-directive",
            "ServerSideEncryption": "s3:x-amz-server-side-encryption", "VersionId": "s3:VersionId",
            "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id", "StorageClass": "s3:x-amz-storage-class",
            "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
            "GrantRead": "s3:x-amz-grant-read", "GrantWrite": "s3:x-amz-grant-write",
            "GrantFullControl": "s3:x-amz-grant-full-control", "GrantReadACP": "s3:x-amz-grant-read-acp",
            "GrantWriteACP": "s3:x-amz-grant-write-acp"}


def denied() -> AwsError:
    """403, and nothing more about why."""
    return AwsError("AccessDenied", "Access Denied", 403)


def enter(call: Call, action: str, key: str | None = None) -> Bucket:
    """The bucket of the request, once the caller may do `action` on it (or on that key)."""
    bucket = buckets.find(call)
    require(call, bucket, action, key)
    return bucket


def require(call: Call, bucket: Bucket, action: str, key: str | None = None,
            meta: Mapping[str, Any] | None = None) -> None:
    """AccessDenied unless `allowed`. `meta` is that of the object, where its ACL and tags count."""
    if not allowed(call, bucket, action, key, meta):
        raise denied()


def allowed(call: Call, bucket: Bucket, action: str, key: str | None = None,
            meta: Mapping[str, Any] | None = None, listing: str | None = None) -> bool:
    """Whether bucket owner, bucket policy or an ACL lets the caller do `action`, and no statement denies it.

    `listing` stands in for the prefix of a ListBucket that is only asked about because a key was not found.
    """
    who = call.principal
    text = bucket.settings.get("Policy")
    owner = bucket.account
    if meta is not None and bucket.ownership not in ("", "BucketOwnerEnforced"):
        owner = meta.get("Owner", owner)
    if text is None and who.account == owner:
        return True
    verdict = ""
    document: Mapping[str, Any] = {}
    if text is not None:
        document = policy.parse(text)
        resource = bucket.arn if key is None else f"{bucket.arn}/{key}"
        context = _context(call, meta)
        if listing is not None:
            context["s3:prefix"] = listing
        verdict = policy.verdict(document, who, action, resource, context)
    if verdict == "deny":
        # The account's root can always repair a policy that locks everybody out.
        return who.is_root and who.account == bucket.account and action.endswith("BucketPolicy")
    if who.account == owner:
        return True
    if verdict == "allow" and not (bucket.blocks("RestrictPublicBuckets") and policy.is_public(document)):
        return True
    return _acl_allows(call, bucket, action, meta)


def _acl_allows(call: Call, bucket: Bucket, action: str, meta: Mapping[str, Any] | None) -> bool:
    permission = _PERMISSION.get(action)
    if permission is None or bucket.ownership in ("", "BucketOwnerEnforced"):
        return False
    public = not (bucket.blocks("IgnorePublicAcls") or bucket.blocks("RestrictPublicBuckets"))
    grants = bucket.settings.get("Acl") or []
    if meta is not None and action not in _OF_BUCKET:
        grants = meta.get("Acl") or []
    return acl.allows(grants, call.principal, permission, public)


def _context(call: Call, meta: Mapping[str, Any] | None) -> dict[str, str]:
    found = {name: str(call.params[member]) for member, name in _CONTEXT.items() if call.params.get(member) is not None}
    found["aws:PrincipalArn"] = call.principal.arn
    found["aws:PrincipalAccount"] = call.principal.account
    found["aws:SecureTransport"] = str(call.http is not None and call.http.scheme == "https").lower()
    if call.http is not None:
        for header, name in (("referer", "aws:Referer"), ("user-agent", "aws:UserAgent")):
            if header in call.http.headers:
                found[name] = call.http.headers.get(header)
        if call.http.client:
            found["aws:SourceIp"] = call.http.client.rsplit(":", 1)[0] if call.http.client.count(":") == 1 \
                else call.http.client
    for tag in (meta or {}).get("Tags") or []:
        found[f"s3:ExistingObjectTag/{tag['Key']}"] = tag["Value"]
    for key, value in _requested_tags(call.params):
        found[f"s3:RequestObjectTag/{key}"] = value
    return found


def _requested_tags(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    tagging = params.get("Tagging")
    if isinstance(tagging, str):
        return parse_qsl(tagging, keep_blank_values=True)
    if isinstance(tagging, Mapping):
        return [(str(tag.get("Key")), str(tag.get("Value"))) for tag in tagging.get("TagSet") or []]
    return []
