"""The checksums of S3: running digests, composite and full-object values of multipart uploads, and what a request asks.

Called by `intake` (bodies) and the multipart and copy operations. Speed comes from awscrt and hashlib; both release
the interpreter lock on large blocks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from awscrt import checksums as crt

from sagewright.core.errors import AwsError

DEFAULT = "CRC64NVME"
FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


class Digest(Protocol):
    """A checksum that is being computed."""

    def update(self, block: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic checksum as a running digest."""

    def __init__(self, step: Callable[[bytes, int], int], width: int) -> None:
        self._step, self._width, self._value = step, width, 0

    def update(self, block: bytes, /) -> None:
        self._value = self._step(block, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


class _XX:
    """An XXHash as a running digest."""

    def __init__(self, hasher: Any) -> None:
        self._hasher = hasher

    def update(self, block: bytes, /) -> None:
        self._hasher.update(block)

    def digest(self) -> bytes:
        return bytes(self._hasher.finalize())


_MAKERS: dict[str, Callable[[], Digest]] = {
    "CRC32": lambda: _Crc(crt.crc32, 4),
    "CRC32C": lambda: _Crc(crt.crc32c, 4),
    "CRC64NVME": lambda: _Crc(crt.crc64nvme, 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
    "XXHASH64": lambda: _XX(crt.XXHash.new_xxhash64()),
    "XXHASH3": lambda: _XX(crt.XXHash.new_xxhash3_64()),
    "XXHASH128": lambda: _XX(crt.XXHash.new_xxhash3_128()),
}
_COMBINE = {"CRC32": (crt.combine_crc32, 4), "CRC32C": (crt.combine_crc32c, 4), "CRC64NVME": (crt.combine_crc64nvme, 8)}
ALGORITHMS = tuple(_MAKERS)
LENGTHS = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "SHA512": 64, "MD5": 16,
           "XXHASH64": 8, "XXHASH3": 8, "XXHASH128": 16}


def new(algorithm: str) -> Digest:
    """A running digest of that algorithm."""
    return _MAKERS[algorithm]()


def member(algorithm: str) -> str:
    """The member that carries this checksum: CRC32 -> ChecksumCRC32."""
    return f"Checksum{algorithm}"


def header(algorithm: str) -> str:
    """The header or trailer that carries this checksum."""
    return f"x-amz-checksum-{algorithm.lower()}"


def text(digest: bytes) -> str:
    """A digest as S3 writes it: base64."""
    return base64.b64encode(digest).decode()


def of(algorithm: str, data: bytes) -> str:
    """The checksum of these bytes, as S3 writes it."""
    running = new(algorithm)
    running.update(data)
    return text(running.digest())


def combines(algorithm: str) -> bool:
    """Whether the checksum of a whole follows from the checksums and sizes of its parts."""
    return algorithm in _COMBINE


def default_type(algorithm: str) -> str:
    """The checksum type of a multipart upload that names only the algorithm."""
    return FULL if algorithm == "CRC64NVME" else COMPOSITE


def composite(algorithm: str, parts: Iterable[str]) -> str:
    """The checksum of the parts' checksums, with the number of parts: `base64-N`."""
    running, count = new(algorithm), 0
    for part in parts:
        running.update(base64.b64decode(part))
        count += 1
    return f"{text(running.digest())}-{count}"


def combined(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """The full-object checksum from the (checksum, size) of each part."""
    combine, width = _COMBINE[algorithm]
    value = 0
    for part, size in parts:
        value = combine(value, int.from_bytes(base64.b64decode(part), "big"), size)
    return text(value.to_bytes(width, "big"))


def multipart_etag(parts: Iterable[str]) -> str:
    """The ETag of a multipart object from the parts' MD5s: the MD5 of their digests, and how many there are."""
    digests = [binascii.unhexlify(part.split("-")[0]) for part in parts]
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def given(params: Mapping[str, Any]) -> tuple[str, str]:
    """The (algorithm, value) of the checksum header in a request, or ("", "")."""
    found = [(name, str(params[member(name)])) for name in ALGORITHMS if params.get(member(name))]
    if len(found) > 1:
        raise AwsError("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                       "allowed.")
    return found[0] if found else ("", "")


def check_form(algorithm: str, value: str) -> None:
    """Refuse a checksum value that no body can have."""
    try:
        fits = len(base64.b64decode(value, validate=True)) == LENGTHS[algorithm]
    except (binascii.Error, ValueError):
        fits = False
    if not fits:
        raise AwsError("InvalidRequest", f"Value for {header(algorithm)} header is invalid.")


def algorithm_named(name: str, where: str = "x-amz-sdk-checksum-algorithm") -> str:
    """The algorithm of that name in a request; AwsError for one that S3 lacks."""
    wanted = name.upper()
    if wanted not in _MAKERS:
        raise AwsError("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the "
                       "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]" if "amz" in where else
                       f"Value for {where} header is invalid.")
    return wanted
