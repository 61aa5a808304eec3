"""Bodies that are checked as they are read: aws-chunked in its three modes, good, altered, cut and badly framed."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Callable

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum

from sagewright.core import signing
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import sigv4
from sagewright.gateway.sigv4 import Verified
from tests.gateway.signed_requests import PRINCIPAL, refusal

SIGNED, SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER]
DATA = bytes(range(256)) * 800
CRC = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()


class Trickle:
    """A source that gives at most `step` bytes at a time, as sockets do."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step

    def read(self, n: int = -1) -> bytes:
        return self._data.read(self._step if n < 0 else min(n, self._step))


def verified(mode: str) -> Verified:
    return Verified(PRINCIPAL, "AKID", "us-west-2", "s3", "20260101", "20260101T000000Z", b"k" * 32, "0" * 64, mode)


def wire(mode: str, data: bytes = DATA, size: int = 65536, trailers: dict[str, str] | None = None) -> list[bytes]:
    """The pieces of an aws-chunked body: header line, data, line end, and so on."""
    seed, pieces = verified(mode), []
    previous = seed.signature
    trailers = {"x-amz-checksum-crc32": CRC} if trailers is None and mode.endswith("TRAILER") else trailers or {}
    for part in [data[at:at + size] for at in range(0, len(data), size)] + [b""]:
        line = f"{len(part):x}"
        if mode.startswith("STREAMING-AWS4"):
            text = (f"AWS4-HMAC-SHA256-PAYLOAD\n{seed.amz_date}\n{seed.scope}\n{previous}\n{signing.EMPTY_HASH}\n"
                    f"{hashlib.sha256(part).hexdigest()}")
            previous = signing.signature(seed.signing_key, text)
            line += f";chunk-signature={previous}"
        pieces += [f"{line}\r\n".encode(), part, b"\r\n"] if part else [f"{line}\r\n".encode()]
    for name, value in trailers.items():
        pieces.append(f"{name}:{value}\r\n".encode())
    if mode == SIGNED_TRAILER:
        lines = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        text = (f"AWS4-HMAC-SHA256-TRAILER\n{seed.amz_date}\n{seed.scope}\n{previous}\n"
                f"{hashlib.sha256(lines.encode()).hexdigest()}")
        pieces.append(f"x-amz-trailer-signature:{signing.signature(seed.signing_key, text)}\r\n".encode())
    return [*pieces, b"\r\n"]


def body_of(mode: str, sent: bytes, step: int = 1 << 20, length: int | None = len(DATA), trailer: str | None = None):
    announced = "x-amz-checksum-crc32" if trailer is None and mode.endswith("TRAILER") else trailer
    pairs = [("x-amz-content-sha256", mode), ("content-encoding", "aws-chunked")]
    pairs += [("x-amz-decoded-content-length", str(length))] if length is not None else []
    pairs += [("x-amz-trailer", announced)] if announced else []
    request = Request("PUT", "/b/k", "", Headers(pairs))
    return sigv4.verified_body(request, Trickle(sent, step), verified(mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("size", "step", "n"), [(65536, 1 << 20, 1 << 20), (65536, 1000, 999), (8192, 1, 70000),
                                                 (1, 1 << 20, 1 << 20), (1 << 20, 1 << 20, -1), (7, 13, 11)])
def test_a_good_body_is_decoded_whatever_the_sizes(mode: str, size: int, step: int, n: int) -> None:
    data = DATA if size > 7 else DATA[:5000]
    body = body_of(mode, b"".join(wire(mode, data, size)), step, len(data))
    got = b"".join(iter(lambda: body.read(n), b""))
    assert got == data
    assert body.trailers == ({"x-amz-checksum-crc32": CRC} if mode.endswith("TRAILER") else {})
    assert body.read(1) == b""


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_body_is_a_body(mode: str) -> None:
    assert body_of(mode, b"".join(wire(mode, b"")), length=0).read() == b""


def test_botocores_own_encoder_is_decoded() -> None:
    coded = AwsChunkedWrapper(io.BytesIO(DATA), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32",
                              chunk_size=1000).read()
    body = body_of(UNSIGNED_TRAILER, coded)
    assert (body.read(), body.trailers) == (DATA, {"x-amz-checksum-crc32": CRC})


def test_the_example_of_the_s3_documentation_verifies() -> None:
    headers = Headers([
        ("Host", "s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"), ("x-amz-content-sha256", SIGNED),
        ("Content-Encoding", "aws-chunked"), ("x-amz-decoded-content-length", "66560"), ("Content-Length", "66824"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
         "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
         "x-amz-decoded-content-length;x-amz-storage-class,"
         "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")])
    sent = b"".join([
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n", b"a" * 65536,
        b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n", b"a" * 1024,
        b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"])
    request = Request("PUT", "/examplebucket/chunkObject.txt", "", headers, io.BytesIO(sent))
    who = sigv4.authenticate(
        request, sent, lambda key: ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", PRINCIPAL, None), 1369353600.0,
        service="s3", protocol="s3")
    assert sigv4.verified_body(request, request.body, who).read() == b"a" * 66560


def _set(at: int, piece: bytes) -> Callable[[list[bytes]], bytes]:
    return lambda pieces: b"".join([*pieces[:at], piece, *(pieces[at + 1:] if at != -1 else [])])


SPOILT: dict[str, tuple[list[str], Callable[[list[bytes]], bytes], set[str]]] = {
    "data changed": ([SIGNED, SIGNED_TRAILER], lambda p: _set(1, b"X" + p[1][1:])(p), {"SignatureDoesNotMatch"}),
    "last data changed": ([SIGNED, SIGNED_TRAILER], lambda p: _set(10, b"X" + p[10][1:])(p), {"SignatureDoesNotMatch"}),
    "chunk signature changed": ([SIGNED, SIGNED_TRAILER], lambda p: _set(3, p[3][:-10] + b"00000000\r\n")(p),
                                {"SignatureDoesNotMatch"}),
    "chunk signature left out": ([SIGNED, SIGNED_TRAILER], lambda p: _set(0, b"10000\r\n")(p), {"IncompleteBody"}),
    "chunks swapped": ([SIGNED], lambda p: b"".join([*p[3:6], *p[:3], *p[6:]]), {"SignatureDoesNotMatch"}),
    "chunk left out": (MODES, lambda p: b"".join(p[3:]), {"SignatureDoesNotMatch", "IncompleteBody"}),
    "zero chunk unsigned": ([SIGNED], lambda p: _set(12, b"0\r\n")(p), {"IncompleteBody"}),
    "trailer changed": ([SIGNED_TRAILER], lambda p: b"".join(p).replace(CRC.encode(), b"AAAAAA=="),
                        {"SignatureDoesNotMatch"}),
    "trailer signature left out": ([SIGNED_TRAILER], lambda p: b"".join([*p[:-2], p[-1]]), {"SignatureDoesNotMatch"}),
    "trailer not announced": ([UNSIGNED_TRAILER, SIGNED], lambda p: b"".join([*p[:-1], b"x-evil: 1\r\n", p[-1]]),
                              {"MalformedTrailerError"}),
    "trailer left out": ([UNSIGNED_TRAILER], lambda p: b"".join([*p[:-2], p[-1]]), {"MalformedTrailerError"}),
    "trailer without a colon": ([UNSIGNED_TRAILER], lambda p: _set(-2, b"nothing\r\n")(p) + b"\r\n",
                                {"MalformedTrailerError"}),
    "endless trailer": ([UNSIGNED_TRAILER], lambda p: b"".join(p[:-2]) + b"x" * 70000, {"IncompleteBody"}),
    "many trailers": ([UNSIGNED_TRAILER], lambda p: b"".join(p[:-1]) + b"".join(
        b"x-%d:1\r\n" % at for at in range(200)), {"MalformedTrailerError"}),
    "not hexadecimal": (MODES, lambda p: _set(0, b"xyz\r\n")(p), {"IncompleteBody"}),
    "negative size": (MODES, lambda p: _set(0, b"-5\r\n")(p), {"IncompleteBody"}),
    "huge size": (MODES, lambda p: _set(0, b"ffffffffffffffff" + p[0][5:])(p), {"IncompleteBody"}),
    "endless size line": (MODES, lambda p: b"1" * 100000, {"IncompleteBody"}),
    "line end missing": (MODES, lambda p: _set(2, b"")(p), {"IncompleteBody", "SignatureDoesNotMatch"}),
    "no zero chunk": (MODES, lambda p: b"".join(p[:12]), {"IncompleteBody"}),
    "something after the end": (MODES, lambda p: b"".join(p) + b"more", {"IncompleteBody"}),
    "nothing at all": (MODES, lambda p: b"", {"IncompleteBody"}),
}


@pytest.mark.parametrize(("what", "mode"), [(what, mode) for what, row in SPOILT.items() for mode in row[0]])
@pytest.mark.parametrize("n", [-1, 65536, 1 << 20])
def test_a_spoilt_body_is_never_read_to_its_end(what: str, mode: str, n: int) -> None:
    _, spoil, codes = SPOILT[what]
    body = body_of(mode, spoil(wire(mode)))
    error = refusal(lambda: b"".join(iter(lambda: body.read(n), b"")))
    assert error.code in codes and error.status < 500


@pytest.mark.parametrize("mode", MODES)
def test_a_body_cut_anywhere_is_incomplete(mode: str) -> None:
    sent = b"".join(wire(mode, DATA[:3000], 1000))
    tail = len(wire(mode, DATA[:3000], 1000)[-1])
    for at in range(0, len(sent) - tail - 2, 61):
        body = body_of(mode, sent[:at], length=3000)
        assert refusal(body.read).code in {"IncompleteBody", "MalformedTrailerError", "SignatureDoesNotMatch"}, at


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1, 0])
def test_the_decoded_length_must_be_kept(mode: str, length: int) -> None:
    body = body_of(mode, b"".join(wire(mode)), length=length)
    assert refusal(body.read).code == "IncompleteBody"


def test_the_decoded_length_must_be_said() -> None:
    assert refusal(lambda: body_of(SIGNED, b"", length=None)).code == "MissingContentLength"


def test_the_last_bytes_wait_for_the_checks_even_if_nobody_reads_to_the_end() -> None:
    body = body_of(SIGNED, _set(12, b"0;chunk-signature=" + b"0" * 64 + b"\r\n")(wire(SIGNED)))
    with pytest.raises(AwsError):
        left = len(DATA)
        while left:
            left -= len(body.read(left))


# -- plain bodies --------------------------------------------------------------------------------------------------
def plain(data: bytes, mode: str, length: int | None):
    pairs = [("content-length", str(length))] if length is not None else [("transfer-encoding", "chunked")]
    return sigv4.verified_body(Request("PUT", "/b/k", "", Headers(pairs)), Trickle(data, 1000), verified(mode))


@pytest.mark.parametrize("length", [len(DATA), None])
@pytest.mark.parametrize("mode", [hashlib.sha256(DATA).hexdigest(), "UNSIGNED-PAYLOAD"])
def test_a_plain_body_is_read_as_it_is(mode: str, length: int | None) -> None:
    body = plain(DATA, mode, length)
    assert b"".join(iter(lambda: body.read(4096), b"")) == DATA


@pytest.mark.parametrize("length", [len(DATA), None])
def test_a_plain_body_that_hashes_otherwise_is_refused_before_its_end(length: int | None) -> None:
    body = plain(b"X" + DATA[1:], hashlib.sha256(DATA).hexdigest(), length)
    got: list[bytes] = []
    error = refusal(lambda: got.extend(iter(lambda: body.read(4096), b"")))
    assert error.code == "XAmzContentSHA256Mismatch" and len(b"".join(got)) <= len(DATA)
    assert refusal(lambda: body.read(1)).code == "XAmzContentSHA256Mismatch"


def test_a_plain_body_that_is_short_is_incomplete() -> None:
    body = plain(DATA, "UNSIGNED-PAYLOAD", len(DATA) + 1)
    assert refusal(lambda: list(iter(lambda: body.read(4096), b""))).code == "IncompleteBody"
