"""The pass-through: an S3 room that forwards to a live server, which plays the other S3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sagewright.core.errors import AwsError
from tests.conftest import ACCESS_KEY, SECRET_KEY

from .room import Room, open_world


@pytest.fixture
def through(live: Any, tmp_path: Path) -> Iterator[Room]:
    """A room whose bytes and index are in the live server."""
    world = open_world(tmp_path)
    address = f"http://{ACCESS_KEY}:{SECRET_KEY}@localhost:{live.port}?region={live.region}"
    world.config = replace(world.config, s3_url=address)
    yield Room(world)
    world.store.close()


@pytest.mark.parametrize("size", [0, 1000, 3 * 1024 * 1024])
def test_objects_go_to_the_other_s3_and_come_back(through: Room, s3: Any, bucket: str, size: int) -> None:
    body = bytes(n % 251 for n in range(size))
    put = through.put_object(Bucket=bucket, Key="a b/é", Body=body, Metadata={"colour": "blue"}, ContentType="text/x",
                             Tagging="a=b", Expires=datetime(2030, 1, 1, tzinfo=UTC))
    there = s3.get_object(Bucket=bucket, Key="a b/é")
    assert there["Body"].read() == body and there["ETag"] == put["ETag"]
    assert (there["Metadata"], there["ContentType"], there["TagCount"]) == ({"colour": "blue"}, "text/x", 1)
    assert through.body(Bucket=bucket, Key="a b/é") == body
    assert not list(through.world.config.data_dir.glob("s3/*/*")), "nothing may be stored here"


def test_ranges_lists_uploads_and_deletes_pass_through(through: Room, s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    upload = through.create_multipart_upload(**where)["UploadId"]
    etag = through.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"0123456789")["ETag"]
    through.complete_multipart_upload(**where, UploadId=upload,
                                      MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert through.body(**where, Range="bytes=2-4") == b"234"
    assert through.last is not None and through.last.reply_status == 206
    assert [item["Key"] for item in through.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    through.copy_object(Bucket=bucket, Key="copy é", CopySource=f"{bucket}/k")
    through.copy_object(Bucket=bucket, Key="again", CopySource=f"/{bucket}/copy%20%C3%A9")
    assert s3.get_object(Bucket=bucket, Key="again")["Body"].read() == b"0123456789"
    through.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy é"}, {"Key": "again"}]})
    through.delete_object(**where)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_errors_of_the_other_s3_are_passed_on(through: Room, bucket: str) -> None:
    for ask, code, status in ((lambda: through.get_object(Bucket=bucket, Key="none"), "NoSuchKey", 404),
                              (lambda: through.put_object(Bucket="no-such-bucket-x", Key="k", Body=b""),
                               "NoSuchBucket", 404),
                              (lambda: through.put_object(Bucket=bucket, Key="k", Body=b"x", IfMatch='"e"'),
                               "NoSuchKey", 404)):
        with pytest.raises(AwsError) as refused:
            ask()
        assert (refused.value.code, refused.value.status) == (code, status)


def test_other_accounts_are_refused(through: Room, bucket: str) -> None:
    with pytest.raises(AwsError) as refused:
        Room(through.world, "999999999999").list_objects_v2(Bucket=bucket)
    assert refused.value.code == "AccessDenied"


def test_an_s3_that_does_not_answer_is_a_clear_error(through: Room, bucket: str) -> None:
    through.world.config = replace(through.world.config, s3_url="http://a:b@127.0.0.1:1")
    with pytest.raises(AwsError) as refused:
        through.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(b"").read())
    assert refused.value.code == "ServiceUnavailable"
