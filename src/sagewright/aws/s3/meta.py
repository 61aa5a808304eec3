"""What is known about an object besides its bytes: read from the request's members, answered by Get and Head.

Called by the put, copy, multipart and read operations. Pure but for the lookup of the default KMS key.
"""

from __future__ import annotations

import base64
import contextlib
import email.header
import email.utils
from collections.abc import Mapping
from typing import Any

from sagewright.aws.s3 import acl, checksums, lock, tagging
from sagewright.aws.s3.access import denied
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.conditions import epoch
from sagewright.aws.s3.versions import NULL, Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

CONTENT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")
_ECHOED = (*CONTENT[:-1], "WebsiteRedirectLocation", "SSEKMSKeyId", "BucketKeyEnabled", "ObjectLockMode",
           "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
_CLASSES = {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
            "DEEP_ARCHIVE", "GLACIER_IR", "EXPRESS_ONEZONE", "SNOW"}
_OVERRIDES = {"ResponseCacheControl": "CacheControl", "ResponseContentDisposition": "ContentDisposition",
              "ResponseContentEncoding": "ContentEncoding", "ResponseContentLanguage": "ContentLanguage",
              "ResponseContentType": "ContentType", "ResponseExpires": "Expires"}
_METADATA_LIMIT = 2048


def content(call: Call) -> dict[str, Any]:
    """Content headers, user metadata and redirect of a request."""
    params = call.params
    found = {name: params[name] for name in CONTENT if params.get(name) not in (None, "")}
    if "Expires" in found:
        raw = call.http.headers.get("expires") if call.http is not None else ""
        found["Expires"] = raw or _http_date(found["Expires"])
    if "ContentEncoding" in found:
        codings = str(found["ContentEncoding"]).split(",")
        kept = [coding for coding in codings if coding.strip().lower() != "aws-chunked"]
        found["ContentEncoding"] = ",".join(kept).strip()
        if not kept:
            del found["ContentEncoding"]
    found.setdefault("ContentType", "binary/octet-stream")
    metadata = {str(k).lower(): _decoded(str(v)) for k, v in (params.get("Metadata") or {}).items()}
    size = sum(len(k.encode()) + len(v.encode()) for k, v in metadata.items())
    if size > _METADATA_LIMIT:
        raise AwsError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", 400,
                       {"Size": str(size), "MaxSizeAllowed": str(_METADATA_LIMIT)})
    found["Metadata"] = metadata
    if params.get("WebsiteRedirectLocation"):
        found["WebsiteRedirectLocation"] = _redirect(str(params["WebsiteRedirectLocation"]))
    return found


def _http_date(value: Any) -> str:
    at = epoch(value)
    return str(value) if at is None else email.utils.formatdate(at, usegmt=True)


def _decoded(value: str) -> str:
    """A metadata value as text: clients send UTF-8, which arrives here as Latin-1, or RFC 2047 words."""
    if value.startswith("=?"):
        with contextlib.suppress(ValueError, LookupError):
            return str(email.header.make_header(email.header.decode_header(value)))
    with contextlib.suppress(UnicodeError):
        return value.encode("latin-1").decode()
    return value


def _header_text(value: str) -> str:
    """A metadata value as a header can carry it: beyond Latin-1, S3 answers in RFC 2047 words."""
    try:
        value.encode("latin-1")
    except UnicodeError:
        return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="
    return value


def _redirect(target: str) -> str:
    if not target.startswith(("/", "http://", "https://")):
        raise AwsError("InvalidRedirectLocation",
                       "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
    return target


def storage_class(params: Mapping[str, Any]) -> dict[str, Any]:
    """`{"StorageClass": ...}` of a request; nothing for STANDARD."""
    wanted = params.get("StorageClass") or "STANDARD"
    if wanted not in _CLASSES:
        raise AwsError("InvalidStorageClass", "The storage class you specified is not valid", 400,
                       {"StorageClassRequested": wanted})
    return {} if wanted == "STANDARD" else {"StorageClass": wanted}


def refuse_customer_keys(params: Mapping[str, Any]) -> None:
    """SSE-C would promise encryption that does not happen here, so it is refused."""
    if params.get("SSECustomerAlgorithm") or params.get("CopySourceSSECustomerAlgorithm"):
        if params.get("ServerSideEncryption"):
            raise AwsError("InvalidArgument", "Server Side Encryption with Customer provided key is incompatible with "
                           "the encryption method specified", 400,
                           {"ArgumentName": "x-amz-server-side-encryption",
                            "ArgumentValue": str(params["ServerSideEncryption"])})
        raise AwsError("InvalidRequest", "Server-side encryption with customer-provided keys is not available in this "
                       "Sagewright.", 400)


def encryption(call: Call, bucket: Bucket) -> dict[str, Any]:
    """The encryption members that this object answers with: asked for, the bucket's default, or SSE-S3."""
    params = call.params
    refuse_customer_keys(params)
    wanted, key = params.get("ServerSideEncryption"), params.get("SSEKMSKeyId")
    bucket_key = params.get("BucketKeyEnabled")
    if wanted is None:
        if key:
            raise AwsError("InvalidArgument", "Server Side Encryption with AWS KMS managed key requires HTTP header "
                           "x-amz-server-side-encryption : aws:kms", 400,
                           {"ArgumentName": "x-amz-server-side-encryption", "ArgumentValue": "null"})
        rule = (bucket.settings.get("ServerSideEncryptionConfiguration", {}).get("Rules") or [{}])[0]
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        wanted, key = default.get("SSEAlgorithm", "AES256"), default.get("KMSMasterKeyID")
        bucket_key = rule.get("BucketKeyEnabled") if bucket_key is None else bucket_key
    if wanted not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise AwsError("InvalidEncryptionAlgorithmError",
                       "The Encryption request you specified is not valid. Supported value: AES256.", 400,
                       {"ArgumentName": "x-amz-server-side-encryption", "ArgumentValue": str(wanted)})
    if wanted == "AES256":
        if key and params.get("ServerSideEncryption"):
            raise AwsError("InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not "
                           "aws:kms or aws:kms:dsse", 400, {"ArgumentName": "x-amz-server-side-encryption"})
        return {}
    found = {"ServerSideEncryption": wanted, "SSEKMSKeyId": _key_arn(call, bucket, str(key or ""))}
    if bucket_key:
        found["BucketKeyEnabled"] = True
    return found


def _key_arn(call: Call, bucket: Bucket, key: str) -> str:
    """The ARN that S3 answers with for a key id, an ARN, or nothing (the account's aws/s3 key)."""
    if key.startswith("arn:"):
        return key
    account = call.principal.account if call.principal.account != "anonymous" else bucket.account
    if key:
        resource = key if key.startswith("alias/") else f"key/{key}"
    else:
        resource = "alias/aws/s3"
    return f"arn:aws:kms:{bucket.region}:{account}:{resource}"


def grants(call: Call, bucket: Bucket) -> dict[str, Any]:
    """`{"Owner", "Acl"}` of a new object, under the bucket's ownership rule."""
    account = call.principal.account if call.principal.account != "anonymous" else bucket.account
    asked = acl.asked(call.params, account, bucket.account)
    if bucket.ownership in ("", "BucketOwnerEnforced"):
        if asked is not None and call.params.get("ACL") not in ("private", "bucket-owner-full-control"):
            raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        return {}
    if bucket.ownership == "BucketOwnerPreferred" and call.params.get("ACL") == "bucket-owner-full-control":
        account = bucket.account
    if asked is not None and bucket.blocks("BlockPublicAcls") and acl.is_public(asked):
        raise denied()
    found: dict[str, Any] = {} if account == bucket.account else {"Owner": account}
    if asked is not None and asked != acl.private(account):
        found["Acl"] = asked
    elif found:
        found["Acl"] = acl.private(account)
    return found


def of_request(call: Call, bucket: Bucket) -> dict[str, Any]:
    """All that a put or a new upload says about its object."""
    found = {**content(call), **storage_class(call.params), **encryption(call, bucket), **grants(call, bucket),
             **lock.of_request(call, bucket)}
    if call.params.get("Tagging"):
        found["Tags"] = tagging.from_header(str(call.params["Tagging"]))
    return found


def encrypted(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The encryption members of an answer."""
    return {"ServerSideEncryption": meta.get("ServerSideEncryption", "AES256"),
            **{name: meta[name] for name in ("SSEKMSKeyId", "BucketKeyEnabled") if name in meta}}


def checksum(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The checksum members of an answer: the value and its type."""
    if "Checksum" not in meta:
        return {}
    algorithm, value, kind = meta["Checksum"]
    return {checksums.member(algorithm): value, "ChecksumType": kind}


def version_id(bucket: Bucket, found: Version) -> dict[str, Any]:
    """`{"VersionId": ...}` where the bucket has or had versioning."""
    return {"VersionId": found.version} if bucket.versioning or found.version != NULL else {}


def described(call: Call, bucket: Bucket, found: Version) -> dict[str, Any]:
    """The members that GetObject and HeadObject share."""
    meta = found.meta
    answer: dict[str, Any] = {
        "AcceptRanges": "bytes", "LastModified": found.modified, "ContentLength": found.size,
        "ETag": f'"{found.etag}"', **encrypted(meta), **version_id(bucket, found),
        "Metadata": {name: _header_text(value) for name, value in meta.get("Metadata", {}).items()},
        **{name: meta[name] for name in _ECHOED if name in meta},
    }
    if "StorageClass" in meta:
        answer["StorageClass"] = meta["StorageClass"]
    if meta.get("Tags"):
        answer["TagCount"] = len(meta["Tags"])
    overrides = {name: call.params[name] for name in _OVERRIDES if call.params.get(name) is not None}
    if overrides and call.principal.account == "anonymous":
        raise AwsError("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
    expires = _http_date(overrides.pop("ResponseExpires")) if "ResponseExpires" in overrides else meta.get("Expires")
    if expires:  # sent as the client wrote it, which need not be a date
        call.reply_headers["expires"] = expires
    answer |= {_OVERRIDES[name]: value for name, value in overrides.items()}
    return answer
