"""PutObject, GetObject, HeadObject, GetObjectAttributes: hand-written because an object is bytes, not a record.

Called by the gateway; calls access, meta, intake, content, versions.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import access, buckets, changes, checksums, conditions, content, intake, meta, ranges, versions
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.tables import PARTS
from sagewright.aws.s3.versions import Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_P = PARTS.c
_PART = sa.select(_P.start, _P.size, _P.checksum).where(_P.upload == sa.bindparam("u"), _P.number == sa.bindparam("n"),
                                                        _P.start >= 0)
_FROZEN = ("GLACIER", "DEEP_ARCHIVE")


def put_object(call: Call) -> dict[str, Any]:
    """Store the body under the key; durable when this returns."""
    params = call.params
    key = versions.key_bytes(params["Key"], call.http)
    bucket = access.enter(call, "s3:PutObject", params["Key"])
    if params.get("WriteOffsetBytes") is not None:
        raise AwsError("InvalidRequest", "Appending to an object is not available in this Sagewright.", 400)
    conditions.check_write_form(params)
    intake.require_length(call.http)
    known = meta.of_request(call, bucket)
    promised = intake.promise(params, call.http.headers if call.http else None)
    stored = intake.take(content.files(call.world), params.get("Body"), promised)
    known["Checksum"] = [promised.algorithm, stored.checksums[promised.algorithm], checksums.FULL]
    new = Version(bucket=bucket.id, key=key, size=stored.size, etag=stored.md5, modified=float(int(call.now)),
                  meta=known, blob=stored.blob, data=stored.data)
    new = changes.put(call, bucket, new, "ObjectCreated:Put",
                      lambda current: conditions.check_write(params, key, current))
    return {"ETag": f'"{new.etag}"', **meta.encrypted(known), **meta.checksum(known), **_stored_version(bucket, new)}


def _stored_version(bucket: Bucket, new: Version) -> dict[str, Any]:
    """A new version's id; S3 leaves it out while versioning is suspended."""
    return {"VersionId": new.version} if bucket.versioning == "Enabled" else {}


def readable(call: Call, bucket: Bucket, key: str, data: bool, action: str = "s3:GetObject",
             method: str = "GET") -> Version:
    """The version that a read asks for; 403 instead of 404 for those who may not list the bucket."""
    if call.params.get("VersionId"):
        action = action.replace("GetObject", "GetObjectVersion")
    try:
        found = versions.resolve(call, bucket, versions.key_bytes(key, call.http), data, method)
    except AwsError as missing:
        if missing.status == 404 and not access.allowed(call, bucket, "s3:ListBucket", listing=key):
            raise access.denied() from missing
        raise
    access.require(call, bucket, action, key, {"Owner": bucket.account, **found.meta})
    return found


def get_object(call: Call) -> dict[str, Any]:
    """The object, or a range or part of it, streamed."""
    lease = content.files(call.world).lease()
    try:
        bucket, found, answer, (offset, length) = _read(call, data=True)
        if found.meta.get("StorageClass") in _FROZEN:
            raise AwsError("InvalidObjectState", "The operation is not valid for the object's storage class", 403,
                           {"StorageClass": found.meta["StorageClass"]})
        answer["Body"] = content.stretch(call, found, lease, offset, length)
    except BaseException:
        lease.end()
        raise
    return answer


def head_object(call: Call) -> dict[str, Any]:
    """What GetObject answers, without the bytes."""
    return _read(call, data=False)[2]


def _read(call: Call, data: bool) -> tuple[Bucket, Version, dict[str, Any], tuple[int, int]]:
    params = call.params
    meta.refuse_customer_keys(params)
    if call.http is not None and "x-amz-server-side-encryption" in call.http.headers:
        raise AwsError("InvalidArgument", "x-amz-server-side-encryption header is not supported for this operation.",
                       400, {"ArgumentName": "x-amz-server-side-encryption"})
    bucket = buckets.find(call)
    found = readable(call, bucket, params["Key"], data)
    conditions.check_read(params, found, call.now)
    answer = meta.described(call, bucket, found)
    offset, length = _wanted(call, found, answer)
    if params.get("ChecksumMode") == "ENABLED" and length == found.size:
        answer.update(meta.checksum(found.meta))
    return bucket, found, answer, (offset, length)


def _wanted(call: Call, found: Version, answer: dict[str, Any]) -> tuple[int, int]:
    """(offset, length) of what is asked for; a range or part also sets 206 and the headers that go with it."""
    params = call.params
    number, header = params.get("PartNumber"), params.get("Range")
    if number is not None:
        if header:
            raise AwsError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
        asked: tuple[int, int] | None = _part(call, found, int(number), answer)
    else:
        asked = ranges.parse(str(header), found.size) if header else None
    if asked is None:
        return 0, found.size
    offset, length = asked
    call.reply_status = 206
    answer["ContentLength"] = length
    if found.size:
        answer["ContentRange"] = f"bytes {offset}-{offset + length - 1}/{found.size}"
    else:
        call.reply_status = None
    return asked


def _part(call: Call, found: Version, number: int, answer: dict[str, Any]) -> tuple[int, int]:
    count = found.meta.get("Parts")
    row = None
    if found.upload:
        row = call.store.read(lambda c: c.execute(_PART, {"u": found.upload, "n": number}).first())
        answer["PartsCount"] = count
    elif number == 1:
        return 0, found.size
    if row is None:
        raise AwsError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416,
                       {"ActualPartCount": str(count or 1), "PartNumberRequested": str(number)})
    algorithm, _, kind = found.meta.get("Checksum", ["", "", ""])
    if call.params.get("ChecksumMode") == "ENABLED" and row.checksum and found.meta.get("ChecksumAsked"):
        answer.update({checksums.member(algorithm): row.checksum, "ChecksumType": kind})
    return row.start, row.size


def get_object_attributes(call: Call) -> dict[str, Any]:
    """The attributes named in the request: ETag, Checksum, ObjectParts, StorageClass, ObjectSize."""
    params = call.params
    wanted = _attribute_names(params.get("ObjectAttributes"))
    bucket = buckets.find(call)
    found = readable(call, bucket, params["Key"], False)
    answer: dict[str, Any] = {"LastModified": found.modified, **meta.version_id(bucket, found)}
    if "ETag" in wanted:
        answer["ETag"] = found.etag
    if "Checksum" in wanted:
        answer["Checksum"] = {name: value.partition("-")[0] if name != "ChecksumType" else value
                              for name, value in meta.checksum(found.meta).items()}
    if "ObjectParts" in wanted and found.upload:
        answer["ObjectParts"] = _attribute_parts(call, found)
    if "StorageClass" in wanted:
        answer["StorageClass"] = found.meta.get("StorageClass", "STANDARD")
    if "ObjectSize" in wanted:
        answer["ObjectSize"] = found.size
    return answer


def _attribute_names(given: Any) -> set[str]:
    names = {part.strip() for item in (given if isinstance(given, list) else [given or ""])
             for part in str(item).split(",") if part.strip()}
    if not names or not names <= {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}:
        raise AwsError("InvalidArgument", "Invalid attribute name specified.", 400,
                       {"ArgumentName": "x-amz-object-attributes"})
    return names


def _attribute_parts(call: Call, found: Version) -> dict[str, Any]:
    """The parts of a multipart object; listed one by one only where the upload named a checksum algorithm."""
    total = found.meta.get("Parts", 0)
    if not found.meta.get("ChecksumAsked"):
        return {"TotalPartsCount": total}
    limit = min(int(call.params.get("MaxParts") or 1000), 1000)
    marker = int(call.params.get("PartNumberMarker") or 0)
    query = sa.select(_P.number, _P.size, _P.checksum).where(
        _P.upload == found.upload, _P.number > marker, _P.start >= 0).order_by(_P.number).limit(limit + 1)
    rows = call.store.read(lambda c: c.execute(query).all())
    algorithm = found.meta["Checksum"][0]
    parts = [{"PartNumber": n, "Size": size, checksums.member(algorithm): value} for n, size, value in rows[:limit]]
    return {"TotalPartsCount": total, "PartNumberMarker": marker, "MaxParts": limit, "IsTruncated": len(rows) > limit,
            "NextPartNumberMarker": parts[-1]["PartNumber"] if parts else 0, "Parts": parts}
