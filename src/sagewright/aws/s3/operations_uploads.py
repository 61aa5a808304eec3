"""ListMultipartUploads: hand-written because it pages by key, upload id and common prefix at once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import access, listing, versions
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.operations_listing import encoder, page_size
from sagewright.aws.s3.operations_multipart import upload_entry
from sagewright.aws.s3.tables import UPLOADS
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_C = UPLOADS.c


class _Place:
    """A position in the order of uploads."""

    def __init__(self, key: bytes, identifier: str) -> None:
        self.key, self.id = key, identifier


def _walk(call: Call, bucket: Bucket) -> listing.Walk[Any]:
    def fetch(start: bytes, beyond: Any, stop: bytes | None, limit: int) -> list[Any]:
        query = sa.select(UPLOADS).where(_C.bucket == bucket.id, _C.done == "").order_by(_C.key, _C.id).limit(limit)
        if beyond is None:
            query = query.where(_C.key >= start)
        else:
            here = sa.tuple_(sa.literal(bytes(beyond.key)), sa.literal(beyond.id))
            query = query.where(sa.tuple_(_C.key, _C.id) > here)
        if stop is not None:
            query = query.where(_C.key < stop)
        return list(call.store.read(lambda c: c.execute(query).all()))

    return listing.Walk(fetch, lambda row: bytes(row.key), str(call.params.get("Prefix") or "").encode(),
                        str(call.params.get("Delimiter") or "").encode())


def list_multipart_uploads(call: Call) -> dict[str, Any]:
    """Uploads under way, by key and then by when they began."""
    params = call.params
    bucket = access.enter(call, "s3:ListBucketMultipartUploads")
    encoding, encode = encoder(params)
    marker, upload = str(params.get("KeyMarker") or ""), str(params.get("UploadIdMarker") or "")
    if upload and marker and versions.rank_of(upload) is None:
        raise AwsError("InvalidArgument", "Invalid uploadId marker", 400,
                       {"ArgumentName": "upload-id-marker", "ArgumentValue": upload})
    most = page_size(params, "MaxUploads", "max-uploads")
    place = _Place(marker.encode(), upload) if marker and upload else None
    page = _walk(call, bucket).page(marker.encode(), most, place)
    answer: dict[str, Any] = {"Bucket": bucket.name, "KeyMarker": encode(marker), "UploadIdMarker": upload, **encoding,
                              "MaxUploads": most, "IsTruncated": page.truncated,
                              "NextKeyMarker": encode(page.last.decode()),
                              "NextUploadIdMarker": page.last_row.id if page.last_row is not None else ""}
    for member in ("Prefix", "Delimiter"):
        if params.get(member):
            answer[member] = encode(params[member])
    if page.prefixes:
        answer["CommonPrefixes"] = [{"Prefix": encode(prefix.decode())} for prefix in page.prefixes]
    if page.rows:
        answer["Uploads"] = [upload_entry(bucket, row, encode) for row in page.rows]
    return answer
