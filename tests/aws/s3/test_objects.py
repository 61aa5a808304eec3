"""Objects over the gateway with boto3: bodies, ranges, conditions, copies, tags, metadata, checksums."""

from __future__ import annotations

import http.client
import io
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def code(call: Any, **params: Any) -> tuple[str, int]:
    """(error code, status) that a call must fail with."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, MIB, 3 * MIB + 17])
def test_what_was_put_comes_back(s3: Any, bucket: str, size: int) -> None:
    body = bytes(n % 251 for n in range(size))
    put = s3.put_object(Bucket=bucket, Key="a/b c+é", Body=body, Metadata={"Colour": "blue"}, ContentType="text/x",
                        CacheControl="no-cache", ContentEncoding="gzip")
    got = s3.get_object(Bucket=bucket, Key="a/b c+é", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"] and got["ContentLength"] == size and got["Metadata"] == {"colour": "blue"}
    assert got["ServerSideEncryption"] == put["ServerSideEncryption"] == "AES256"
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"] and got["ChecksumType"] == "FULL_OBJECT"
    assert (got["ContentType"], got["CacheControl"], got["ContentEncoding"]) == ("text/x", "no-cache", "gzip")
    assert "StorageClass" not in got and "TagCount" not in got


@pytest.mark.parametrize("size", [1000, 2 * MIB])
def test_ranges_are_partial_content(s3: Any, bucket: str, size: int) -> None:
    body = bytes(n % 251 for n in range(size))
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    got = s3.get_object(Bucket=bucket, Key="k", Range="bytes=100-199")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes 100-199/{size}" and got["Body"].read() == body[100:200]
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-7")["Body"].read() == body[-7:]
    assert code(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={size}-") == ("InvalidRange", 416)


def test_conditions_on_reads(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    past, later = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    assert s3.get_object(**where, IfMatch=etag, IfModifiedSince=past)["Body"].read() == b"x"
    assert code(s3.get_object, **where, IfMatch='"other"') == ("PreconditionFailed", 412)
    assert code(s3.get_object, **where, IfNoneMatch=etag) == ("304", 304)
    assert code(s3.head_object, **where, IfUnmodifiedSince=past) == ("412", 412)
    assert s3.head_object(**where, IfUnmodifiedSince=later)["ETag"] == etag


def test_conditions_on_writes(s3: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    etag = s3.put_object(**where, IfNoneMatch="*")["ETag"]
    assert code(s3.put_object, **where, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert code(s3.put_object, **where, IfMatch='"other"') == ("PreconditionFailed", 412)
    s3.put_object(**where, IfMatch=etag)
    s3.delete_object(Bucket=bucket, Key="k")
    assert code(s3.put_object, **where, IfMatch=etag) == ("NoSuchKey", 404)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_every_checksum_algorithm(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello" * 20_000, ChecksumAlgorithm=algorithm)
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize"])
    assert found["Checksum"] == {f"Checksum{algorithm}": put[f"Checksum{algorithm}"], "ChecksumType": "FULL_OBJECT"}
    wrong = {f"Checksum{algorithm}": s3.put_object(Bucket=bucket, Key="other", Body=b"other",
                                                   ChecksumAlgorithm=algorithm)[f"Checksum{algorithm}"]}
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"hello", **wrong) == ("BadDigest", 400)


def test_copies_keep_or_replace_what_is_known(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from/é", Body=b"x" * 100_000, Metadata={"a": "1"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "from/é"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    kept = s3.head_object(Bucket=bucket, Key="kept")
    assert kept["Metadata"] == {"a": "1"} and kept["TagCount"] == 1
    s3.copy_object(Bucket=bucket, Key="new", CopySource=source, Metadata={"b": "2"}, MetadataDirective="REPLACE",
                   Tagging="u=2&v=3", TaggingDirective="REPLACE", ContentType="text/y")
    new = s3.get_object(Bucket=bucket, Key="new")
    assert (new["Metadata"], new["TagCount"], new["ContentType"]) == ({"b": "2"}, 2, "text/y")
    s3.delete_object(**source)
    assert new["Body"].read() == s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"x" * 100_000
    assert code(s3.copy_object, Bucket=bucket, Key="kept", CopySource=f"{bucket}/kept") == ("InvalidRequest", 400)
    assert code(s3.copy_object, Bucket=bucket, Key="x", CopySource=source) == ("NoSuchKey", 404)


def test_many_objects_are_deleted_at_once(s3: Any, bucket: str) -> None:
    for n in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{n}", Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{n}"} for n in range(4)] + [{"Key": "?"}]})
    assert [item["Key"] for item in done["Deleted"]] == ["k0", "k1", "k2", "k3", "?"]
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k4"]


def test_a_multipart_upload_becomes_one_object(s3: Any, bucket: str) -> None:
    body = bytes(n % 249 for n in range(11 * MIB))
    s3.upload_fileobj(io.BytesIO(body), bucket, "big")
    got = s3.get_object(Bucket=bucket, Key="big")
    assert got["Body"].read() == body and got["ETag"].endswith('-2"')
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert second["PartsCount"] == 2 and second["Body"].read() == body[8 * MIB:]
    middle = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={8 * MIB - 10}-{8 * MIB + 9}")
    assert middle["Body"].read() == body[8 * MIB - 10:8 * MIB + 10]
    assert code(s3.head_object, Bucket=bucket, Key="big", PartNumber=3) == ("416", 416)
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/big")["CopyObjectResult"]
    assert "-" not in copied["ETag"] and s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def test_what_a_complete_may_not_name(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    parts = [{"PartNumber": n, "ETag": s3.upload_part(**where, UploadId=upload, PartNumber=n, Body=b"x")["ETag"]}
             for n in (1, 2)]

    def refusal(*named: dict[str, Any]) -> str:
        return code(s3.complete_multipart_upload, **where, UploadId=upload, MultipartUpload={"Parts": list(named)})[0]

    assert refusal(*parts) == "EntityTooSmall"
    assert refusal(*reversed(parts)) == "InvalidPartOrder"
    assert refusal({"PartNumber": 1, "ETag": "0" * 32}) == "InvalidPart"
    assert refusal({"PartNumber": 3, "ETag": parts[0]["ETag"]}) == "InvalidPart"
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts[:1]})
    assert s3.get_object(**where)["Body"].read() == b"x"
    assert code(s3.list_parts, **where, UploadId=upload) == ("NoSuchUpload", 404)


def test_presigned_urls_need_no_client(live: Any, bucket: str) -> None:
    s3 = live.client("s3", config=Config(signature_version="s3v4"))
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    urllib.request.urlopen(urllib.request.Request(url, data=b"x" * 50_000, method="PUT"), timeout=10)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k",
                                                          "ResponseContentType": "text/z"})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"x" * 50_000 and answer.headers["content-type"] == "text/z"


def test_strangers_read_only_what_a_policy_makes_public(live: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="shut/k", Body=b"x")

    def status(key: str) -> int:
        try:
            return urllib.request.urlopen(f"{live.url}/{bucket}/{key}", timeout=10).status
        except urllib.error.HTTPError as refused:
            return refused.code

    assert status("open/k") == 403
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/open/*"}]})
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=policy) == ("AccessDenied", 403)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert (status("open/k"), status("shut/k"), status("open/none")) == (200, 403, 403)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]


def test_errors_name_what_is_missing(s3: Any, bucket: str) -> None:
    assert code(s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    assert code(s3.get_object, Bucket="no-such-bucket-here", Key="k") == ("NoSuchBucket", 404)
    assert code(s3.head_object, Bucket=bucket, Key="none") == ("404", 404)
    assert code(s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"") == ("KeyTooLongError", 400)
    assert code(s3.put_object, Bucket=bucket, Key="k", Metadata={"m": "x" * 2048}) == ("MetadataTooLarge", 400)
    assert code(s3.put_object, Bucket=bucket, Key="k", StorageClass="OUTPOSTS") == ("InvalidStorageClass", 400)


def _raw(live: Any, method: str, target: str, **headers: str) -> int:
    """The status of a request with these headers and no others."""
    connection = http.client.HTTPConnection("localhost", live.port, timeout=10)
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_put_says_how_long_it_is_and_who_sends_it(live: Any, bucket: str) -> None:
    s3 = live.client("s3", config=Config(signature_version="s3v4"))
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"}))
    assert _raw(live, "PUT", f"{url.path}?{url.query}") == 411
    assert _raw(live, "PUT", f"/{bucket}/k", **{"Content-Length": "0", "Authorization": ""}) in (400, 403)
    assert _raw(live, "PUT", f"/{bucket}/k", **{"Content-Length": "0"}) == 403
    assert _raw(live, "PUT", "/anonymous-bucket", **{"Content-Length": "0"}) == 403
