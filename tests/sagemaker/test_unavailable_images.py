"""AWS's own images that have no environment yet: accepted as AWS accepts them, and a clear reason when they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Live

LINEAR = "174872318107.dkr.ecr.us-west-2.amazonaws.com/linear-learner:1"


def until(look: Callable[[], dict[str, Any]], member: str, moving: tuple[str, ...]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (found := look())[member] in moving:
        assert time.monotonic() < deadline, found
    return found


def test_a_job_with_such_an_image_fails_with_the_reason(live: Live) -> None:
    client = live.client("sagemaker")
    name = f"unavailable-{time.time_ns()}"
    client.create_training_job(
        TrainingJobName=name, RoleArn=live.role_arn, StoppingCondition={"MaxRuntimeInSeconds": 60},
        AlgorithmSpecification={"TrainingImage": LINEAR, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://somewhere/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1})
    job = until(lambda: client.describe_training_job(TrainingJobName=name), "TrainingJobStatus", ("InProgress",))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("ClientError: The image repository linear-learner is one of AWS's")
    assert job["SecondaryStatusTransitions"][-1]["Status"] == "Failed"


def test_a_model_with_such_an_image_is_kept_and_its_endpoint_fails(live: Live) -> None:
    client = live.client("sagemaker")
    name = f"unavailable-{time.time_ns()}"
    client.create_model(ModelName=name, ExecutionRoleArn=live.role_arn, PrimaryContainer={"Image": LINEAR})
    assert client.describe_model(ModelName=name)["PrimaryContainer"]["Image"] == LINEAR
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
        {"VariantName": "A", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}])
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    endpoint = until(lambda: client.describe_endpoint(EndpointName=name), "EndpointStatus", ("Creating",))
    assert endpoint["EndpointStatus"] == "Failed"
    assert "linear-learner is one of AWS's" in endpoint["FailureReason"]


@pytest.mark.parametrize(("image", "words"), [
    (LINEAR.replace(":1", ":9-no-such-tag"), "not found"),
    ("123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1", "Cannot find repository")])
def test_an_image_that_exists_nowhere_is_refused_at_once(live: Live, image: str, words: str) -> None:
    with pytest.raises(ClientError) as refused:
        live.client("sagemaker").create_model(ModelName="nowhere", ExecutionRoleArn=live.role_arn,
                                              PrimaryContainer={"Image": image})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"]


def test_a_model_without_containers_is_a_record_that_cannot_be_hosted(live: Live) -> None:
    client = live.client("sagemaker")
    name = f"empty-{time.time_ns()}"
    client.create_model(ModelName=name, ExecutionRoleArn=live.role_arn)
    with pytest.raises(ClientError) as refused:
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
            {"VariantName": "A", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}])
    assert "cannot be hosted" in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("size", [1025, 1111, 6143])
def test_serverless_memory_comes_in_steps(live: Live, size: int) -> None:
    client = live.client("sagemaker")
    name = f"steps-{time.time_ns()}"
    client.create_model(ModelName=name, ExecutionRoleArn=live.role_arn, PrimaryContainer={"Image": LINEAR})
    with pytest.raises(ClientError, match=str(size)):
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
            {"VariantName": "A", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": size, "MaxConcurrency": 5}}])
