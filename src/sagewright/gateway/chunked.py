"""Request bodies that are checked while they are read: plain ones by length and hash, aws-chunked ones by framing.

`gateway/sigv4.py` makes them in `verified_body`; the S3 handlers read them, store what they read in a temporary file
and commit it only after `read` has returned `b""`. A body that is short, long, altered or badly framed raises AwsError.

Covered: STREAMING-AWS4-HMAC-SHA256-PAYLOAD, the same with -TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER; chunk and
trailer signatures; x-amz-decoded-content-length; trailers, as `.trailers` after the end (the store compares checksums).
Not covered: the ECDSA modes of Signature Version 4A, and event streams.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sagewright.core import signing
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Reader
from sagewright.gateway import refusals

_BLOCK = 1024 * 1024
_LONGEST_LINE = 16 * 1024
_MOST_TRAILERS = 64
_MOST_PARTS = 256  # tiny chunks give short reads instead of long lists
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;chunk-signature=([0-9a-f]{64}))?(?:;[^\r\n]*)?")
_DIGITS = re.compile(r"[0-9]{1,15}")
_SIGNATURE_TRAILER = "x-amz-trailer-signature"


def content_length(headers: Headers) -> int | None:
    """The Content-Length, if there is a readable one."""
    text = headers.get("content-length")
    return int(text) if _DIGITS.fullmatch(text) else None


class CheckedBody:
    """A plain body: its length against Content-Length, and its SHA-256 for `check`, before the last bytes go out."""

    def __init__(self, source: Reader, headers: Headers, check: Callable[[str], None] | None) -> None:
        self._source = source
        self._length = content_length(headers)
        self._hash = hashlib.sha256() if check is not None else None
        self._check = check
        self._count = 0
        self._ended = False
        self.trailers: dict[str, str] = {}

    def read(self, n: int = -1) -> bytes:
        """At most n bytes, `b""` at the end, all of it for n < 0."""
        if self._ended or n == 0:
            return b""
        data = self._source.read(n)
        self._count += len(data)
        if self._hash is not None and data:
            self._hash.update(data)
        # The end is known by the count before it is seen, so that the last bytes wait for the check.
        if not data or n < 0 or self._count == self._length:
            self._end()
        return data

    def _end(self) -> None:
        if self._length is not None and self._count != self._length:
            raise refusals.incomplete_body()
        if self._check is not None and self._hash is not None:
            self._check(self._hash.hexdigest())
        self._ended = True


@dataclass(slots=True)
class Seed:
    """What the chunk signatures of one request start from: its key, date, scope and own signature."""

    key: bytes = field(repr=False)
    amz_date: str
    scope: str
    signature: str = field(repr=False)

    def chunk(self, given: str, digest: str) -> None:
        """Check the next chunk's signature, given the SHA-256 of its data."""
        self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{self.amz_date}\n{self.scope}\n{self.signature}\n"
                   f"{signing.EMPTY_HASH}\n{digest}", given)

    def trailer(self, given: str, lines: bytes) -> None:
        """Check the signature over the trailing headers."""
        self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self.amz_date}\n{self.scope}\n{self.signature}\n"
                   f"{hashlib.sha256(lines).hexdigest()}", given)

    def _next(self, text: str, given: str) -> None:
        computed = signing.signature(self.key, text)
        if not hmac.compare_digest(computed.encode(), given.encode()):
            raise AwsError("SignatureDoesNotMatch", "The request signature we calculated does not match the signature "
                           "you provided. Check your key and signing method.", 403)
        self.signature = computed


class ChunkedBody:
    """An aws-chunked body, decoded. `seed` is set where chunks are signed, `trailing` where trailers may follow."""

    def __init__(self, source: Reader, headers: Headers, seed: Seed | None, *, trailing: bool) -> None:
        self._source = source
        self._seed = seed
        self._trailing = trailing
        self._length = _decoded_length(headers)
        self._announced = {name.strip().lower() for value in headers.all("x-amz-trailer")
                           for name in value.split(",") if name.strip()}
        self._block = memoryview(b"")  # what was read from the source and not used yet
        self._left = 0  # bytes of the current chunk still to come
        self._open = False  # inside a chunk
        self._hash = hashlib.sha256()
        self._given = ""
        self._count = 0
        self._ended = False
        self.trailers: dict[str, str] = {}

    def read(self, n: int = -1) -> bytes:
        """At most n bytes of the decoded body, `b""` at the end, all of it for n < 0."""
        if n < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        parts: list[memoryview] = []
        wanted = n
        while wanted > 0 and not self._ended and len(parts) < _MOST_PARTS:
            if not self._open:
                self._start()
                continue
            part = self._take(min(wanted, self._left))
            parts.append(part)
            wanted -= len(part)
        # The zero chunk and the trailers are read with the last data, so that this waits for all checks.
        while not self._ended and self._count == self._length and not self._open:
            self._start()
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _fill(self) -> None:
        data = self._source.read(_BLOCK)
        if not data:
            raise refusals.incomplete_body()
        self._block = memoryview(bytes(self._block) + data if self._block else data)

    def _take(self, n: int) -> memoryview:
        """Up to n bytes of the current chunk, without copying; closes the chunk after its last byte."""
        if not self._block:
            self._fill()
        part, self._block = self._block[:n], self._block[n:]
        if self._seed is not None:
            self._hash.update(part)
        self._left -= len(part)
        self._count += len(part)
        if not self._left:
            self._close()
        return part

    def _close(self) -> None:
        """The end of a chunk that had data: its line end and its signature."""
        while len(self._block) < 2:
            self._fill()
        if self._block[:2] != b"\r\n":
            raise refusals.incomplete_body()
        self._block = self._block[2:]
        self._open = False
        self._check_chunk()

    def _check_chunk(self) -> None:
        if self._seed is not None:
            self._seed.chunk(self._given, self._hash.hexdigest())

    def _start(self) -> None:
        """The line before a chunk; after the last chunk the trailers, to the end of the body."""
        found = _CHUNK.fullmatch(self._line() or b"")
        if found is None or (self._seed is not None and found[2] is None):
            raise refusals.incomplete_body()
        size = int(found[1], 16)
        self._given = (found[2] or b"").decode()
        if self._count + size > self._length:
            raise refusals.incomplete_body()
        if self._seed is not None:
            self._hash = hashlib.sha256()
        if size:
            self._left, self._open = size, True
            return
        if self._count != self._length:
            raise refusals.incomplete_body()
        self._check_chunk()
        self._finish()

    def _line(self) -> bytes | None:
        """The next line without its end; None at the end of the body."""
        seen = 0
        while True:
            # Chunk lines are short: look at a little first, so that tiny chunks do not cost a large copy each.
            head = bytes(self._block[:256])
            at = head.find(b"\n")
            if at < 0:
                head = bytes(self._block[:_LONGEST_LINE])
                at = head.find(b"\n", seen)
            if at >= 0:
                self._block = self._block[at + 1:]
                return head[:at].rstrip(b"\r")
            if len(head) >= _LONGEST_LINE:
                raise refusals.incomplete_body()
            seen = len(head)
            data = self._source.read(_BLOCK)
            if not data:
                if not head:
                    return None
                raise refusals.incomplete_body()
            self._block = memoryview(head + data)

    def _finish(self) -> None:
        lines, given = b"", ""
        while line := self._line():
            name, colon, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if not self._trailing or not colon or not name or len(self.trailers) >= _MOST_TRAILERS:
                raise _malformed_trailer()
            if name == _SIGNATURE_TRAILER:
                given = value
            else:
                self.trailers[name] = value
                lines += f"{name}:{value}\n".encode("latin-1")
        if set(self.trailers) != self._announced:
            raise _malformed_trailer()
        if self._seed is not None and self._trailing and (self.trailers or given):
            self._seed.trailer(given, lines)
        if self._block or self._source.read(1):
            raise refusals.incomplete_body()
        self._ended = True


def _decoded_length(headers: Headers) -> int:
    text = headers.get("x-amz-decoded-content-length")
    if not text:
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    if not _DIGITS.fullmatch(text):
        raise AwsError("InvalidArgument", "x-amz-decoded-content-length must be a number.", 400,
                       {"ArgumentName": "x-amz-decoded-content-length", "ArgumentValue": text[:128]})
    return int(text)


def _malformed_trailer() -> AwsError:
    return AwsError("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not "
                    "conform to our published schema.", 400)
