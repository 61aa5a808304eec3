"""The index of objects: rows of `s3_objects`, found, replaced and removed inside one transaction each.

Called by the object, copy, multipart and delete operations. Functions that take `tx` run on the store's writing
thread and are short. They return the names of blobs that the commit makes garbage; the caller retires those.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import buckets
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.tables import OBJECTS, PARTS, UPLOADS
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.http import Request

NULL = "null"
_EPOCH, _SKEW = 1_500_000_000 * 10**9, 30 * 86400 * 10**9
_C = OBJECTS.c
_HERE = (_C.bucket == sa.bindparam("b"), _C.key == sa.bindparam("k"))
_NEWEST = sa.select(OBJECTS).where(*_HERE).order_by(_C.rank).limit(1)
_EXACT = sa.select(OBJECTS).where(*_HERE, _C.version == sa.bindparam("v")).order_by(_C.rank).limit(1)
_BRIEF = sa.select(_C.id, _C.bucket, _C.key, _C.rank, _C.version, _C.current, _C.marker, _C.size, _C.etag,
                   _C.modified, _C.meta, _C.upload, _C.blob)
_NEWEST_BRIEF = _BRIEF.where(*_HERE).order_by(_C.rank).limit(1)
_EXACT_BRIEF = _BRIEF.where(*_HERE, _C.version == sa.bindparam("v")).order_by(_C.rank).limit(1)
_INSERT = OBJECTS.insert()
_REPLACE = OBJECTS.update().where(_C.id == sa.bindparam("row")).values(
    {name: sa.bindparam(name) for name in ("rank", "size", "etag", "modified", "meta", "upload", "blob", "data",
                                           "current", "marker")})
_DEMOTE = OBJECTS.update().where(_C.id == sa.bindparam("row")).values(current=0)
_REMOVE = OBJECTS.delete().where(_C.id == sa.bindparam("row"))
_PART_BLOBS = sa.select(PARTS.c.blob).where(PARTS.c.upload == sa.bindparam("u"), PARTS.c.blob != "")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one key, or a delete marker.

    `meta` holds what HeadObject answers under AWS's names, and ours: `Checksum` [algorithm, value, type], `Tags`,
    `Acl`, `Owner`, `Parts`. The bytes are `data`, the file `blob`, or the parts of `upload`.
    """

    bucket: int
    key: bytes
    size: int
    etag: str
    modified: float
    meta: dict[str, Any] = field(default_factory=dict)
    upload: str = ""
    blob: str = ""
    data: bytes | None = None
    version: str = NULL
    rank: int = 0
    marker: bool = False
    current: bool = True
    id: int = 0

    @property
    def name(self) -> str:
        """The key as text."""
        return self.key.decode()


def _of(record: Any) -> Version | None:
    if record is None:
        return None
    values = record._mapping
    data = values.get("data")
    return Version(bucket=values["bucket"], key=bytes(values["key"]), size=values["size"], etag=values["etag"],
                   modified=values["modified"], meta=json.loads(values["meta"]), upload=values["upload"],
                   blob=values["blob"], data=bytes(data) if data is not None else None, version=values["version"],
                   rank=values["rank"], marker=bool(values["marker"]), current=bool(values["current"]),
                   id=values["id"])


def key_bytes(key: str, request: Request | None = None) -> bytes:
    """A key as it is stored; KeyTooLongError above 1,024 bytes, InvalidURI for what is not UTF-8.

    The gateway decodes a path leniently, so a replacement character that the path does not spell out was no UTF-8.
    """
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        raise _bad_uri() from None
    if "\ufffd" in key and request is not None and "%EF%BF%BD" not in request.raw_path.upper():
        raise _bad_uri()
    if len(raw) > 1024:
        raise AwsError("KeyTooLongError", "Your key is too long", 400,
                       {"MaxSizeAllowed": "1024", "Size": str(len(raw))})
    return raw


def _bad_uri() -> AwsError:
    return AwsError("InvalidURI", "Couldn't parse the specified URI.")


def find(tx: sa.Connection, bucket: Bucket, key: bytes, version: str = "", data: bool = True) -> Version | None:
    """The newest version of the key, or the version named; with or without the bytes of small objects."""
    if version:
        return _of(tx.execute(_EXACT if data else _EXACT_BRIEF, {"b": bucket.id, "k": key, "v": version}).first())
    return _of(tx.execute(_NEWEST if data else _NEWEST_BRIEF, {"b": bucket.id, "k": key}).first())


def no_such_key(key: bytes) -> AwsError:
    """The error for a key that is not there."""
    return AwsError("NoSuchKey", "The specified key does not exist.", 404, {"Key": key.decode()})


def no_such_version(key: bytes, version: str) -> AwsError:
    """The error for a version that is not there."""
    return AwsError("NoSuchVersion", "The specified version does not exist.", 404,
                    {"Key": key.decode(), "VersionId": version})


def check_version_id(version: str) -> None:
    """Refuse a version id that was never given out."""
    if version != NULL and rank_of(version) is None:
        raise AwsError("InvalidArgument", "Invalid version id specified", 400,
                       {"ArgumentName": "versionId", "ArgumentValue": version})


def resolve(call: Call, bucket: Bucket, key: bytes, data: bool = True, method: str = "GET") -> Version:
    """The version that the request reads; the errors and headers of S3 for a delete marker or nothing."""
    wanted = str(call.params.get("VersionId") or "")
    if wanted:
        check_version_id(wanted)
    found = call.store.read(lambda c: find(c, bucket, key, wanted, data))
    if found is None:
        raise no_such_version(key, wanted) if wanted else no_such_key(key)
    if found.marker:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": found.version}
        if wanted:
            headers["last-modified"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(found.modified))
            raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405,
                           {"Method": method, "ResourceType": "DeleteMarker"}, {**headers, "allow": "DELETE"})
        missing = no_such_key(key)
        missing.headers.update(headers)
        raise missing
    return found


def ordered_id(moment: int) -> str:
    """A random id of 32 characters that sorts by `moment` (nanoseconds) once decoded: version and upload ids.

    The moment inside lets a listing go on after a version that was deleted between two pages.
    """
    raw = moment.to_bytes(8, "big") + secrets.token_bytes(16)
    return base64.urlsafe_b64encode(raw).decode().replace("-", ".")


def rank_of(identifier: str) -> int | None:
    """The rank inside an id that `ordered_id` made; None for any other text."""
    try:
        raw = base64.b64decode(identifier.replace(".", "-").encode(), altchars=b"-_", validate=True)
    except ValueError:
        return None
    moment = int.from_bytes(raw[:8], "big")
    return -moment if len(raw) == 24 and _EPOCH < moment < time.time_ns() + _SKEW else None


def lock(tx: sa.Connection, bucket: Bucket, key: bytes) -> None:
    """Serialise writers of one key; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:k, :b))"), {"b": bucket.id, "k": key.hex()})


Check = Callable[["Version | None"], None]


def put(tx: sa.Connection, bucket: Bucket, new: Version, check: Check | None = None) -> tuple[Version, list[str]]:
    """Make `new` the current version; `check(newest)` may refuse. Returns it as stored, and the blobs now unused."""
    lock(tx, bucket, new.key)
    newest = find(tx, bucket, new.key, data=False)
    if check is not None:
        check(None if newest is None or newest.marker else newest)
    rank = -time.time_ns()
    if newest is not None:
        rank = min(rank, newest.rank - 1)
    version = ordered_id(-rank) if bucket.versioning == "Enabled" else NULL
    new = replace(new, version=version, rank=rank, current=not new.marker)
    if version != NULL or newest is None:
        if newest is not None and newest.current:
            tx.execute(_DEMOTE, {"row": newest.id})
        _insert(tx, bucket, new)
        return new, []
    if newest.version == NULL:
        unused = blobs_of(tx, newest)
        tx.execute(_REPLACE, {"row": newest.id, **_values(new)})
        return new, unused
    return _put_null_over_versions(tx, bucket, new, newest)


def _put_null_over_versions(tx: sa.Connection, bucket: Bucket, new: Version,
                            newest: Version) -> tuple[Version, list[str]]:
    """Suspended versioning: the null version, wherever it is in the history, gives way to the new one."""
    unused: list[str] = []
    old = find(tx, bucket, new.key, NULL, data=False)
    if old is not None:
        unused = blobs_of(tx, old)
        tx.execute(_REMOVE, {"row": old.id})
    if newest.current:
        tx.execute(_DEMOTE, {"row": newest.id})
    _insert(tx, bucket, new)
    return new, unused


def _insert(tx: sa.Connection, bucket: Bucket, new: Version) -> None:
    try:
        tx.execute(_INSERT, {**_values(new), "bucket": new.bucket, "key": new.key, "version": new.version})
    except sa.exc.IntegrityError as gone:
        raise buckets.no_such(bucket.name) from gone


def _values(new: Version) -> dict[str, Any]:
    return {"rank": new.rank, "current": int(new.current), "marker": int(new.marker), "size": new.size,
            "etag": new.etag, "modified": new.modified, "upload": new.upload, "blob": new.blob, "data": new.data,
            "meta": pack(new.meta)}


def pack(meta: dict[str, Any]) -> str:
    """`meta` as it is stored."""
    return json.dumps(meta, separators=(",", ":"))


def set_meta(tx: sa.Connection, found: Version, meta: dict[str, Any]) -> None:
    """Change what is known about a version, without touching its bytes."""
    tx.execute(OBJECTS.update().where(_C.id == found.id).values(meta=pack(meta)))


def remove(tx: sa.Connection, bucket: Bucket, found: Version) -> list[str]:
    """Delete one version for good; the next newest becomes current. Returns the blobs now unused."""
    lock(tx, bucket, found.key)
    unused = blobs_of(tx, found)
    tx.execute(_REMOVE, {"row": found.id})
    if found.version != NULL or bucket.versioning:
        after = find(tx, bucket, found.key, data=False)
        if after is not None and not after.marker and not after.current:
            tx.execute(OBJECTS.update().where(_C.id == after.id).values(current=1))
    return unused


def blobs_of(tx: sa.Connection, found: Version) -> list[str]:
    """The blobs that hold a version's bytes; the part rows of a multipart object go at once."""
    if not found.upload:
        return [found.blob] if found.blob else []
    names = [name for (name,) in tx.execute(_PART_BLOBS, {"u": found.upload})]
    tx.execute(PARTS.delete().where(PARTS.c.upload == found.upload))
    tx.execute(UPLOADS.delete().where(UPLOADS.c.id == found.upload))
    return names


def unknown_blobs(tx: sa.Connection, names: list[str]) -> set[str]:
    """Which of these file names no row names (for the sweep after a start)."""
    known: set[str] = set()
    for table in (OBJECTS, PARTS):
        # `blob <> ''` is spelled out so that the partial index serves the query.
        query = sa.select(table.c.blob).where(sa.text(f"{table.name}.blob <> ''"), table.c.blob.in_(names))
        known.update(name for (name,) in tx.execute(query))
    return set(names) - known
