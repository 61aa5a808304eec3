"""The bytes of a version: inline, one blob, or the parts of an upload, as one stretch.

Called by GetObject and by copies; calls the blob files and the parts table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3.files import Files, Lease
from sagewright.aws.s3.tables import PARTS
from sagewright.aws.s3.versions import Version
from sagewright.core.call import Call
from sagewright.core.world import World

BLOCK = 512 * 1024
_P = PARTS.c
_OVERLAP = sa.select(_P.start, _P.size, _P.blob, _P.data).where(
    _P.upload == sa.bindparam("u"), _P.start < sa.bindparam("end"), _P.start + _P.size > sa.bindparam("first"),
    _P.start >= 0).order_by(_P.start)


def files(world: World) -> Files:
    """The blob files of this server."""
    found = world.parts.get("s3_files")
    if found is None:
        found = world.parts.setdefault("s3_files", Files(Path(world.config.data_dir) / "s3"))
    return found


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one blob, or bytes."""

    offset: int
    length: int
    blob: str = ""
    data: bytes = b""


class Stream:
    """The bytes of a large object, block by block; holds a lease until it is exhausted, closed or collected."""

    def __init__(self, store: Files, lease: Lease, pieces: list[Piece]) -> None:
        self._store, self._lease, self._pieces = store, lease, pieces
        self.length = sum(piece.length for piece in pieces)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                if piece.blob:
                    yield from self._store.read(piece.blob, piece.offset, piece.length, BLOCK)
                else:
                    yield piece.data[piece.offset:piece.offset + piece.length]
        finally:
            self.close()

    def close(self) -> None:
        """End the lease; the gateway calls this when a client goes away."""
        self._lease.end()


def stretch(call: Call, found: Version, lease: Lease, offset: int, length: int) -> bytes | Stream:
    """`length` bytes of a version from `offset`. Takes over the lease."""
    if found.data is not None:
        lease.end()
        return found.data if length == found.size else found.data[offset:offset + length]
    if found.blob:
        return Stream(files(call.world), lease, [Piece(offset, length, found.blob)])
    return Stream(files(call.world), lease, _pieces(call, found, offset, length))


def _pieces(call: Call, found: Version, offset: int, length: int) -> list[Piece]:
    bounds = {"u": found.upload, "first": offset, "end": offset + length}
    rows: list[Any] = list(call.store.read(lambda c: c.execute(_OVERLAP, bounds).all())) if length else []
    pieces = []
    for start, size, blob, data in rows:
        first, last = max(offset, start), min(offset + length, start + size)
        pieces.append(Piece(first - start, last - first, blob, bytes(data) if data is not None else b""))
    return pieces


def whole(call: Call, found: Version, lease: Lease) -> Iterator[bytes]:
    """All bytes of a version, for copies that must read them."""
    body = stretch(call, found, lease, 0, found.size)
    return iter([body]) if isinstance(body, bytes) else iter(body)
