"""From a training job's request to the engine plan, and from an outcome to what Describe says: pure functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagewright.core.seams import Image, Outcome
from sagewright.core.store import Row
from sagewright.sagemaker.training import controller, plan

IMAGE = Image("uri", "environment", "xgboost", "3.0-5", "xgboost-3.0-5")
REQUEST: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": "uri", "TrainingInputMode": "File",
                               "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}]},
    "RoleArn": "arn:aws:iam::1:role/r", "HyperParameters": {"eta": "0.1"},
    "InputDataConfig": [
        {"ChannelName": "train", "ContentType": "text/csv", "CompressionType": "None",
         "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/train/",
                                         "S3DataDistributionType": "ShardedByS3Key"}}},
        {"ChannelName": "code", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/code"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://b/out/"}, "Environment": {"MINE": "1"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60}, "EnableNetworkIsolation": True}


def a_job(**changes: Any) -> Row:
    return Row("TrainingJob", "1", "us-west-2", "Job-1", "arn:aws:sagemaker:us-west-2:1:training-job/job-1",
               {**REQUEST, **changes}, status="InProgress", created=1000.25)


def test_the_plan_holds_what_the_request_asks_for() -> None:
    made = plan.plan(a_job(), IMAGE)
    assert made.environment["TRAINING_JOB_NAME"] == "Job-1" and made.environment["MINE"] == "1"
    assert made.environment["TRAINING_JOB_ARN"].endswith("training-job/job-1")
    assert (made.max_runtime, made.isolated, made.volume_gb) == (60, True, 5)
    assert made.log_stream.format(host="algo-1") == "Job-1/algo-1-1000"
    assert [i["path"] for i in made.inputs] == ["/opt/ml/input/data/train", "/opt/ml/input/data/code"]
    assert made.metric_dimensions == {"TrainingJobName": "Job-1"}
    assert json.loads(json.dumps(made.files)) == made.files


def test_configuration_files_are_as_containers_expect_them() -> None:
    files = {path.rsplit("/", 1)[1]: json.loads(text) for path, text in plan.files(a_job().body).items()}
    assert files["hyperparameters.json"] == {"eta": "0.1"}
    assert files["inputdataconfig.json"] == {
        "train": {"ContentType": "text/csv", "TrainingInputMode": "File", "S3DistributionType": "ShardedByS3Key",
                  "RecordWrapperType": "None"},
        "code": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}}
    assert files["resourceconfig.json"] == {
        "current_host": "algo-1", "current_instance_type": "ml.m5.large", "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"], "network_interface_name": "eth0",
        "instance_groups": [{"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large",
                             "hosts": ["algo-1"]}]}


@pytest.mark.parametrize(("asked", "expected"), [
    ({}, ((), ("train",))),
    ({"ContainerEntrypoint": ["/bin/bash"]}, (("/bin/bash",), ())),
    ({"ContainerArguments": ["a", "b"]}, ((), ("a", "b"))),
    ({"ContainerEntrypoint": ["/bin/bash"], "ContainerArguments": ["-c", "x"]}, (("/bin/bash",), ("-c", "x"))),
])
def test_entrypoint_and_arguments_follow_dockers_rules(asked: dict, expected: tuple) -> None:
    assert plan.argv(asked) == expected


def test_outputs_are_archives_or_plain_prefixes() -> None:
    archives = plan.outputs(a_job().body, "Job-1")
    assert [o["s3_uri"] for o in archives] == ["s3://b/out/Job-1/output/model.tar.gz",
                                               "s3://b/out/Job-1/output/output.tar.gz"]
    plain = plan.outputs(a_job(OutputDataConfig={"S3OutputPath": "s3://b/out", "CompressionType": "NONE"}).body, "J")
    assert [(o["s3_uri"], o["archive"]) for o in plain] == [("s3://b/out/J/output/model", ""),
                                                            ("s3://b/out/J/output/data", "")]


PHASES = [("queued", 1000.3, ""), ("starting", 1001.0, ""), ("downloading", 1002.0, ""), ("running", 1003.0, ""),
          ("uploading", 1009.0, ""), ("exited", 1010.0, "")]


def test_phases_become_transitions_in_order_and_closed() -> None:
    shown = controller.transitions(a_job(), Outcome("uploading", PHASES[:5]))
    assert [t["Status"] for t in shown] == ["Starting", "Downloading", "Training", "Uploading"]
    assert all("StatusMessage" in t for t in shown)
    assert [t.get("EndTime") for t in shown] == [1002.0, 1003.0, 1009.0, None]


def test_building_an_environment_shows_as_downloading_the_image() -> None:
    phases = [("queued", 1.0, ""), ("starting", 2.0, "Downloading the training image"), ("downloading", 9.0, "")]
    shown = controller.transitions(a_job(), Outcome("downloading", phases))
    assert [(t["Status"], t["StatusMessage"]) for t in shown][1:] == [("Downloading", "Downloading input data")]


def test_an_environment_that_stands_in_for_another_is_named() -> None:
    note = "PyTorch 2.13.0 stands in for 2.1."
    shown = controller.transitions(a_job().with_(work={"note": note}), Outcome("running", PHASES[:4]))
    assert [note in t["StatusMessage"] for t in shown] == [False, False, True]


@pytest.mark.parametrize(("outcome", "expected"), [
    (Outcome("exited", exit_codes={"algo-1": 0}), ("Completed", "Completed", "")),
    (Outcome("exited", exit_codes={"algo-1": 143}, ended_by="stop"), ("Stopped", "Stopped", "")),
    (Outcome("exited", exit_codes={"algo-1": 0}, ended_by="max_runtime"), ("Stopped", "MaxRuntimeExceeded", "")),
    (Outcome("exited", exit_codes={"algo-1": 1}, blame="algorithm", failure="ExecuteUserScriptError:\nExitCode 1"),
     ("Failed", "Failed", "AlgorithmError: ExecuteUserScriptError:\nExitCode 1, exit code: 1")),
    (Outcome("exited", exit_codes={"algo-1": 3}, blame="algorithm", last_lines=["Traceback", "ValueError: no"]),
     ("Failed", "Failed", "AlgorithmError: Traceback\nValueError: no, exit code: 3")),
    (Outcome("exited", blame="client", failure="Data download failed"),
     ("Failed", "Failed", "ClientError: Data download failed")),
    (Outcome("exited", blame="platform"),
     ("Failed", "Failed", "InternalServerError: We encountered an internal error. Please try again.")),
])
def test_an_outcome_gives_status_and_reason(outcome: Outcome, expected: tuple) -> None:
    assert controller.verdict(outcome) == expected


def test_a_long_failure_keeps_the_end_of_the_log_and_the_start_of_the_failure_file() -> None:
    log = Outcome("exited", exit_codes={"algo-1": 1}, blame="algorithm", last_lines=["x" * 2000, "the last line"])
    file = Outcome("exited", exit_codes={"algo-1": 1}, blame="algorithm", failure="first words" + "y" * 2000)
    assert len(controller.failure_reason(log)) <= 1024 and "the last line" in controller.failure_reason(log)
    assert len(controller.failure_reason(file)) <= 1024 and "first words" in controller.failure_reason(file)
