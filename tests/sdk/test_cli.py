"""The AWS CLI against a live server, with only the variables that `sagewright env` prints."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Live
from tests.sdk import jobs, served
from tests.sdk.clients import Client

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("streaming")]
Aws = Callable[..., str]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


@pytest.fixture(scope="module")
def aws(cli: Client) -> Aws:
    """Run one CLI command; what it printed, without the last line end."""

    def command(*words: str | Path, fails: str = "", stdin: str | None = None) -> str:
        done = cli.run("aws", *words, ok=not fails, stdin=stdin, AWS_PAGER="")
        if fails:
            assert done.returncode != 0 and fails in done.stderr, (done.returncode, done.stderr)
        return done.stdout.rstrip("\n")

    return command


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    name = jobs.unique("cli")
    aws("s3", "mb", f"s3://{name}")
    return name


def test_identities_keys_and_registry_passwords(aws: Aws, live: Live) -> None:
    name = jobs.unique("cli-role")
    made = json.loads(aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", TRUST))
    assert made["Role"]["Arn"] == f"arn:aws:iam::{live.account}:role/{name}"
    aws("iam", "attach-role-policy", "--role-name", name, "--policy-arn",
        "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    listed = aws("iam", "list-attached-role-policies", "--role-name", name, "--output", "text")
    assert "AmazonSageMakerFullAccess" in listed
    aws("iam", "get-role", "--role-name", f"{name}-none", fails="NoSuchEntity")
    identity = json.loads(aws("sts", "get-caller-identity"))
    assert identity["Account"] == live.account and ":assumed-role/" in identity["Arn"]
    assert len(aws("ecr", "get-login-password")) > 50
    key = json.loads(aws("kms", "create-key"))["KeyMetadata"]
    assert key["Arn"].endswith(f"key/{key['KeyId']}")


def test_copies_streams_and_synchronised_folders(aws: Aws, bucket: str, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(20_000_000))
    aws("s3", "cp", big, f"s3://{bucket}/big")
    aws("s3", "cp", f"s3://{bucket}/big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    aws("s3", "cp", "-", f"s3://{bucket}/stdin", stdin="hi")
    assert aws("s3", "cp", f"s3://{bucket}/stdin", "-") == "hi"
    folder = tmp_path / "folder" / "sub"
    folder.mkdir(parents=True)
    for n in range(5):
        (folder / f"file {n}+é.txt").write_text(str(n))
        os.utime(folder / f"file {n}+é.txt", (1_700_000_000, 1_700_000_000))  # S3 tells whole seconds only
    aws("s3", "sync", folder.parent, f"s3://{bucket}/folder")
    assert aws("s3", "sync", folder.parent, f"s3://{bucket}/folder") == ""
    aws("s3", "sync", f"s3://{bucket}/folder", tmp_path / "down")
    assert sorted(f.name for f in (tmp_path / "down" / "sub").iterdir()) == sorted(f.name for f in folder.iterdir())
    listed = json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket, "--max-items", "2"))
    assert len(listed["Contents"]) == 2 and listed["NextToken"]
    aws("s3api", "head-object", "--bucket", bucket, "--key", "none", fails="Not Found")
    aws("s3", "ls", f"s3://{bucket}-none", fails="NoSuchBucket")


def test_presigned_addresses_and_tampered_ones(aws: Aws, bucket: str) -> None:
    aws("s3", "cp", "-", f"s3://{bucket}/signed", stdin="signed words")
    address = aws("s3", "presign", f"s3://{bucket}/signed")
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert answer.read() == b"signed words"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address[:-4] + "0000", timeout=20)
    assert refused.value.code == 403


def test_a_bucket_with_all_that_it_holds_is_removed(aws: Aws) -> None:
    name = jobs.unique("cli-gone")
    aws("s3", "mb", f"s3://{name}")
    aws("s3", "cp", "-", f"s3://{name}/key", stdin="x")
    aws("s3", "rb", "--force", f"s3://{name}")
    assert name not in aws("s3", "ls")


@pytest.fixture(scope="module")
def endpoint(live: Live, bucket: str) -> Iterator[str]:
    with served.streaming_endpoint(live, bucket) as name:
        yield name


def test_models_and_endpoints(aws: Aws, live: Live, endpoint: str, tmp_path: Path) -> None:
    model = json.loads(aws("sagemaker", "describe-model", "--model-name", endpoint))
    name = jobs.unique("cli")
    made = json.loads(aws(
        "sagemaker", "create-model", "--model-name", name, "--execution-role-arn", model["ExecutionRoleArn"],
        "--primary-container", json.dumps(model["PrimaryContainer"]), "--tags", "Key=a,Value=b"))
    tags = aws("sagemaker", "list-tags", "--resource-arn", made["ModelArn"], "--query", "Tags[0].Value",
               "--output", "text")
    assert tags == "b"
    aws("sagemaker", "create-endpoint-config", "--endpoint-config-name", name, "--production-variants",
        f"VariantName=V,ModelName={name},InitialInstanceCount=1,InstanceType=ml.m5.large")
    aws("sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", name)
    aws("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", name, "--content-type", "application/json",
        "--body", '{"parts": 1}', tmp_path / "answer")
    assert (tmp_path / "answer").read_text() == "part 0\n"
    found = aws("sagemaker", "list-endpoints", "--name-contains", name, "--query", "Endpoints[].EndpointName",
                "--output", "text")
    assert found == name
    jobs.log_says(live, "the model is loaded", f"/aws/sagemaker/Endpoints/{name}")
    logged = aws("logs", "filter-log-events", "--log-group-name", f"/aws/sagemaker/Endpoints/{name}", "--query",
                 "events[].message", "--output", "text")
    assert "the model is loaded" in logged
    aws("sagemaker", "delete-endpoint", "--endpoint-name", name)
    aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", name)
    aws("sagemaker", "describe-model", "--model-name", "none", fails="ValidationException")
    aws("sagemaker", "describe-training-job", "--training-job-name", "none", fails="ValidationException")


def test_logs_and_metrics(aws: Aws) -> None:
    group = f"/{jobs.unique('cli')}"
    aws("logs", "create-log-group", "--log-group-name", group)
    aws("logs", "create-log-stream", "--log-group-name", group, "--log-stream-name", "s")
    aws("logs", "put-log-events", "--log-group-name", group, "--log-stream-name", "s", "--log-events",
        f"timestamp={int(time.time() * 1000)},message=hello")
    assert "hello" in aws("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", "s")
    assert aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "hello", "--query",
               "events[].message", "--output", "text") == "hello"
    aws("cloudwatch", "put-metric-data", "--namespace", group[1:], "--metric-name", "m", "--value", "3")
    assert '"m"' in aws("cloudwatch", "list-metrics", "--namespace", group[1:])
