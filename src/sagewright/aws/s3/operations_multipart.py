"""Multipart uploads: hand-written, because an upload is many bodies that become one object.

Completing copies no bytes: the part rows stay and become the object's stretches.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from sagewright.aws.s3 import (
    access,
    acl,
    buckets,
    changes,
    checksums,
    conditions,
    content,
    intake,
    meta,
    uploads,
    versions,
)
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.tables import PARTS, UPLOADS
from sagewright.aws.s3.uploads import Upload
from sagewright.aws.s3.versions import Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError


def create_multipart_upload(call: Call) -> dict[str, Any]:
    """Begin an upload; everything that a PutObject says about its object is said here."""
    params = call.params
    key = versions.key_bytes(params["Key"], call.http)
    bucket = access.enter(call, "s3:PutObject", params["Key"])
    algorithm, kind = uploads.checksum_choice(params)
    known = meta.of_request(call, bucket)
    newest = call.store.read(lambda c: versions.find(c, bucket, key, data=False))
    work = {"meta": known, "algorithm": algorithm, "kind": kind, "initiator": call.principal.arn,
            "seen": None if newest is None or newest.marker else newest.rank}
    identifier = versions.ordered_id(time.time_ns())
    row = {"id": identifier, "bucket": bucket.id, "key": key, "started": float(int(call.now)), "done": "",
           "meta": versions.pack(work)}
    try:
        call.store.write(lambda tx: tx.execute(UPLOADS.insert().values(row)))
    except sa.exc.IntegrityError as gone:
        raise buckets.no_such(bucket.name) from gone
    named = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else {}
    return {"Bucket": bucket.name, "Key": params["Key"], "UploadId": identifier, **named, **meta.encrypted(known)}


def found(call: Call, bucket: Bucket, done: bool = False) -> Upload:
    """The upload that the request names."""
    key, identifier = versions.key_bytes(call.params["Key"]), str(call.params["UploadId"])
    return call.store.read(lambda c: uploads.find(c, bucket, key, identifier, done))


def upload_part(call: Call) -> dict[str, Any]:
    """Store one part; a part of the same number is replaced."""
    params = call.params
    bucket = access.enter(call, "s3:PutObject", params["Key"])
    number = int(params["PartNumber"])
    uploads.check_number(number)
    intake.require_length(call.http)
    upload = found(call, bucket)
    promised = intake.promise(params, call.http.headers if call.http else None, upload.hashed)
    if upload.algorithm and promised.algorithm != upload.algorithm:
        raise AwsError("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: "
                       f"{upload.algorithm.lower()}, actual checksum Type: {promised.algorithm.lower()}")
    stored = intake.take(content.files(call.world), params.get("Body"), promised, [upload.hashed])
    keep_part(call, bucket, upload, number, stored)
    answer = {"ETag": f'"{stored.md5}"', **meta.encrypted(upload.meta)}
    if promised.asked or upload.algorithm:
        answer[checksums.member(promised.algorithm)] = stored.checksums[promised.algorithm]
    return answer


def keep_part(call: Call, bucket: Bucket, upload: Upload, number: int, stored: intake.Stored) -> None:
    """Commit a stored body as a part of the upload."""

    def change(tx: sa.Connection) -> tuple[None, list[str]]:
        uploads.find(tx, bucket, upload.key, upload.id)
        here = sa.and_(PARTS.c.upload == upload.id, PARTS.c.number == number)
        old = tx.execute(sa.select(PARTS.c.blob).where(here)).scalar()
        values = {"upload": upload.id, "number": number, "start": -1, "size": stored.size, "etag": stored.md5,
                  "modified": float(int(call.now)), "checksum": stored.checksums[upload.hashed], "blob": stored.blob,
                  "data": stored.data}
        if old is None:
            tx.execute(PARTS.insert().values(values))
        else:
            tx.execute(PARTS.update().where(here).values(values))
        return None, [old] if old else []

    changes.commit(call, change, [stored.blob] if stored.blob else [])


def abort_multipart_upload(call: Call) -> dict[str, Any]:
    """Forget an upload and its parts."""
    bucket = access.enter(call, "s3:AbortMultipartUpload", call.params["Key"])
    upload = found(call, bucket)

    def change(tx: sa.Connection) -> tuple[None, list[str]]:
        uploads.find(tx, bucket, upload.key, upload.id)
        blobs = [row.blob for row in uploads.part_rows(tx, upload).values() if row.blob]
        tx.execute(PARTS.delete().where(PARTS.c.upload == upload.id))
        tx.execute(UPLOADS.delete().where(UPLOADS.c.id == upload.id))
        return None, blobs

    changes.commit(call, change)
    return {}


def complete_multipart_upload(call: Call) -> dict[str, Any]:
    """Make the named parts one object. Completing again answers the same, as long as that object is there."""
    params = call.params
    bucket = access.enter(call, "s3:PutObject", params["Key"])
    conditions.check_write_form(params)
    upload = found(call, bucket, done=True)
    named = uploads.parts_named(params)

    def change(tx: sa.Connection) -> tuple[Version, list[str]]:
        versions.lock(tx, bucket, upload.key)
        now = uploads.find(tx, bucket, upload.key, upload.id, done=True)
        if now.done:
            return _completed(tx, bucket, now), []
        chosen = uploads.choose(upload, named, uploads.part_rows(tx, upload))
        new = _object(call, bucket, upload, chosen)
        unused = uploads.settle(tx, upload, chosen, new.etag)
        stored, more = versions.put(tx, bucket, new, lambda current: _check(call, upload, current))
        return stored, unused + more

    new = changes.commit(call, change)
    if not upload.done:
        changes.notify(call, bucket, "ObjectCreated:CompleteMultipartUpload", new)
    host = call.http.host if call.http is not None and call.http.host else f"s3.{bucket.region}.amazonaws.com"
    scheme = call.http.scheme if call.http is not None else "https"
    answer = {"Location": f"{scheme}://{host}/{bucket.name}/{quote(params['Key'])}", "Bucket": bucket.name,
              "Key": params["Key"], "ETag": f'"{new.etag}"', **meta.encrypted(new.meta), **meta.checksum(new.meta)}
    if bucket.versioning == "Enabled":
        answer["VersionId"] = new.version
    return answer


def _check(call: Call, upload: Upload, current: Version | None) -> None:
    """A conditional Complete also fails if the key changed while the upload was under way."""
    conditions.check_write(call.params, upload.key, current)
    for member, header in (("IfMatch", "If-Match"), ("IfNoneMatch", "If-None-Match")):
        if call.params.get(member) is not None and (None if current is None else current.rank) != upload.seen:
            raise AwsError("ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting "
                           "operation against this resource.", 409,
                           {"Condition": header, "Key": upload.key.decode()})


def _completed(tx: sa.Connection, bucket: Bucket, upload: Upload) -> Version:
    query = sa.select(versions.OBJECTS.c.version).where(
        versions.OBJECTS.c.bucket == bucket.id, versions.OBJECTS.c.key == upload.key,
        versions.OBJECTS.c.upload == upload.id)
    version = tx.execute(query).scalar()
    again = versions.find(tx, bucket, upload.key, version, data=False) if version else None
    if again is None:
        raise uploads.no_such(upload.id)
    return again


def _object(call: Call, bucket: Bucket, upload: Upload, chosen: list[Any]) -> Version:
    size = sum(row.size for row in chosen)
    claimed = call.params.get("MpuObjectSize")
    if claimed is not None and int(claimed) != size:
        raise AwsError("InvalidRequest", f"The provided 'x-amz-mp-object-size' header value {claimed} does not match "
                       f"what was computed: {size}")
    known = {**upload.meta, "Checksum": uploads.final_checksum(upload, call.params, chosen), "Parts": len(chosen)}
    if upload.algorithm:
        known["ChecksumAsked"] = True
    etag = checksums.multipart_etag([row.etag for row in chosen])
    return Version(bucket=bucket.id, key=upload.key, size=size, etag=etag, modified=float(int(call.now)), meta=known,
                   upload=upload.id)


def owners(bucket: Bucket, initiator: str, known: dict[str, Any]) -> dict[str, Any]:
    """Initiator and Owner as the listings show them."""
    account = known.get("Owner", bucket.account)
    root = initiator.endswith(":root") or not initiator.startswith("arn:")
    name = initiator.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    who = {"ID": acl.canonical_id(account) if root else initiator, "DisplayName": name}
    return {"Initiator": who, "Owner": acl.owner(account), "StorageClass": known.get("StorageClass", "STANDARD")}


def list_parts(call: Call) -> dict[str, Any]:
    """The parts of an upload under way, by number."""
    params = call.params
    bucket = access.enter(call, "s3:ListMultipartUploadParts", params["Key"])
    upload = found(call, bucket)
    most = 1000 if params.get("MaxParts") is None else min(int(params["MaxParts"]), 1000)
    marker = int(params.get("PartNumberMarker") or 0)
    c = PARTS.c
    query = sa.select(c.number, c.size, c.etag, c.modified, c.checksum).where(
        c.upload == upload.id, c.number > marker).order_by(c.number).limit(most + 1)
    rows = call.store.read(lambda connection: connection.execute(query).all())
    parts = []
    for row in rows[:most]:
        part = {"PartNumber": row.number, "LastModified": row.modified, "ETag": f'"{row.etag}"', "Size": row.size}
        parts.append({**part, **({checksums.member(upload.algorithm): row.checksum} if upload.algorithm else {})})
    answer = {"Bucket": bucket.name, "Key": params["Key"], "UploadId": upload.id, "PartNumberMarker": marker,
              "NextPartNumberMarker": parts[-1]["PartNumber"] if parts else 0, "MaxParts": most,
              "IsTruncated": len(rows) > most, **owners(bucket, upload.initiator, upload.meta)}
    if upload.algorithm:
        answer |= {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.kind}
    return {**answer, "Parts": parts} if parts else answer


def upload_entry(bucket: Bucket, row: Any, encode: Any) -> dict[str, Any]:
    """One upload as ListMultipartUploads shows it."""
    work = json.loads(row.meta)
    entry = {"UploadId": row.id, "Key": encode(bytes(row.key).decode()), "Initiated": row.started,
             **owners(bucket, work["initiator"], work["meta"])}
    if work["algorithm"]:
        entry |= {"ChecksumAlgorithm": work["algorithm"], "ChecksumType": work["kind"]}
    return entry
