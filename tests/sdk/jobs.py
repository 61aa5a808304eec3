"""What the live tests of training and hosting share: small real data, archives, and waiting for states."""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
import uuid
from typing import Any

from tests.conftest import Live

XGBOOST = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:3.0-5"
SKLEARN = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


def unique(prefix: str) -> str:
    """A name of this test's own."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def tarball(files: dict[str, str | bytes]) -> bytes:
    """A tar.gz of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def bucket(live: Live, name: str = "sagemaker-tests") -> str:
    """A bucket, made where missing."""
    s3 = live.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": live.region})
    return name


def put(live: Live, bucket_name: str, key: str, body: bytes | str) -> str:
    """Store an object; its URI."""
    live.client("s3").put_object(Bucket=bucket_name, Key=key, Body=body)
    return f"s3://{bucket_name}/{key}"


def rows(count: int = 200) -> str:
    """CSV rows, label first, that a tree learns perfectly."""
    return "".join(f"{int(n % 7 > 3)},{n % 7},{(n * 37) % 11}\n" for n in range(count))


def training_request(live: Live, name: str, bucket_name: str, **more: Any) -> dict[str, Any]:
    """A CreateTrainingJob request for the built-in XGBoost."""
    request: dict[str, Any] = {
        "TrainingJobName": name, "RoleArn": live.role_arn,
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "HyperParameters": {"num_round": "5", "objective": "binary:logistic", "eval_metric": "logloss"},
        "InputDataConfig": [{"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket_name}/{name}/train"}}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket_name}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600}}
    return {**request, **more}


def script_request(live: Live, name: str, bucket_name: str, script: str, image: str = SKLEARN,
                   hyperparameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A script-mode CreateTrainingJob request as the SDK makes it; uploads the source archive."""
    source = put(live, bucket_name, f"{name}/source/sourcedir.tar.gz", tarball({"train.py": script}))
    values = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{source}"',
              "sagemaker_container_log_level": "20", "sagemaker_region": f'"{live.region}"',
              "sagemaker_job_name": f'"{name}"', **(hyperparameters or {})}
    request = training_request(live, name, bucket_name, HyperParameters=values, **more)
    request["AlgorithmSpecification"] = {"TrainingImage": image, "TrainingInputMode": "File",
                                         **more.get("AlgorithmSpecification", {})}
    if "InputDataConfig" not in more:
        del request["InputDataConfig"]
    return request


def ended(live: Live, name: str, seconds: float = 240) -> dict[str, Any]:
    """Describe of a training job once it has ended."""
    client, end = live.client("sagemaker"), time.monotonic() + seconds
    while time.monotonic() < end:
        job = client.describe_training_job(TrainingJobName=name)
        if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
            return dict(job)
    raise AssertionError(f"{name} did not end in {seconds} s: {job['SecondaryStatusTransitions']}\n{log(live, name)}")


def reaches(live: Live, name: str, secondary: str, seconds: float = 120) -> None:
    """Wait until a training job is in that secondary status."""
    client, end = live.client("sagemaker"), time.monotonic() + seconds
    while time.monotonic() < end:
        job = client.describe_training_job(TrainingJobName=name)
        if any(t["Status"] == secondary for t in job["SecondaryStatusTransitions"]):
            return
        assert job["TrainingJobStatus"] == "InProgress", job
        time.sleep(0.1)
    raise AssertionError(f"{name} never was {secondary}")


def log(live: Live, name: str, group: str = "/aws/sagemaker/TrainingJobs") -> str:
    """The whole log of a job (or, by prefix "", of a group)."""
    logs = live.client("logs")
    lines: list[str] = []
    streams = logs.describe_log_streams(logGroupName=group, **({"logStreamNamePrefix": f"{name}/"} if name else {}))
    for stream in streams["logStreams"]:
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True,
                                       **token)
            lines += [event["message"] for event in page["events"]]
            if token.get("nextToken") == page["nextForwardToken"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
    return "\n".join(lines)


def log_says(live: Live, words: str, group: str, seconds: float = 60) -> None:
    """Wait until these words are in a log group: lines arrive a moment after they were printed."""
    end = time.monotonic() + seconds
    while words not in (text := log(live, "", group)):
        assert time.monotonic() < end, f"{words!r} did not appear in {group}:\n{text}"
        time.sleep(0.1)


def endpoint_settles(live: Live, name: str, seconds: float = 180) -> dict[str, Any]:
    """Describe of an endpoint once it is in no moving state."""
    client, end = live.client("sagemaker"), time.monotonic() + seconds
    while time.monotonic() < end:
        endpoint = client.describe_endpoint(EndpointName=name)
        if endpoint["EndpointStatus"] in ("InService", "Failed"):
            return dict(endpoint)
    raise AssertionError(f"{name} is still {endpoint['EndpointStatus']}")
