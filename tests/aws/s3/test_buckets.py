"""Buckets over the gateway with boto3: names, owners, listing, versioning, settings."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .room import Room
from .test_objects import code

REGION = {"LocationConstraint": "us-west-2"}


def test_a_bucket_is_made_found_and_removed(s3: Any) -> None:
    s3.create_bucket(Bucket="a-bucket.to-remove", CreateBucketConfiguration=REGION)
    assert s3.head_bucket(Bucket="a-bucket.to-remove")["BucketRegion"] == "us-west-2"
    assert s3.get_bucket_location(Bucket="a-bucket.to-remove")["LocationConstraint"] == "us-west-2"
    assert "a-bucket.to-remove" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    taken = code(s3.create_bucket, Bucket="a-bucket.to-remove", CreateBucketConfiguration=REGION)
    assert taken == ("BucketAlreadyOwnedByYou", 409)
    s3.put_object(Bucket="a-bucket.to-remove", Key="k")
    assert code(s3.delete_bucket, Bucket="a-bucket.to-remove") == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="a-bucket.to-remove", Key="k")
    s3.create_multipart_upload(Bucket="a-bucket.to-remove", Key="k")
    s3.delete_bucket(Bucket="a-bucket.to-remove")
    assert code(s3.head_bucket, Bucket="a-bucket.to-remove") == ("404", 404)


@pytest.mark.parametrize("name", ["Upper", "a_b.c", "-ab", "ab-", "a..b", "192.168.1.1", "xn--abc", "abc-s3alias"])
def test_bad_bucket_names_are_refused(room: Room, name: str) -> None:
    from sagewright.core.errors import AwsError

    with pytest.raises(AwsError) as refused:
        room.create_bucket(Bucket=name)
    assert refused.value.code == "InvalidBucketName"


def test_another_account_sees_nothing_until_a_policy_says_so(room: Room) -> None:
    from sagewright.core.errors import AwsError

    room.create_bucket(Bucket="mine")
    room.put_object(Bucket="mine", Key="k", Body=b"x")
    other = Room(room.world, "999999999999")
    assert other.list_buckets()["Buckets"] == []
    for ask in (lambda: other.get_object(Bucket="mine", Key="k"), lambda: other.list_objects_v2(Bucket="mine"),
                lambda: other.put_object(Bucket="mine", Key="k", Body=b"y"),
                lambda: other.delete_object(Bucket="mine", Key="k"), lambda: other.get_object(Bucket="mine", Key="?"),
                lambda: other.get_bucket_policy(Bucket="mine"), lambda: other.delete_bucket(Bucket="mine")):
        with pytest.raises(AwsError) as refused:
            ask()
        assert (refused.value.code, refused.value.status) == ("AccessDenied", 403)
    with pytest.raises(AwsError) as refused:
        other.create_bucket(Bucket="mine")
    assert refused.value.code == "BucketAlreadyExists"
    room.put_bucket_policy(Bucket="mine", Policy="""{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": "999999999999"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}]}""")
    assert other.body(Bucket="mine", Key="k") == b"x"


def test_versions_are_kept_and_markers_hide_them(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] and code(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    gone = code(s3.get_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert gone == ("MethodNotAllowed", 405)
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"one"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"null"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [(v["VersionId"], v["IsLatest"]) for v in listed["Versions"]] == [(first, False), ("null", False)]
    assert [v["IsLatest"] for v in listed["DeleteMarkers"]] == [True]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"new null")
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"


def test_versions_are_listed_page_by_page_while_they_are_deleted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = [(key, s3.put_object(Bucket=bucket, Key=key)["VersionId"]) for key in ("a", "b", "c") for _ in range(5)]
    deleted = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}):
        found = [(v["Key"], v["VersionId"]) for v in page["Versions"]]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k, "VersionId": v} for k, v in found]})
        deleted += found
    assert sorted(deleted) == sorted(put)
    s3.delete_bucket(Bucket=bucket)


def test_listing_pages_with_prefix_and_delimiter(s3: Any, bucket: str) -> None:
    keys = ["a", "b/1", "b/2", "b/c/3", "d/4", "e é+ %", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key)
    for name in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(name).paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
        grouped = list(s3.get_paginator(name).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}))
        assert [p["Prefix"] for page in grouped for p in page.get("CommonPrefixes", [])] == ["b/", "d/"]
        assert [i["Key"] for page in grouped for i in page.get("Contents", [])] == ["a", "e é+ %", "z"]
    inner = s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/", StartAfter="b/1")
    assert [i["Key"] for i in inner["Contents"]] == ["b/2"] and inner["CommonPrefixes"] == [{"Prefix": "b/c/"}]


@pytest.mark.parametrize(("noun", "member", "document", "missing"), [
    ("bucket_cors", "CORSConfiguration", {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
     "NoSuchCORSConfiguration"),
    ("bucket_website", "WebsiteConfiguration", {"IndexDocument": {"Suffix": "i.html"}}, "NoSuchWebsiteConfiguration"),
    ("bucket_lifecycle", "LifecycleConfiguration", {"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 1}}]},
     "NoSuchLifecycleConfiguration"),
    ("bucket_tagging", "Tagging", {"TagSet": [{"Key": "a", "Value": "b"}]}, "NoSuchTagSet")])
def test_settings_come_back_as_they_were_put(s3: Any, bucket: str, noun: str, member: str, document: Any,
                                             missing: str) -> None:
    suffix = "_configuration" if noun == "bucket_lifecycle" else ""
    get, put = getattr(s3, f"get_{noun}{suffix}"), getattr(s3, f"put_{noun}{suffix}")
    assert code(get, Bucket=bucket) == (missing, 404)
    put(Bucket=bucket, **{member: document})
    answer = get(Bucket=bucket)
    assert {name: answer[name] for name in document} == document
    getattr(s3, f"delete_{noun}")(Bucket=bucket)
    assert code(get, Bucket=bucket) == (missing, 404)


def test_a_locked_version_cannot_be_removed(s3: Any) -> None:
    s3.create_bucket(Bucket="locked-bucket", ObjectLockEnabledForBucket=True, CreateBucketConfiguration=REGION)
    version = s3.put_object(Bucket="locked-bucket", Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    where = {"Bucket": "locked-bucket", "Key": "k", "VersionId": version}
    assert code(s3.delete_object, **where) == ("AccessDenied", 403)
    s3.put_object_legal_hold(**where, LegalHold={"Status": "OFF"})
    s3.delete_object(**where)
    with pytest.raises(ClientError):
        s3.head_object(**where)
