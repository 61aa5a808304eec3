"""CopyObject and UploadPartCopy: hand-written because the body comes from another object.

A copy of an object that was stored as one body shares its bytes through a hard link; only parts, ranges and a change
of checksum algorithm read and write bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, unquote

from sagewright.aws.s3 import (
    access,
    buckets,
    changes,
    checksums,
    conditions,
    content,
    intake,
    lock,
    meta,
    operations_multipart,
    ranges,
    tagging,
    uploads,
    versions,
)
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.files import Lease
from sagewright.aws.s3.versions import NULL, Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_MOST = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Source:
    """What CopySource names."""

    bucket: Bucket
    version: Version


def parse_source(given: Any) -> tuple[str, str, str]:
    """(bucket, key, version id) of a CopySource, in its header or dict form."""
    if isinstance(given, dict):
        return str(given["Bucket"]), str(given["Key"]), str(given.get("VersionId") or "")
    path, _, query = str(given).partition("?")
    version = (parse_qs(query).get("versionId") or [""])[0]
    name, _, key = unquote(path).removeprefix("/").partition("/")
    if not name or not key:
        raise AwsError("InvalidArgument", "Invalid copy source object key", 400,
                       {"ArgumentName": "x-amz-copy-source", "ArgumentValue": "x-amz-copy-source"})
    return name, key, version


def _source(call: Call) -> Source:
    name, key, version = parse_source(call.params["CopySource"])
    bucket = buckets.find(call, name, "ExpectedSourceBucketOwner")
    raw = versions.key_bytes(key)
    if version:
        versions.check_version_id(version)
    found = call.store.read(lambda c: versions.find(c, bucket, raw, version))
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    if found is None or found.marker:
        access.require(call, bucket, action, key)
        if found is not None and version:
            raise AwsError("InvalidRequest", "The source of a copy request may not specifically refer to a delete "
                           "marker by version id.")
        raise versions.no_such_version(raw, version) if version else versions.no_such_key(raw)
    access.require(call, bucket, action, key, {"Owner": bucket.account, **found.meta})
    if found.meta.get("StorageClass") in ("GLACIER", "DEEP_ARCHIVE"):
        raise AwsError("InvalidObjectState", "Operation is not valid for the source object's storage class", 403,
                       {"StorageClass": found.meta["StorageClass"]})
    conditions.check_read(call.params, found, call.now, "CopySource")
    return Source(bucket, found)


def _directive(call: Call, member: str, header: str) -> str:
    value = str(call.params.get(member) or "COPY")
    if value not in ("COPY", "REPLACE"):
        raise AwsError("InvalidArgument", f"Unknown {'metadata' if 'Meta' in member else 'tagging'} directive.", 400,
                       {"ArgumentName": header, "ArgumentValue": value})
    return value


def _known(call: Call, bucket: Bucket, source: Source) -> dict[str, Any]:
    """What the copy is known by: the source's or the request's, as the directives say."""
    params = call.params
    known = {**meta.storage_class(params), **meta.encryption(call, bucket), **meta.grants(call, bucket),
             **lock.of_request(call, bucket)}
    if _directive(call, "MetadataDirective", "x-amz-metadata-directive") == "REPLACE":
        known |= meta.content(call)
    else:
        kept = (*meta.CONTENT, "Metadata")
        known |= {name: source.version.meta[name] for name in kept if name in source.version.meta}
        if params.get("WebsiteRedirectLocation"):
            known["WebsiteRedirectLocation"] = params["WebsiteRedirectLocation"]
    if _directive(call, "TaggingDirective", "x-amz-tagging-directive") == "REPLACE":
        if params.get("Tagging"):
            known["Tags"] = tagging.from_header(str(params["Tagging"]))
    elif source.version.meta.get("Tags"):
        known["Tags"] = source.version.meta["Tags"]
    return known


def _check_self_copy(call: Call, bucket: Bucket, key: bytes, source: Source) -> None:
    params = call.params
    if source.bucket.id != bucket.id or source.version.key != key or not source.version.current:
        return
    if bucket.versioning and parse_source(params["CopySource"])[2]:  # a version by its id becomes a new one
        return
    changes_something = params.get("MetadataDirective") == "REPLACE" or any(
        params.get(name) is not None for name in ("StorageClass", "ServerSideEncryption", "WebsiteRedirectLocation",
                                                  "ChecksumAlgorithm")) \
        or bucket.settings.get("ServerSideEncryptionConfiguration", {}).get("Explicit")
    if not changes_something:
        raise AwsError("InvalidRequest", "This copy request is illegal because it is trying to copy an object to "
                       "itself without changing the object's metadata, storage class, website redirect location or "
                       "encryption attributes.")


def copy_object(call: Call) -> dict[str, Any]:
    """Make a copy of one version the current version of a key."""
    params = call.params
    key = versions.key_bytes(params["Key"], call.http)
    bucket = access.enter(call, "s3:PutObject", params["Key"])
    conditions.check_write_form(params)
    lease = content.files(call.world).lease()
    try:
        source = _source(call)
        if source.version.size > _MOST:
            raise AwsError("InvalidRequest", "The specified copy source is larger than the maximum allowable size for "
                           f"a copy source: {_MOST}")
        _check_self_copy(call, bucket, key, source)
        known = _known(call, bucket, source)
        new = replace(_bytes(call, source, lease, known), bucket=bucket.id, key=key, modified=float(int(call.now)))
    finally:
        lease.end()
    new = changes.put(call, bucket, new, "ObjectCreated:Copy",
                      lambda current: conditions.check_write(params, key, current))
    result = {"ETag": f'"{new.etag}"', "LastModified": new.modified, **meta.checksum(new.meta)}
    answer: dict[str, Any] = {"CopyObjectResult": result, **meta.encrypted(new.meta)}
    if source.version.version != NULL:
        answer["CopySourceVersionId"] = source.version.version
    if bucket.versioning == "Enabled":
        answer["VersionId"] = new.version
    return answer


def _bytes(call: Call, source: Source, lease: Lease, known: dict[str, Any]) -> Version:
    """A new version with the source's bytes: shared where that is possible, else read and written."""
    old = source.version
    algorithm, value, kind = old.meta.get("Checksum", [checksums.DEFAULT, "", ""])
    wanted = str(call.params.get("ChecksumAlgorithm") or "")
    wanted = checksums.algorithm_named(wanted) if wanted else algorithm
    blank = Version(bucket=0, key=b"", size=old.size, etag=old.etag, modified=0.0, meta=known)
    if not old.upload and wanted == algorithm and value:
        known["Checksum"] = [algorithm, value, kind]
        if old.data is not None:
            return replace(blank, data=old.data)
        return replace(blank, blob=content.files(call.world).duplicate(old.blob))
    stored = intake.store(content.files(call.world), content.whole(call, old, lease), [wanted])
    known["Checksum"] = [wanted, stored.checksums[wanted], checksums.FULL]
    return replace(blank, etag=stored.md5, data=stored.data, blob=stored.blob)


def upload_part_copy(call: Call) -> dict[str, Any]:
    """Store a range of an object, or all of it, as one part."""
    params = call.params
    bucket = access.enter(call, "s3:PutObject", params["Key"])
    number = int(params["PartNumber"])
    uploads.check_number(number)
    upload = operations_multipart.found(call, bucket)
    lease = content.files(call.world).lease()
    try:
        source = _source(call)
        old = source.version
        header = params.get("CopySourceRange")
        offset, length = ranges.parse_copy(str(header), old.size) if header else (0, old.size)
        body = content.stretch(call, old, lease, offset, length)
        blocks: Iterator[bytes] = iter([body]) if isinstance(body, bytes) else iter(body)
        stored = intake.store(content.files(call.world), blocks, [upload.hashed])
    finally:
        lease.end()
    operations_multipart.keep_part(call, bucket, upload, number, stored)
    result = {"ETag": f'"{stored.md5}"', "LastModified": float(int(call.now))}
    if upload.algorithm:
        result[checksums.member(upload.algorithm)] = stored.checksums[upload.hashed]
    answer: dict[str, Any] = {"CopyPartResult": result, **meta.encrypted(upload.meta)}
    if old.version != NULL:
        answer["CopySourceVersionId"] = old.version
    return answer
