"""What SDK 2's Session does with S3 and identities."""

import os
import tempfile

import boto3
import sagemaker
from sagemaker.s3 import S3Downloader, S3Uploader


def main():
    session = sagemaker.Session()
    role = sagemaker.get_execution_role()
    account = boto3.client("sts").get_caller_identity()["Account"]
    bucket = session.default_bucket()
    assert bucket == f"sagemaker-{session.boto_region_name}-{account}", bucket
    assert role.startswith(f"arn:aws:iam::{account}:role/"), role
    assert session.account_id() == account
    assert session.get_caller_identity_arn() == role

    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "up", "deeper"))
        for name in ("up/one.txt", "up/deeper/two ä.txt"):
            with open(os.path.join(folder, name), "w") as file:
                file.write(name)
        uri = session.upload_data(os.path.join(folder, "up"), bucket, "session/data")
        assert uri == f"s3://{bucket}/session/data"
        keys = sorted(session.list_s3_files(bucket, "session/data"))
        assert keys == ["session/data/deeper/two ä.txt", "session/data/one.txt"], keys
        assert session.read_s3_file(bucket, "session/data/one.txt") == "up/one.txt"
        session.download_data(os.path.join(folder, "down"), bucket, "session/data")
        with open(os.path.join(folder, "down", "deeper", "two ä.txt")) as file:
            assert file.read() == "up/deeper/two ä.txt"
        big = os.urandom(9 * 1024 * 1024)  # more than the SDK sends in one part
        with open(os.path.join(folder, "big"), "wb") as file:
            file.write(big)
        there = S3Uploader.upload(os.path.join(folder, "big"), f"s3://{bucket}/session/big")
        assert S3Downloader.read_bytes(there) == big
    assert S3Downloader.list(f"s3://{bucket}/session/data") == [f"s3://{bucket}/{key}" for key in keys]
    S3Uploader.upload_string_as_file_body("words", f"s3://{bucket}/session/words.txt")
    assert S3Downloader.read_file(f"s3://{bucket}/session/words.txt") == "words"
    print("session works")


if __name__ == "__main__":
    main()
