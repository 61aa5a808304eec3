"""Clients over TLS: the front with its own CA, and AWS host names through the CONNECT proxy."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError

from tests.conftest import ACCESS_KEY, SECRET_KEY, Live
from tests.sdk import jobs
from tests.sdk.clients import Client

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("sdk3")]


def secure(live: Live, service: str, verify: str | Path = "", **more: Any) -> Any:
    return boto3.client(service, endpoint_url=f"https://localhost:{live.port + 1}", region_name=live.region,
                        verify=str(verify or live.data_dir / "tls" / "ca.pem"), aws_access_key_id=ACCESS_KEY,
                        aws_secret_access_key=SECRET_KEY, config=Config(retries={"max_attempts": 1}, **more))


@pytest.fixture(scope="module")
def bucket(live: Live) -> str:
    return jobs.bucket(live, jobs.unique("tls"))


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_streams_with_trailing_checksums(live: Live, bucket: str, algorithm: str) -> None:
    s3, body = secure(live, "s3"), os.urandom(300_000)
    sent: list[str] = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(
        str(request.headers.get("X-Amz-Trailer"))))
    put = s3.put_object(Bucket=bucket, Key=algorithm, Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
    assert f"x-amz-checksum-{algorithm.lower()}" in sent[0]  # over TLS boto3 sends aws-chunked with a trailer
    got = s3.get_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
    assert got["Body"].read() == body and got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert "ContentEncoding" not in got


def test_uploads_in_parts_ranges_and_presigned_addresses(live: Live, bucket: str) -> None:
    s3, body = secure(live, "s3"), os.urandom(17_000_000)
    s3.upload_fileobj(io.BytesIO(body), bucket, "parts")
    assert s3.get_object(Bucket=bucket, Key="parts", Range="bytes=-5")["Body"].read() == body[-5:]
    back = io.BytesIO()
    s3.download_fileobj(bucket, "parts", back)
    assert back.getvalue() == body
    with pytest.raises(ClientError) as missing:
        s3.get_object(Bucket=bucket, Key="none")
    assert missing.value.response["Error"]["Code"] == "NoSuchKey"


def test_training_over_tls(live: Live, bucket: str) -> None:
    name, sagemaker = jobs.unique("tls"), secure(live, "sagemaker")
    jobs.put(live, bucket, f"{name}/train/rows.csv", jobs.rows())
    sagemaker.create_training_job(**jobs.training_request(live, name, bucket))
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    assert sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Completed"
    assert secure(live, "logs").describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs",
                                                     logStreamNamePrefix=name)["logStreams"]


def test_a_client_without_the_authority_refuses(live: Live) -> None:
    with pytest.raises(SSLError):
        secure(live, "sts", verify="/etc/ssl/certs/ca-certificates.crt").get_caller_identity()


def test_programs_that_name_aws_hosts_themselves(sdk2: Client, live: Live, bucket: str) -> None:
    assert "host names work" in sdk2.script("host_names.py", bucket, live.region)
