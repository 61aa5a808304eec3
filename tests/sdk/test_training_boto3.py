"""Training jobs by boto3 against a live server: what really runs, and how it fails."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import ROOT, Live
from tests.sdk import jobs

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("training")]


@pytest.fixture(scope="module")
def bucket(live: Live) -> str:
    return jobs.bucket(live)


def run_script(live: Live, bucket: str, script: str, **more) -> dict:
    name = jobs.unique("script")
    live.client("sagemaker").create_training_job(**jobs.script_request(live, name, bucket, script, **more))
    return jobs.ended(live, name)


def test_built_in_xgboost_trains_and_leaves_a_model(live: Live, bucket: str) -> None:
    name = jobs.unique("xgb")
    jobs.put(live, bucket, f"{name}/train/rows.csv", jobs.rows())
    client = live.client("sagemaker")
    made = client.create_training_job(**jobs.training_request(live, name, bucket, Tags=[{"Key": "k", "Value": "v"}]))
    job = jobs.ended(live, name)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), jobs.log(live, name))
    assert [t["Status"] for t in job["SecondaryStatusTransitions"]][-2:] == ["Uploading", "Completed"]
    assert all("EndTime" in t and "StatusMessage" in t for t in job["SecondaryStatusTransitions"])
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] > 0
    assert {m["MetricName"] for m in job["FinalMetricDataList"]} == {"train:logloss"}
    assert "[4]#011train-logloss:" in jobs.log(live, name)
    assert client.list_tags(ResourceArn=made["TrainingJobArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    body = live.client("s3").get_object(Bucket=bucket, Key=uri.split("/", 3)[3])["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["xgboost-model"]
    points = live.client("cloudwatch").list_metrics(
        Namespace="/aws/sagemaker/TrainingJobs", Dimensions=[{"Name": "TrainingJobName", "Value": name}])["Metrics"]
    assert [p["MetricName"] for p in points] == ["train:logloss"]


SCRIPT = '''
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
parser.add_argument("--words", type=str)
args = parser.parse_args()
print("alpha", args.alpha, "words", args.words, "score=0.5;")
open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w").write("trained")
open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "report.json"), "w").write(json.dumps(sorted(os.environ)))
print("channel", open(os.environ["SM_CHANNEL_TRAIN"] + "/rows.csv").read().count(chr(10)))
'''


def test_a_script_gets_its_arguments_channels_and_directories(live: Live, bucket: str) -> None:
    name = jobs.unique("script")
    uri = jobs.put(live, bucket, f"{name}/data/rows.csv", jobs.rows(50))
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": {
        "S3DataType": "S3Prefix", "S3Uri": uri.rsplit("/", 1)[0]}}}
    request = jobs.script_request(
        live, name, bucket, SCRIPT, hyperparameters={"alpha": "0.25", "words": '"two words"'},
        InputDataConfig=[channel], Environment={"MY_OWN": "yes"},
        AlgorithmSpecification={"MetricDefinitions": [{"Name": "score", "Regex": "score=(.*?);"}]})
    live.client("sagemaker").create_training_job(**request)
    job = jobs.ended(live, name)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), jobs.log(live, name))
    text = jobs.log(live, name)
    assert "alpha 0.25 words two words" in text and "channel 50" in text
    assert job["FinalMetricDataList"][0]["Value"] == 0.5
    names = live.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"out/{name}/")["Contents"]
    assert [n["Key"].rsplit("/", 1)[1] for n in names] == ["model.tar.gz", "output.tar.gz"]


def test_code_in_a_job_calls_home_and_sees_nothing_of_the_host(live: Live, bucket: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("of the host")
    script = f'''
import boto3, os
print("identity", boto3.client("sts").get_caller_identity()["Arn"])
print("buckets", [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]])
sts = boto3.client("sts", endpoint_url="https://sts.us-west-2.amazonaws.com")
print("by host name", sts.get_caller_identity()["Account"])
for path in ({str(live.data_dir)!r}, {str(canary)!r}, {str(ROOT / "pyproject.toml")!r}, "/etc/shadow", "/root/.cache"):
    print("sees", path, os.path.exists(path))
'''
    name = jobs.unique("home")
    live.client("sagemaker").create_training_job(**jobs.script_request(live, name, bucket, script))
    job = jobs.ended(live, name)
    text = jobs.log(live, name)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), text)
    assert "identity arn:aws:sts::123456789012:assumed-role/SageMakerRole/" in text
    assert f"'{bucket}'" in text and "by host name 123456789012" in text
    assert "True" not in "\n".join(line for line in text.splitlines() if line.startswith("sees"))


def test_an_isolated_job_reaches_nothing(live: Live, bucket: str) -> None:
    script = f'''
import os, socket
try:
    socket.create_connection(("127.0.0.1", {live.port}), timeout=5)
    print("reached the gateway")
except OSError as error:
    print("refused", type(error).__name__)
print("credentials", [name for name in os.environ if "CREDENTIALS" in name or "SECRET" in name])
'''
    channel_name = jobs.unique("isolated")
    request = jobs.script_request(live, channel_name, bucket, script, EnableNetworkIsolation=True)
    source = request["HyperParameters"].pop("sagemaker_submit_directory").strip('"')
    request["HyperParameters"]["sagemaker_submit_directory"] = '"/opt/ml/input/data/code/sourcedir.tar.gz"'
    request["InputDataConfig"] = [{"ChannelName": "code", "DataSource": {"S3DataSource": {
        "S3DataType": "S3Prefix", "S3Uri": source}}}]
    live.client("sagemaker").create_training_job(**request)
    job = jobs.ended(live, channel_name)
    text = jobs.log(live, channel_name)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), text)
    assert "refused" in text and "credentials []" in text


@pytest.mark.parametrize(("script", "words"), [
    ("raise ValueError('the answer is not 42')", "the answer is not 42"),
    ("import sys; sys.exit(7)", "ExitCode 7"),
    ("open('/opt/ml/output/failure', 'w').write('my own words'); raise SystemExit(1)", "my own words"),
    ("import sys\nsys.stdout.buffer.write(bytes(range(256)) * 50)\nsys.stdout.flush()\n"
     "raise RuntimeError('after bytes')", "after bytes"),
])
def test_a_failing_script_says_why(live: Live, bucket: str, script: str, words: str) -> None:
    job = run_script(live, bucket, script)
    assert job["TrainingJobStatus"] == "Failed" and job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ") and words in job["FailureReason"], job["FailureReason"]


def test_a_job_beyond_its_time_is_stopped_and_its_artifacts_are_kept(live: Live, bucket: str) -> None:
    script = ("import os, time\nopen(os.environ['SM_MODEL_DIR'] + '/half', 'w').write('half a model')\n"
              "time.sleep(600)")
    job = run_script(live, bucket, script, StoppingCondition={"MaxRuntimeInSeconds": 3})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert live.client("s3").head_object(Bucket=bucket, Key=uri.split("/", 3)[3])["ContentLength"] > 0


def test_a_running_job_can_be_stopped_once(live: Live, bucket: str) -> None:
    name, client = jobs.unique("stop"), live.client("sagemaker")
    script = ("import signal, sys, time\n"
              "signal.signal(signal.SIGTERM, lambda *_: (print('told to stop'), sys.exit(0)))\n"
              "print('waiting', flush=True)\ntime.sleep(600)")
    client.create_training_job(**jobs.script_request(live, name, bucket, script))
    jobs.reaches(live, name, "Training")
    with pytest.raises(ClientError) as busy:
        client.delete_training_job(TrainingJobName=name)
    assert busy.value.response["Error"]["Code"] == "ResourceInUse"
    client.stop_training_job(TrainingJobName=name)
    job = jobs.ended(live, name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    with pytest.raises(ClientError) as refused:
        client.stop_training_job(TrainingJobName=name)
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The request was rejected because the training job is in status Stopped."}


def changed(request: dict, path: str, value: object) -> dict:
    inner = request
    *parents, last = path.split(".")
    for part in parents:
        inner = inner[int(part)] if part.isdigit() else inner[part]
    inner[last] = value
    return request


@pytest.mark.parametrize(("path", "value", "code", "words"), [
    ("RoleArn", "arn:aws:iam::123456789012:role/nobody", "ValidationException", "Could not assume role"),
    ("AlgorithmSpecification.TrainingImage", "123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1",
     "ValidationException", "Cannot find repository"),
    ("AlgorithmSpecification.TrainingImage", jobs.XGBOOST.replace("3.0-5", "99.9-9"), "ValidationException", "99.9-9"),
    ("InputDataConfig.0.DataSource.S3DataSource.S3Uri", "s3://no-such-bucket-at-all/x", "ValidationException",
     "No S3 objects found under S3 URL"),
    ("ResourceConfig.InstanceType", "ml.made.up", "ValidationException", "enum value set"),
    ("ResourceConfig.InstanceCount", 3, "ResourceLimitExceeded", "Instances"),
    ("StoppingCondition.MaxRuntimeInSeconds", 0, "ValidationException", "greater than or equal to 1"),
    ("TrainingJobName", "bad_name", "ValidationException", "regular expression pattern"),
    ("EnableManagedSpotTraining", True, "ValidationException", "MaxWaitTimeInSeconds"),
])
def test_a_bad_request_is_refused_at_once(live: Live, bucket: str, path: str, value: object, code: str,
                                          words: str) -> None:
    name = jobs.unique("bad")
    jobs.put(live, bucket, f"{name}/train/rows.csv", jobs.rows(5))
    request = changed(jobs.training_request(live, name, bucket), path, value)
    with pytest.raises(ClientError) as refused:
        live.client("sagemaker", config=Config(parameter_validation=False)).create_training_job(**request)
    error = refused.value.response["Error"]
    assert error["Code"] == code and words in error["Message"], error


def test_names_are_unique_and_unknown_ones_are_not_found(live: Live, bucket: str) -> None:
    name, client = jobs.unique("twice"), live.client("sagemaker")
    jobs.put(live, bucket, f"{name}/train/rows.csv", jobs.rows(20))
    client.create_training_job(**jobs.training_request(live, name, bucket))
    with pytest.raises(ClientError) as taken:
        client.create_training_job(**jobs.training_request(live, name, bucket))
    assert taken.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError) as unknown:
        client.describe_training_job(TrainingJobName=name + "x")
    assert unknown.value.response["Error"] == {"Code": "ValidationException",
                                               "Message": "Requested resource not found."}
    jobs.ended(live, name)
    listed = client.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    assert [j["TrainingJobName"] for j in listed] == [name]


@pytest.mark.parametrize(("hyperparameters", "words"), [
    ({"num_round": "5", "eta": "7"}, "eta"), ({"num_round": "5", "no_such": "1"}, "no_such"), ({}, "num_round")])
def test_the_algorithm_refuses_bad_hyperparameters(live: Live, bucket: str, hyperparameters: dict, words: str) -> None:
    name = jobs.unique("hp")
    jobs.put(live, bucket, f"{name}/train/rows.csv", jobs.rows(20))
    live.client("sagemaker").create_training_job(
        **jobs.training_request(live, name, bucket, HyperParameters=hyperparameters))
    job = jobs.ended(live, name)
    assert job["TrainingJobStatus"] == "Failed" and words in job["FailureReason"], job["FailureReason"]
