"""ListObjects, ListObjectsV2, ListObjectVersions: hand-written because prefixes and delimiters are S3's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from sagewright.aws.s3 import access, acl, listing, versions
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.tables import OBJECTS
from sagewright.aws.s3.versions import NULL
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

_C = OBJECTS.c
_LIMIT = 1000
_COLUMNS = (_C.key, _C.rank, _C.version, _C.marker, _C.size, _C.etag, _C.modified, _C.meta)
_CURRENT = sa.select(*_COLUMNS).where(_C.bucket == sa.bindparam("b"), _C.current == 1,
                                      _C.key >= sa.bindparam("start")).order_by(_C.key).limit(sa.bindparam("n"))
_CURRENT_UP_TO = _CURRENT.where(_C.key < sa.bindparam("stop"))
_ALL = sa.select(*_COLUMNS).where(_C.bucket == sa.bindparam("b"), _C.key >= sa.bindparam("start")).order_by(
    _C.key, _C.rank).limit(sa.bindparam("n"))
_ALL_UP_TO = _ALL.where(_C.key < sa.bindparam("stop"))
_BEYOND = sa.tuple_(_C.key, _C.rank) > sa.tuple_(sa.bindparam("start", type_=sa.LargeBinary),
                                            sa.bindparam("rank", type_=sa.BigInteger))
_REST = sa.select(*_COLUMNS).where(_C.bucket == sa.bindparam("b"), _BEYOND).order_by(_C.key, _C.rank).limit(
    sa.bindparam("n"))
_REST_UP_TO = _REST.where(_C.key < sa.bindparam("stop"))


def page_size(params: Mapping[str, Any], member: str = "MaxKeys", name: str = "max-keys") -> int:
    """How many entries a request wants, at most 1,000."""
    wanted = params.get(member)
    if wanted is None:
        return _LIMIT
    if int(wanted) < 0:
        raise AwsError("InvalidArgument", f"Argument {member[0].lower()}{member[1:]} must be an integer between 0 and "
                       "2147483647", 400, {"ArgumentName": name, "ArgumentValue": str(wanted)})
    return min(int(wanted), _LIMIT)


def encoder(params: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """`({"EncodingType": "url"}, quote)` where the request asks for it, else no change."""
    kind = params.get("EncodingType")
    if kind is None:
        return {}, str
    if kind != "url":
        raise AwsError("InvalidArgument", "Invalid Encoding Method specified in Request", 400,
                       {"ArgumentName": "encoding-type", "ArgumentValue": kind or None})
    return {"EncodingType": "url"}, lambda text: quote(text, safe="/*-._")


def _walk(call: Call, bucket: Bucket, every: bool = False) -> listing.Walk[Any]:
    def fetch(start: bytes, beyond: Any, stop: bytes | None, limit: int) -> list[Any]:
        values: dict[str, Any] = {"b": bucket.id, "start": start, "n": limit}
        if stop is not None:
            values["stop"] = stop
        if every and beyond is not None:
            query = _REST if stop is None else _REST_UP_TO
            values |= {"start": bytes(beyond.key), "rank": beyond.rank}
        elif every:
            query = _ALL if stop is None else _ALL_UP_TO
        else:
            values["start"] = start if beyond is None else bytes(beyond.key) + b"\0"
            query = _CURRENT if stop is None else _CURRENT_UP_TO
        return list(call.store.read(lambda c: c.execute(query, values).all()))

    return listing.Walk(fetch, lambda row: bytes(row.key), str(call.params.get("Prefix") or "").encode(),
                        str(call.params.get("Delimiter") or "").encode())


def _entry(row: Any, encode: Any) -> dict[str, Any]:
    known = json.loads(row.meta)
    entry = {"Key": encode(bytes(row.key).decode()), "LastModified": row.modified, "ETag": f'"{row.etag}"',
             "Size": row.size, "StorageClass": known.get("StorageClass", "STANDARD")}
    if "Checksum" in known:
        entry |= {"ChecksumAlgorithm": [known["Checksum"][0]], "ChecksumType": known["Checksum"][2]}
    return entry


def _owner(row: Any, bucket: Bucket) -> dict[str, str]:
    return acl.owner(json.loads(row.meta).get("Owner", bucket.account))


def _answer(call: Call, bucket: Bucket, page: listing.Page[Any], encode: Any) -> dict[str, Any]:
    params = call.params
    answer: dict[str, Any] = {"IsTruncated": page.truncated, "Name": bucket.name,
                              "Prefix": encode(str(params.get("Prefix") or "")), "MaxKeys": page_size(params)}
    if params.get("Delimiter"):
        answer["Delimiter"] = encode(params["Delimiter"])
    if page.prefixes:
        answer["CommonPrefixes"] = [{"Prefix": encode(prefix.decode())} for prefix in page.prefixes]
    return answer


def list_objects(call: Call) -> dict[str, Any]:
    """Version 1: pages by `Marker`; owners always included."""
    params = call.params
    bucket = access.enter(call, "s3:ListBucket")
    encoding, encode = encoder(params)
    marker = str(params.get("Marker") or "")
    page = _walk(call, bucket).page(marker.encode(), page_size(params))
    # Version 1 alone sends Prefix as it came: botocore does not decode it there.
    answer = {**_answer(call, bucket, page, encode), **encoding, "Marker": encode(marker),
              "Prefix": str(params.get("Prefix") or "")}
    if page.rows:
        answer["Contents"] = [{**_entry(row, encode), "Owner": _owner(row, bucket)} for row in page.rows]
    if page.truncated and params.get("Delimiter"):
        answer["NextMarker"] = encode(page.last.decode())
    return answer


def list_objects_v2(call: Call) -> dict[str, Any]:
    """Version 2: pages by an opaque token."""
    params = call.params
    bucket = access.enter(call, "s3:ListBucket")
    encoding, encode = encoder(params)
    token, first = params.get("ContinuationToken"), str(params.get("StartAfter") or "")
    after = _from_token(token) if token is not None else first.encode()
    page = _walk(call, bucket).page(after, page_size(params))
    answer = {**_answer(call, bucket, page, encode), **encoding, "KeyCount": len(page)}
    if page.rows:
        owned = bool(params.get("FetchOwner"))
        answer["Contents"] = [{**_entry(row, encode), **({"Owner": _owner(row, bucket)} if owned else {})}
                              for row in page.rows]
    if token is not None:
        answer["ContinuationToken"] = token
    if first:
        answer["StartAfter"] = encode(first)
    if page.truncated:
        answer["NextContinuationToken"] = "1" + base64.urlsafe_b64encode(page.last).decode()
    return answer


def _from_token(token: str) -> bytes:
    if not token:
        return b""
    try:
        if not token.startswith("1"):
            raise ValueError(token)
        return base64.b64decode(token[1:].encode(), altchars=b"-_", validate=True)
    except ValueError:
        raise AwsError("InvalidArgument", "The continuation token provided is incorrect", 400,
                       {"ArgumentName": "continuation-token"}) from None


def list_object_versions(call: Call) -> dict[str, Any]:
    """Every version and delete marker, newest first within a key."""
    params = call.params
    bucket = access.enter(call, "s3:ListBucketVersions")
    encoding, encode = encoder(params)
    marker, version = str(params.get("KeyMarker") or ""), str(params.get("VersionIdMarker") or "")
    page = _walk(call, bucket, every=True).page(marker.encode(), page_size(params),
                                                _version_place(call, bucket, marker, version))
    answer = {**_answer(call, bucket, page, encode), **encoding, "KeyMarker": encode(marker),
              "VersionIdMarker": version}
    groups: dict[str, list[dict[str, Any]]] = {"Versions": [], "DeleteMarkers": []}
    before = marker.encode() if version else None
    for row in page.rows:
        key = bytes(row.key)
        shared = {"IsLatest": key != before, "VersionId": row.version, "Owner": _owner(row, bucket)}
        before = key
        if row.marker:
            groups["DeleteMarkers"].append({"Key": encode(key.decode()), "LastModified": row.modified, **shared})
        else:
            groups["Versions"].append({**_entry(row, encode), **shared})
    answer |= {name: entries for name, entries in groups.items() if entries}
    if page.truncated:
        answer["NextKeyMarker"] = encode(page.last.decode())
        if page.last_row is not None:
            answer["NextVersionIdMarker"] = page.last_row.version
    return answer


class _Place:
    """A position in the version order that may belong to a version that is gone."""

    def __init__(self, key: bytes, rank: int) -> None:
        self.key, self.rank = key, rank


def _version_place(call: Call, bucket: Bucket, marker: str, version: str) -> Any:
    if not version:
        return None
    if not marker:
        raise AwsError("InvalidArgument", "A version-id marker cannot be specified without a key marker.", 400,
                       {"ArgumentName": "version-id-marker", "ArgumentValue": version})
    key = marker.encode()
    if version == NULL:
        found = call.store.read(lambda c: versions.find(c, bucket, key, NULL, data=False))
        return _Place(key, found.rank if found is not None else -2**62)
    rank = versions.rank_of(version)
    if rank is None:
        raise AwsError("InvalidArgument", "Invalid version id specified", 400,
                       {"ArgumentName": "version-id-marker", "ArgumentValue": version})
    return _Place(key, rank)
