"""(a) CreateTrainingJob to the first line of user code, warm, against starting the same script bare.

The script prints the time of its first line; the job's is read from its log. Medians of several.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import time

from bench import harness

IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
ROUNDS = 9
SCRIPT = 'import time; print("first line", time.time(), flush=True)\n'


def bare(python: str) -> float:
    """Seconds from starting the interpreter to the script's first line."""
    began = time.time()
    said = subprocess.run([python, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    return float(said.split()[-1]) - began


def job(server: harness.Server, number: int) -> tuple[float, float]:
    """(seconds from CreateTrainingJob to the first line, seconds to the end of the job)."""
    sagemaker, logs, name = server.client("sagemaker"), server.client("logs"), f"start-{number}"
    values = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"s3://bench/source.tar.gz"',
              "sagemaker_region": f'"{harness.REGION}"'}
    began = time.time()
    sagemaker.create_training_job(
        TrainingJobName=name, RoleArn=server.role_arn, HyperParameters=values,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://bench/out"}, StoppingCondition={"MaxRuntimeInSeconds": 60},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1})
    while (found := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] == "InProgress":
        time.sleep(0.05)
    ended = time.time()
    assert found["TrainingJobStatus"] == "Completed", found
    group = "/aws/sagemaker/TrainingJobs"
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"][0]["logStreamName"]
    lines = [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]]
    first = next(float(line.split()[-1]) for line in lines if line.startswith("first line"))
    return first - began, ended - began


def main() -> None:
    """Print the table."""
    with harness.sagewright() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": harness.REGION})
        source = io.BytesIO()
        with tarfile.open(fileobj=source, mode="w:gz") as tar:
            info = tarfile.TarInfo("train.py")
            info.size = len(SCRIPT)
            tar.addfile(info, io.BytesIO(SCRIPT.encode()))
        s3.put_object(Bucket="bench", Key="source.tar.gz", Body=source.getvalue())
        job(server, 0)
        python = _python(server)
        starts, wholes, bares = [], [], []
        for number in range(1, ROUNDS + 1):
            harness.say(f"start {number}")
            first, whole = job(server, number)
            starts.append(first)
            wholes.append(whole)
            bares.append(bare(python))
    start, plain = harness.middle(starts), harness.middle(bares)
    harness.table("(a) CreateTrainingJob to the first line of user code, warm, seconds", [
        "bare script", "as a training job", "added (goal: at most 0.5)", "create to Completed"],
        [[plain, start, start - plain, harness.middle(wholes)]])


def _python(server: harness.Server) -> str:
    from pathlib import Path

    from sagewright.images.shelf import Shelf

    shelf = Shelf(Path(harness.os.environ["SAGEWRIGHT_ENV_CACHE"]))
    built = shelf.ready(shelf.resolve(IMAGE))
    assert built is not None
    return built.python


if __name__ == "__main__":
    main()
