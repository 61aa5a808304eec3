"""Checksums: known values, composites, and full-object values combined from parts."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib

import pytest

from sagewright.aws.s3 import checksums, intake
from sagewright.core.errors import AwsError

HELLO = {"CRC32": zlib.crc32(b"hello").to_bytes(4, "big"), "SHA1": hashlib.sha1(b"hello").digest(),
         "SHA256": hashlib.sha256(b"hello").digest(), "MD5": hashlib.md5(b"hello").digest(),
         "SHA512": hashlib.sha512(b"hello").digest(), "CRC32C": bytes.fromhex("9a71bb4c")}


@pytest.mark.parametrize("algorithm", HELLO)
def test_a_checksum_of_known_bytes(algorithm: str) -> None:
    assert checksums.of(algorithm, b"hello") == base64.b64encode(HELLO[algorithm]).decode()


def test_crc64nvme_of_the_published_check_string() -> None:
    assert checksums.of("CRC64NVME", b"123456789") == base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()


@pytest.mark.parametrize("algorithm", checksums.ALGORITHMS)
def test_a_checksum_does_not_depend_on_how_the_bytes_were_cut(algorithm: str) -> None:
    running = checksums.new(algorithm)
    for piece in (b"he", b"", b"llo ", b"world"):
        running.update(piece)
    assert checksums.text(running.digest()) == checksums.of(algorithm, b"hello world")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_full_object_checksum_follows_from_its_parts(algorithm: str) -> None:
    parts = [b"a" * 1000, b"b", b"", b"c" * 12345]
    values = [(checksums.of(algorithm, part), len(part)) for part in parts]
    assert checksums.combined(algorithm, values) == checksums.of(algorithm, b"".join(parts))


def test_a_composite_checksum_is_that_of_the_parts_digests() -> None:
    # Recorded from AWS by LocalStack: two parts of 5 MiB + 1 "a" with SHA256.
    part = "DjU70AB1bON8k0n0fVHv2PJQVWcA/jWsITp6ti20Tbs="
    assert checksums.composite("SHA256", [part, part]) == "2Wjxbc3N6c1y3Eqve6x8X+xPy4qXhB1vAMgge0qeZJM=-2"


def test_a_multipart_etag_is_the_md5_of_the_parts_digests() -> None:
    part = "c4c753e69bb853187f5854c46cf801c6"
    assert checksums.multipart_etag([part, part]) == "14cb3f95b2dfe6bd47fb59d47949e00e-2"


class Trailing(io.BytesIO):
    """A body with trailers, as the gateway hands out."""

    trailers: dict[str, str] = {}


@pytest.mark.parametrize(("params", "code"), [
    ({"ContentMD5": "not base64"}, "InvalidDigest"), ({"ContentMD5": "MTIz"}, "InvalidDigest"),
    ({"ContentMD5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
    ({"ChecksumCRC32": "bad"}, "InvalidRequest"), ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
    ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, "BadDigest"),
    ({"ChecksumCRC32": "AAAAAA==", "ChecksumSHA1": "x"}, "InvalidRequest"),
    ({"ChecksumAlgorithm": "CRC9"}, "InvalidRequest")])
def test_a_body_that_is_not_what_was_promised_is_refused(tmp_path, params: dict[str, str], code: str) -> None:
    store = intake.Files(tmp_path)
    with pytest.raises(AwsError) as refused:
        intake.take(store, io.BytesIO(b"x" * 100_000), intake.promise(params, None))
    assert refused.value.code == code
    assert not list(tmp_path.glob("*/*")), "nothing may be left on disk"


@pytest.mark.parametrize(("sent", "code"), [("AAAAAA==", "BadDigest"), ("", "MalformedTrailerError")])
def test_a_wrong_trailing_checksum_is_refused(tmp_path, sent: str, code: str) -> None:
    body = Trailing(b"hello")
    body.trailers = {"x-amz-checksum-crc32": sent} if sent else {}
    with pytest.raises(AwsError) as refused:
        intake.take(intake.Files(tmp_path), body, intake.Promise("CRC32", trailer="x-amz-checksum-crc32"))
    assert refused.value.code == code
