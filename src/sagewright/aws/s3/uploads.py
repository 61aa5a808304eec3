"""Multipart uploads as rows: found, listed, and their parts checked against what a Complete names.

Called by the multipart operations; calls the store. The checks are pure functions over rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import checksums
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.tables import PARTS, UPLOADS
from sagewright.core.errors import AwsError

SMALLEST = 5 * 1024 * 1024
MOST = 10_000
_FIND = sa.select(UPLOADS).where(UPLOADS.c.id == sa.bindparam("u"))
_PARTS = sa.select(PARTS.c.number, PARTS.c.size, PARTS.c.etag, PARTS.c.checksum, PARTS.c.blob).where(
    PARTS.c.upload == sa.bindparam("u"))


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload. `meta` becomes the object's; algorithm and kind are "" where the request named none."""

    id: str
    key: bytes
    started: float
    done: str
    meta: dict[str, Any]
    algorithm: str
    kind: str
    initiator: str
    seen: int | None

    @property
    def hashed(self) -> str:
        """The checksum algorithm that parts are kept under."""
        return self.algorithm or checksums.DEFAULT

    @property
    def type(self) -> str:
        """The checksum type of the finished object."""
        return self.kind or checksums.FULL


def no_such(upload: str) -> AwsError:
    """The error for an upload that is not there (any more)."""
    return AwsError("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload "
                    "may have been aborted or completed.", 404, {"UploadId": upload})


def of(record: Any) -> Upload:
    """The upload that a row stands for."""
    work = json.loads(record.meta)
    return Upload(record.id, bytes(record.key), record.started, record.done, work["meta"], work["algorithm"],
                  work["kind"], work["initiator"], work["seen"])


def find(tx: sa.Connection, bucket: Bucket, key: bytes, upload: str, done: bool = False) -> Upload:
    """The upload of that id for this key; NoSuchUpload otherwise, or if it is done and `done` is not asked for."""
    record = tx.execute(_FIND, {"u": upload}).first()
    if record is None or record.bucket != bucket.id or bytes(record.key) != key or (record.done and not done):
        raise no_such(upload)
    return of(record)


def checksum_choice(params: Mapping[str, Any]) -> tuple[str, str]:
    """(algorithm, type) that a CreateMultipartUpload names, "" where it does not."""
    named, kind = str(params.get("ChecksumAlgorithm") or ""), str(params.get("ChecksumType") or "")
    if not named:
        if kind:
            raise AwsError("InvalidRequest", "The x-amz-checksum-type header can only be used with the "
                           "x-amz-checksum-algorithm header.")
        return "", ""
    algorithm = checksums.algorithm_named(named)
    kind = kind or checksums.default_type(algorithm)
    fits = {checksums.FULL: checksums.combines(algorithm), checksums.COMPOSITE: algorithm != "CRC64NVME"}
    if kind not in fits:
        raise AwsError("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if not fits[kind]:
        raise AwsError("InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm.lower()} "
                       "checksum algorithm.")
    return algorithm, kind


def parts_named(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts that a Complete lists: at least one, numbers in range and ascending."""
    document = params.get("MultipartUpload")
    if document is None:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                       "published schema")
    parts = document.get("Parts") or []
    if not parts:
        raise AwsError("InvalidRequest", "You must specify at least one part")
    before = 0
    for part in parts:
        number = int(part.get("PartNumber") or 0)
        check_number(number)
        if number < before:
            raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by "
                           "part number.", 400, {"UploadId": str(params["UploadId"])})
        before = number
    return list({int(part["PartNumber"]): part for part in parts}.values())  # of a number named twice, the last counts


def check_number(number: int) -> None:
    """InvalidArgument for a part number outside 1 to 10,000."""
    if not 1 <= number <= MOST:
        raise AwsError("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", 400,
                       {"ArgumentName": "partNumber", "ArgumentValue": str(number)})


def choose(upload: Upload, named: Sequence[Mapping[str, Any]], rows: Mapping[int, Any]) -> list[Any]:
    """The part rows that make up the object, each as the request describes it and large enough."""
    chosen = []
    for part in named:
        number, etag = int(part["PartNumber"]), str(part.get("ETag") or "").strip('"')
        row = rows.get(number)
        if row is None or row.etag != etag:
            raise _invalid_part(upload, number, etag)
        _check_part_checksum(upload, part, number, row)
        chosen.append(row)
    for row in chosen[:-1]:
        if row.size < SMALLEST:
            raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400,
                           {"ETag": row.etag, "MinSizeAllowed": str(SMALLEST), "PartNumber": str(row.number),
                            "ProposedSize": str(row.size)})
    return chosen


def _invalid_part(upload: Upload, number: int, etag: str) -> AwsError:
    return AwsError("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been "
                    "uploaded, or the specified entity tag may not match the part's entity tag.", 400,
                    {"ETag": etag, "PartNumber": str(number), "UploadId": upload.id})


def _check_part_checksum(upload: Upload, part: Mapping[str, Any], number: int, row: Any) -> None:
    algorithm, value = checksums.given(part)
    if not algorithm:
        if upload.kind == checksums.COMPOSITE:
            raise AwsError("InvalidRequest", f"The upload was created using a {upload.algorithm.lower()} checksum. The "
                           "complete request must include the checksum for each part. It was missing for part "
                           f"{number} in the request.")
        return
    if upload.algorithm and algorithm != upload.algorithm:
        raise AwsError("BadDigest", f"The {algorithm.lower()} you specified for part {number} did not match what we "
                       "received.")
    if algorithm != upload.hashed or value != row.checksum:
        raise _invalid_part(upload, number, row.etag)


def final_checksum(upload: Upload, params: Mapping[str, Any], chosen: Sequence[Any]) -> list[str]:
    """[algorithm, value, type] of the finished object, compared with what the Complete says it is."""
    wanted_type = params.get("ChecksumType")
    if wanted_type and wanted_type != (upload.kind or "null"):
        raise AwsError("InvalidRequest", f"The upload was created using the {upload.kind or 'null'} checksum mode. The "
                       "complete request must use the same checksum mode.")
    algorithm = upload.hashed
    if upload.type == checksums.COMPOSITE:
        value = checksums.composite(algorithm, [row.checksum for row in chosen])
    else:
        value = checksums.combined(algorithm, [(row.checksum, row.size) for row in chosen])
    given, claimed = checksums.given(params)
    if given and (given != algorithm or claimed.split("-")[0] != value.split("-")[0]):
        raise AwsError("BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.")
    return [algorithm, value, upload.type]


def part_rows(tx: sa.Connection, upload: Upload) -> dict[int, Any]:
    """Every part of the upload by number."""
    return {row.number: row for row in tx.execute(_PARTS, {"u": upload.id})}


def settle(tx: sa.Connection, upload: Upload, chosen: Sequence[Any], etag: str) -> list[str]:
    """Turn the chosen parts into the object's bytes, drop the others; returns the blobs of those."""
    keep = {row.number for row in chosen}
    dropped = [row for row in part_rows(tx, upload).values() if row.number not in keep]
    for row in dropped:
        tx.execute(PARTS.delete().where(PARTS.c.upload == upload.id, PARTS.c.number == row.number))
    place = PARTS.update().where(PARTS.c.upload == upload.id, PARTS.c.number == sa.bindparam("n")).values(
        start=sa.bindparam("at"))
    at, places = 0, []
    for row in chosen:
        places.append({"n": row.number, "at": at})
        at += row.size
    tx.execute(place, places)
    tx.execute(UPLOADS.update().where(UPLOADS.c.id == upload.id).values(done=etag))
    return [row.blob for row in dropped if row.blob]
