"""Taking a body in: read once, hash once, keep small bodies in memory and write large ones to a blob.

Called by PutObject, UploadPart and the copies that must rewrite bytes. MD5 (the ETag) is the slowest of what is done
to a body, so for large blocks it runs on a second thread while this one reads, computes the CRC and writes.
"""

from __future__ import annotations

import base64
import binascii
import concurrent.futures as futures
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagewright.aws.s3 import checksums
from sagewright.aws.s3.files import Draft, Files, storage_error
from sagewright.core.errors import AwsError
from sagewright.core.http import Reader, Request

INLINE = 32 * 1024
BLOCK = 1024 * 1024
LIMIT = 5 * 1024**3
_SETTLE = 64 * BLOCK
_FAST = {"CRC32", "CRC32C", "CRC64NVME", "XXHASH64", "XXHASH3", "XXHASH128"}
_POOL = futures.ThreadPoolExecutor(max_workers=16, thread_name_prefix="s3-hash")


@dataclass(frozen=True, slots=True)
class Stored:
    """A body that was taken in. Exactly one of `data` and `blob` holds it; nothing names the blob yet."""

    size: int
    md5: str
    checksums: Mapping[str, str]
    data: bytes | None = None
    blob: str = ""


class Hashes:
    """MD5 and other checksums over the same blocks."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._others = {name: checksums.new(name) for name in algorithms}
        self._slow = [self._md5, *(d for name, d in self._others.items() if name not in _FAST)]
        self._fast = [d for name, d in self._others.items() if name in _FAST]
        self._waiting: list[futures.Future[None]] = []

    def update(self, block: bytes) -> None:
        """Feed a block; large blocks are hashed on other threads, which `wait` joins."""
        self.wait()
        if len(block) < BLOCK // 4:
            for digest in (*self._slow, *self._fast):
                digest.update(block)
            return
        self._waiting = [_POOL.submit(digest.update, block) for digest in self._slow]
        for digest in self._fast:
            digest.update(block)

    def wait(self) -> None:
        """Until every block that was fed has been hashed."""
        for future in self._waiting:
            future.result()
        self._waiting.clear()

    def digests(self) -> tuple[str, dict[str, str]]:
        """The MD5 in hexadecimal and the other checksums as S3 writes them."""
        self.wait()
        return self._md5.hexdigest(), {name: checksums.text(d.digest()) for name, d in self._others.items()}


def blocks(body: Reader | bytes | None, size: int = BLOCK) -> Iterator[bytes]:
    """The body in blocks of `size`, whatever pieces the reader hands out."""
    if body is None or isinstance(body, (bytes, bytearray, str)):
        raw = body.encode() if isinstance(body, str) else bytes(body or b"")
        yield from (raw[at:at + size] for at in range(0, len(raw), size))
        return
    pieces: list[bytes] = []
    held = 0
    while piece := body.read(size - held):
        pieces.append(piece)
        held += len(piece)
        if held >= size:
            yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces, held = [], 0
    if pieces:
        yield b"".join(pieces)


def store(files: Files, source: Iterator[bytes], algorithms: Iterable[str], limit: int = LIMIT) -> Stored:
    """Keep all of `source`; on any failure nothing is left behind."""
    hashes = Hashes(algorithms)
    first = next(source, b"")
    second = next(source, b"") if len(first) >= BLOCK else b""
    if len(first) <= INLINE and not second:
        hashes.update(first)
        return Stored(len(first), *hashes.digests(), data=first)
    draft = files.draft()
    anchored = _POOL.submit(draft.anchor)
    try:
        size = _write(draft, hashes, _chain(first, second, source), limit)
        digests = hashes.digests()
        name = draft.finish()
        anchored.result()
        return Stored(size, *digests, blob=name)
    except BaseException as broken:
        draft.discard()
        if isinstance(broken, OSError) and not isinstance(broken, ConnectionError):
            raise storage_error(broken) from broken
        raise


def _chain(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    if second:
        yield second
    yield from rest


def _write(draft: Draft, hashes: Hashes, source: Iterator[bytes], limit: int) -> int:
    size = unsettled = 0
    settling: futures.Future[None] | None = None
    try:
        for block in source:
            size += len(block)
            if size > limit:
                raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400,
                               {"ProposedSize": size, "MaxSizeAllowed": limit})
            hashes.update(block)
            draft.write(block)
            unsettled += len(block)
            if unsettled >= _SETTLE and (settling is None or settling.done()):
                if settling is not None:
                    settling.result()
                settling, unsettled = _POOL.submit(draft.settle), 0
    finally:
        hashes.wait()
        if settling is not None:
            settling.result()
    return size


@dataclass(frozen=True, slots=True)
class Promise:
    """What the request says about its body: a checksum (value now, or in a trailer) and an MD5."""

    algorithm: str
    value: str = ""
    trailer: str = ""
    md5: str = ""
    asked: bool = False


def require_length(request: Request | None) -> None:
    """411 for a body that announces neither a length nor chunks."""
    if request is not None and "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)


def promise(params: Mapping[str, Any], headers: Any, default: str = checksums.DEFAULT) -> Promise:
    """Read what the request promises, refusing what no body could fulfil."""
    md5 = _content_md5(params)
    algorithm, value = checksums.given(params)
    trailer = next((name.strip() for name in headers.get("x-amz-trailer").lower().split(",")
                    if name.strip().startswith("x-amz-checksum-")), "") if headers is not None else ""
    named = str(params.get("ChecksumAlgorithm") or "")
    wanted = checksums.algorithm_named(named) if named else ""
    if algorithm:
        if wanted and wanted != algorithm:
            raise AwsError("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        checksums.check_form(algorithm, value)
        return Promise(algorithm, value, md5=md5, asked=True)
    if trailer:
        return Promise(checksums.algorithm_named(trailer.removeprefix("x-amz-checksum-")), trailer=trailer, md5=md5,
                       asked=True)
    if wanted and headers is not None and "x-amz-sdk-checksum-algorithm" in headers:
        raise AwsError("InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding "
                       "x-amz-checksum-* or x-amz-trailer headers were found.")
    return Promise(wanted or default, md5=md5, asked=bool(wanted))


def _content_md5(params: Mapping[str, Any]) -> str:
    given = params.get("ContentMD5")
    if given is None:
        return ""
    try:
        digest = base64.b64decode(str(given), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.", 400, {"Content-MD5": str(given)})
    return digest.hex()


def verify(stored: Stored, promised: Promise, body: Any) -> None:
    """Compare the body with what the request promised; AwsError BadDigest where they differ."""
    if promised.md5 and promised.md5 != stored.md5:
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.", 400,
                       {"ExpectedDigest": base64.b64encode(bytes.fromhex(promised.md5)).decode(),
                        "CalculatedDigest": base64.b64encode(bytes.fromhex(stored.md5)).decode()})
    expected = promised.value
    if promised.trailer:
        trailers = {name.lower(): value for name, value in (getattr(body, "trailers", None) or {}).items()}
        expected = str(trailers.get(promised.trailer, "")).strip()
        if not expected:
            raise AwsError("MalformedTrailerError", "The request contained trailing data that was not well-formed or "
                           "did not conform to our published schema.")
        checksums.check_form(promised.algorithm, expected)
    if expected and expected != stored.checksums[promised.algorithm]:
        raise AwsError("BadDigest", f"The {promised.algorithm} you specified did not match the calculated checksum.")


def take(files: Files, body: Any, promised: Promise, also: Iterable[str] = ()) -> Stored:
    """Store a body and verify it; nothing stays on disk if it is not what was promised."""
    stored = store(files, blocks(body), {promised.algorithm, *also})
    try:
        verify(stored, promised, body)
    except AwsError:
        files.retire([stored.blob])
        raise
    return stored
