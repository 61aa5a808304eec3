"""Answers that moto's authors verified against AWS: small things that SDKs and Terraform see."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Live


@pytest.fixture
def s3(live: Live) -> Any:
    return live.client("s3")


@pytest.fixture
def bucket(live: Live, s3: Any) -> Iterator[str]:
    name = f"verified-{uuid.uuid4().hex[:10]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": live.region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name


def test_head_bucket_names_the_type_of_the_body_that_it_lacks(s3: Any, bucket: str) -> None:
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/xml"


def test_an_object_lock_configuration_without_a_body_is_missing_it(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as refused:
        s3.put_object_lock_configuration(Bucket=bucket)
    assert refused.value.response["Error"]["Code"] == "MissingRequestBodyError"
    with pytest.raises(ClientError) as refused:
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={})
    assert refused.value.response["Error"]["Code"] == "MalformedXML"


def test_a_version_named_by_its_id_may_be_copied_onto_its_own_key(s3: Any, bucket: str) -> None:
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"})
    assert refused.value.response["Error"]["Code"] == "InvalidRequest"
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": version})
    assert len(s3.list_object_versions(Bucket=bucket, Prefix="k")["Versions"]) == 2


def test_attributes_tell_a_composite_checksum_without_its_number_of_parts(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ChecksumAlgorithm="SHA256")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    whole = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]})["ChecksumSHA256"]
    found = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["Checksum"])["Checksum"]
    assert whole.endswith("-1")
    assert found == {"ChecksumSHA256": whole.removesuffix("-1"), "ChecksumType": "COMPOSITE"}


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_headers_that_a_presigned_url_carries_count(live: Live, bucket: str, version: str) -> None:
    """boto3 puts metadata there with Signature Version 2, the JavaScript SDK with both."""
    from urllib.request import Request, urlopen

    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.config import Config
    from botocore.credentials import Credentials

    from tests.conftest import ACCESS_KEY, SECRET_KEY

    client = live.client("s3", config=Config(signature_version=version))
    if version == "s3":
        url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k", "Metadata": {"venue": "1 2"}})
    else:
        asked = AWSRequest("PUT", f"{live.url}/{bucket}/k", params={"x-amz-meta-venue": "1 2"})
        S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", live.region, 60).add_auth(asked)
        url = asked.url
    assert "x-amz-meta-venue=" in url
    assert urlopen(Request(url, data=b"x", method="PUT", headers={"Content-Type": ""}), timeout=20).status == 200
    assert client.head_object(Bucket=bucket, Key="k")["Metadata"] == {"venue": "1 2"}


def test_a_presigned_url_with_the_checksum_of_an_empty_body_takes_any_body(live: Live, s3: Any, bucket: str) -> None:
    """The JavaScript SDK signs such URLs before it knows the body."""
    from urllib.request import Request, urlopen

    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    from tests.conftest import ACCESS_KEY, SECRET_KEY

    asked = AWSRequest("PUT", f"{live.url}/{bucket}/js", params={"x-amz-checksum-crc32": "AAAAAA==",
                                                                 "x-amz-sdk-checksum-algorithm": "CRC32"})
    S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", live.region, 60).add_auth(asked)
    assert urlopen(Request(asked.url, data=b"x", method="PUT", headers={"Content-Type": ""}), timeout=20).status == 200
    assert s3.get_object(Bucket=bucket, Key="js")["Body"].read() == b"x"
