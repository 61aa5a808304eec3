"""Buckets and keys out of hosts and paths, and the operation out of method, query and headers."""

from __future__ import annotations

import pytest

from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import s3_route


def asked(method: str = "GET", path: str = "/", query: str = "", host: str = "localhost:4566",
          **headers: str) -> Request:
    pairs = [("host", host), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return Request(method, path, query, Headers(pairs))


@pytest.mark.parametrize("host, bucket", [
    ("localhost:4566", ""), ("127.0.0.1:4566", ""), ("[::1]:4566", ""), ("", ""),
    ("my-bucket.localhost:4566", "my-bucket"),
    ("my.dotted.bucket.localhost", "my.dotted.bucket"), ("bucket.s3.localhost:4566", "bucket"),
    ("bucket.s3.amazonaws.com", "bucket"), ("bucket.s3.us-west-2.amazonaws.com", "bucket"),
    ("bucket.s3-us-west-2.amazonaws.com", "bucket"), ("bucket.s3.dualstack.eu-west-1.amazonaws.com", "bucket"),
    ("bucket.s3-accelerate.amazonaws.com", "bucket"), ("a.b.s3.eu-central-1.amazonaws.com", "a.b"),
    ("bucket.s3.cn-north-1.amazonaws.com.cn", "bucket"), ("BUCKET.S3.AMAZONAWS.COM", "bucket"),
    ("s3.amazonaws.com", ""), ("s3.us-west-2.amazonaws.com", ""), ("s3-us-west-2.amazonaws.com", ""),
    ("sts.us-west-2.amazonaws.com", ""), ("example.com", ""), ("s3.amazonaws.com.evil.org", ""),
    ("bucket.127.0.0.1:4566", "bucket"),
])
def test_a_host_may_name_the_bucket(host: str, bucket: str) -> None:
    assert s3_route.bucket_of_host(host) == bucket


@pytest.mark.parametrize("path, host, bucket, key", [
    ("/", "localhost", "", ""), ("/b", "localhost", "b", ""), ("/b/", "localhost", "b", ""),
    ("/b/k", "localhost", "b", "k"), ("/b/a//b/", "localhost", "b", "a//b/"), ("/b//k", "localhost", "b", "/k"),
    ("/b/a%2Fb%20c+d%25", "localhost", "b", "a/b c+d%"), ("/b/../k", "localhost", "b", "../k"),
    ("/b/%E2%82%AC", "localhost", "b", "€"), ("/", "b.localhost", "b", ""), ("/k/l", "b.localhost", "b", "k/l"),
    ("//k", "b.localhost", "b", "/k"), ("/b/k", "s3.localhost:4566", "b", "k"),
    ("/k", "b.s3.us-west-2.amazonaws.com", "b", "k"), ("//", "localhost", "", ""),
])
def test_bucket_and_key_are_what_the_client_meant(path: str, host: str, bucket: str, key: str) -> None:
    assert s3_route.split(asked(path=path, host=host)) == (bucket, key)


@pytest.mark.parametrize("method, path, query, headers, operation", [
    ("GET", "/", "", {}, "ListBuckets"), ("GET", "/b", "", {}, "ListObjects"),
    ("GET", "/b", "list-type=2", {}, "ListObjectsV2"), ("GET", "/b", "list-type=3", {}, "ListObjects"),
    ("GET", "/b", "versions", {}, "ListObjectVersions"), ("GET", "/b", "uploads=", {}, "ListMultipartUploads"),
    ("GET", "/b", "location", {}, "GetBucketLocation"), ("GET", "/b", "policyStatus", {}, "GetBucketPolicyStatus"),
    ("GET", "/b", "lifecycle", {}, "GetBucketLifecycleConfiguration"),
    ("GET", "/b", "analytics", {}, "ListBucketAnalyticsConfigurations"),
    ("GET", "/b", "analytics&id=x", {}, "GetBucketAnalyticsConfiguration"),
    ("PUT", "/b", "", {}, "CreateBucket"), ("PUT", "/b", "acl", {}, "PutBucketAcl"),
    ("DELETE", "/b", "", {}, "DeleteBucket"), ("DELETE", "/b", "tagging", {}, "DeleteBucketTagging"),
    ("HEAD", "/b", "", {}, "HeadBucket"), ("POST", "/b", "delete", {}, "DeleteObjects"),
    ("GET", "/b/k", "", {}, "GetObject"), ("GET", "/b/k", "versionId=3&partNumber=1", {}, "GetObject"),
    ("GET", "/b/k", "response-content-type=text/csv", {}, "GetObject"), ("GET", "/b/k", "acl", {}, "GetObjectAcl"),
    ("GET", "/b/k", "attributes", {}, "GetObjectAttributes"), ("GET", "/b/k", "uploadId=u", {}, "ListParts"),
    ("GET", "/b/k", "tagging&versionId=3", {}, "GetObjectTagging"), ("HEAD", "/b/k", "", {}, "HeadObject"),
    ("PUT", "/b/k", "", {}, "PutObject"), ("PUT", "/b/k", "x-id=PutObject", {}, "PutObject"),
    ("PUT", "/b/k", "", {"x_amz_copy_source": "/b/other"}, "CopyObject"),
    ("PUT", "/b/k", "partNumber=1&uploadId=u", {}, "UploadPart"),
    ("PUT", "/b/k", "partNumber=1&uploadId=u", {"x_amz_copy_source": "/b/other"}, "UploadPartCopy"),
    ("PUT", "/b/k", "retention", {}, "PutObjectRetention"), ("POST", "/b/k", "uploads", {}, "CreateMultipartUpload"),
    ("POST", "/b/k", "uploadId=u", {}, "CompleteMultipartUpload"), ("DELETE", "/b/k", "", {}, "DeleteObject"),
    ("DELETE", "/b/k", "uploadId=u", {}, "AbortMultipartUpload"),
    ("POST", "/b/k", "select&select-type=2", {}, "SelectObjectContent"),
    ("POST", "/b/k", "restore", {}, "RestoreObject"),
])
def test_a_request_is_one_operation(method: str, path: str, query: str, headers: dict[str, str],
                                    operation: str) -> None:
    found = s3_route.match(asked(method, path, query, **headers))
    assert found.operation == operation
    assert found.labels.get("Bucket", "") == ("b" if path != "/" else "")


@pytest.mark.parametrize("method, path", [("POST", "/"), ("PATCH", "/b"), ("TRACE", "/b/k"), ("PUT", "/"), ("", "/b")])
def test_other_methods_are_not_allowed(method: str, path: str) -> None:
    with pytest.raises(AwsError) as refused:
        s3_route.match(asked(method, path))
    assert (refused.value.code, refused.value.status) == ("MethodNotAllowed", 405)
