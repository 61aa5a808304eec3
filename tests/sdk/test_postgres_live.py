"""The whole server on PostgreSQL: every room that keeps rows works there as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Live, start_server
from tests.postgres import new_database, postgres
from tests.sdk import jobs

__all__ = ["postgres"]
pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("postgres")]


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    data_dir = tmp_path_factory.mktemp("postgres") / "data"
    found = start_server(data_dir, "--database-url", new_database(postgres))
    yield found
    found.end()


def test_a_training_job_runs_and_leaves_a_model(server: Live) -> None:
    bucket, name = jobs.bucket(server), jobs.unique("pg")
    jobs.put(server, bucket, f"{name}/train/rows.csv", jobs.rows())
    server.client("sagemaker").create_training_job(**jobs.training_request(server, name, bucket))
    job = jobs.ended(server, name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert server.client("sagemaker").list_training_jobs(NameContains=name)["TrainingJobSummaries"]


def test_s3_lists_pages_versions_and_uploads(server: Live) -> None:
    bucket, s3 = jobs.bucket(server, "pg-bucket"), server.client("s3")
    for number in range(25):
        jobs.put(server, bucket, f"folder{number % 3}/key{number:02}", f"body {number}")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    assert [o["Key"] for page in pages for o in page.get("Contents", [])] == sorted(
        f"folder{n % 3}/key{n:02}" for n in range(25))
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    assert [f["Prefix"] for f in folders] == ["folder0/", "folder1/", "folder2/"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    jobs.put(server, bucket, "folder0/key00", "newer")
    versions = s3.list_object_versions(Bucket=bucket, Prefix="folder0/key00")["Versions"]
    assert len(versions) == 2 and s3.get_object(Bucket=bucket, Key="folder0/key00")["Body"].read() == b"newer"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    s3.complete_multipart_upload(Bucket=bucket, Key="large", UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == 100


def test_identities_and_keys_work(server: Live) -> None:
    name = jobs.unique("user")
    server.client("iam").create_user(UserName=name)
    assert name in [user["UserName"] for user in server.client("iam").list_users()["Users"]]
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
