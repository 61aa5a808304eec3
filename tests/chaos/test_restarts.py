"""kill -9 of the control plane while things run: jobs go on, endpoints answer again, nothing stored is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sagewright.engine.ending import end_all
from tests.conftest import Live, start_server
from tests.sdk import jobs
from tests.sdk.test_endpoints_boto3 import a_config, a_model, ask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chaos")]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Live]:
    server = start_server(tmp_path / "data")
    yield server
    server.end()


def test_a_job_goes_on_without_the_control_plane_and_is_taken_up_again(own: Live) -> None:
    bucket, name = jobs.bucket(own), jobs.unique("survivor")
    script = "import time\nprint('first half', flush=True)\ntime.sleep(6)\nprint('second half', flush=True)\n"
    own.client("sagemaker").create_training_job(**jobs.script_request(own, name, bucket, script))
    jobs.reaches(own, name, "Training")
    own.kill()
    own.start_again()
    job = jobs.ended(own, name)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), jobs.log(own, name))
    text = jobs.log(own, name)
    assert text.count("first half") == 1 and text.count("second half") == 1
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert own.client("s3").head_object(Bucket=bucket, Key=uri.split("/", 3)[3])["ContentLength"] > 0


def test_an_endpoint_answers_again_after_the_control_plane_was_killed(own: Live) -> None:
    bucket, name = jobs.bucket(own), jobs.unique("steady")
    a_config(own, name, ("V", a_model(own, bucket, name), 1.0))
    own.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert jobs.endpoint_settles(own, name)["EndpointStatus"] == "InService"
    before = ask(own, name)["pid"]
    own.kill()
    own.start_again()
    assert jobs.endpoint_settles(own, name)["EndpointStatus"] == "InService"
    client = own.client("sagemaker-runtime", config=Config(retries={"max_attempts": 8, "mode": "standard"}))
    assert ask(own, name, client)["model"] == name and before


def test_everything_is_there_after_a_stop_and_a_start(own: Live) -> None:
    bucket, name = jobs.bucket(own), jobs.unique("kept")
    jobs.put(own, bucket, "some/key", b"some bytes")
    own.client("iam").create_user(UserName=name)
    own.client("logs").create_log_group(logGroupName=name)
    own.client("sagemaker").create_model(ModelName=name, ExecutionRoleArn=own.role_arn,
                                         PrimaryContainer={"Image": jobs.SKLEARN})
    own.stop()
    own.start_again()
    assert own.client("s3").get_object(Bucket=bucket, Key="some/key")["Body"].read() == b"some bytes"
    assert own.client("iam").get_user(UserName=name)["User"]["UserName"] == name
    assert own.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert own.client("sagemaker").describe_model(ModelName=name)["ModelName"] == name


def test_endpoints_come_back_after_down_and_up(own: Live) -> None:
    bucket, name = jobs.bucket(own), jobs.unique("back")
    a_config(own, name, ("V", a_model(own, bucket, name), 1.0))
    own.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert jobs.endpoint_settles(own, name)["EndpointStatus"] == "InService"
    own.stop()
    assert end_all(own.data_dir, everything=False) == (0, 1)
    own.start_again()
    end = time.monotonic() + 60
    while True:
        try:
            assert ask(own, name)["model"] == name
            return
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("ServiceUnavailable", "ValidationError", "503"), error
            assert time.monotonic() < end, "the endpoint did not come back"
            time.sleep(0.2)
