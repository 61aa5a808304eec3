"""The object index on SQLite and on PostgreSQL: the same calls, the same answers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sagewright.aws.s3 import content
from sagewright.core.errors import AwsError
from tests.contracts.test_stores import postgres  # noqa: F401 - a fixture

from .room import Room, open_world


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """A room on each database."""
    url = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = f"s3_{uuid.uuid4().hex[:8]}"
        admin = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        url = f"{server}/{name}"
    world = open_world(tmp_path, url)
    yield Room(world)
    world.store.close()


def test_keys_are_listed_in_byte_order(anywhere: Room) -> None:
    anywhere.create_bucket(Bucket="order")
    keys = ["a", "B", "é", "a/b", "a b", "Z", "a\x00b", "\U0001f600", "～", "_"]
    for key in keys:
        anywhere.put_object(Bucket="order", Key=key, Body=b"")
    listed = [item["Key"] for item in anywhere.list_objects_v2(Bucket="order")["Contents"]]
    assert listed == sorted(keys, key=str.encode)
    page = anywhere.list_objects(Bucket="order", Delimiter="/", Marker="Z", MaxKeys=3)
    assert [item["Key"] for item in page["Contents"]] == ["_", "a", "a\x00b"]


def test_versions_in_all_their_states(anywhere: Room) -> None:
    where = {"Bucket": "versions", "Key": "k"}
    anywhere.create_bucket(Bucket="versions")
    anywhere.put_object(**where, Body=b"null")
    anywhere.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    ids = [anywhere.put_object(**where, Body=b"%d" % n)["VersionId"] for n in range(3)]
    marker = anywhere.delete_object(**where)["VersionId"]
    first = anywhere.list_object_versions(Bucket="versions", MaxKeys=2)
    assert [v["VersionId"] for v in first["DeleteMarkers"]] == [marker]
    rest = anywhere.list_object_versions(Bucket="versions", KeyMarker=first["NextKeyMarker"],
                                         VersionIdMarker=first["NextVersionIdMarker"])
    assert [v["VersionId"] for v in rest["Versions"]] == [ids[1], ids[0], "null"]
    anywhere.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Suspended"})
    anywhere.put_object(**where, Body=b"over null")
    anywhere.delete_objects(Bucket="versions", Delete={"Objects": [
        {"Key": "k", "VersionId": version} for version in ("null", marker, ids[2])]})
    assert anywhere.body(**where) == b"1"


def test_a_multipart_object_takes_the_place_of_another(anywhere: Room) -> None:
    where = {"Bucket": "parts", "Key": "k"}
    anywhere.create_bucket(Bucket="parts")
    for turn in range(2):
        upload = anywhere.create_multipart_upload(**where)["UploadId"]
        pieces = [b"%d" % turn * (5 * 1024 * 1024), b"end"]
        parts = [{"PartNumber": n, "ETag": anywhere.upload_part(**where, UploadId=upload, PartNumber=n,
                                                                Body=piece)["ETag"]}
                 for n, piece in enumerate(pieces, start=1)]
        anywhere.upload_part(**where, UploadId=upload, PartNumber=3, Body=b"x" * 100_000)
        done = anywhere.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        assert anywhere.body(**where) == b"".join(pieces)
        again = anywhere.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        assert again["ETag"] == done["ETag"]
    assert len(list(content.files(anywhere.world).root.glob("*/*"))) == 1
    anywhere.delete_object(**where)
    assert not list(content.files(anywhere.world).root.glob("*/*"))
    assert "Uploads" not in anywhere.list_multipart_uploads(Bucket="parts")


def test_only_one_of_many_conditional_writers_wins(anywhere: Room) -> None:
    anywhere.create_bucket(Bucket="race")
    won: list[int] = []

    def work(number: int) -> None:
        try:
            Room(anywhere.world).put_object(Bucket="race", Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except AwsError as refused:
            assert refused.code == "PreconditionFailed"
        else:
            won.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and anywhere.body(Bucket="race", Key="k") == b"%d" % won[0]


def test_a_bucket_that_went_away_takes_no_objects(anywhere: Room) -> None:
    anywhere.create_bucket(Bucket="gone")
    upload = anywhere.create_multipart_upload(Bucket="gone", Key="k")["UploadId"]
    anywhere.upload_part(Bucket="gone", Key="k", UploadId=upload, PartNumber=1, Body=b"x" * 100_000)
    anywhere.delete_bucket(Bucket="gone")
    assert not list(content.files(anywhere.world).root.glob("*/*"))
    with pytest.raises(AwsError) as refused:
        anywhere.put_object(Bucket="gone", Key="k", Body=b"x")
    assert refused.value.code == "NoSuchBucket"
