"""The agent against the real gateway: S3, logs and metrics arrive, and code in a job calls home with boto3."""

from __future__ import annotations

import dataclasses
import io
import sys
import tarfile
import time
from pathlib import Path

import pytest

from sagewright.core.clock import SystemClock
from sagewright.core.config import Config
from sagewright.core.seams import Built, Credentials
from sagewright.engine.local import LocalEngine
from sagewright.gateway.certificates import proxy_environment
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.engine.lab import Lab, until

HOME = """
import boto3, os, urllib.request
print('me', boto3.client('sts').get_caller_identity()['Account'])
boto3.client('s3').put_object(Bucket=os.environ['BUCKET'], Key='from/job', Body=b'hello')
print('endpoint', boto3.client('s3').meta.endpoint_url == os.environ['AWS_ENDPOINT_URL'])
signed = boto3.client('s3', endpoint_url='https://s3.us-west-2.amazonaws.com')
print('by name', signed.get_object(Bucket=os.environ['BUCKET'], Key='in/train/a.csv')['Body'].read())
for n in range(3): print(f'loss={n}')
open('/opt/ml/model/big', 'wb').write(os.urandom(1 << 20) * 3)
"""


class LiveLab(Lab):
    """The laboratory with the real gateway and an environment that has boto3."""

    def __init__(self, live, data_dir, bucket):
        self.live, self.data_dir, self.bucket, self.count = live, data_dir, bucket, 0
        self.config = Config(data_dir=data_dir, port=live.port)
        venv = Path(sys.executable).parent.parent
        prefix = data_dir / "env"
        (prefix / "bin").mkdir(parents=True)
        train = prefix / "bin" / "train"
        train.write_text(f"#!{sys.executable}\nimport os\nexec(os.environ['SCRIPT'])\n")
        train.chmod(0o755)

        class Images:
            def ready(self, image):
                return Built(str(prefix), sys.executable, (str(prefix), str(venv), sys.base_prefix))

        environment = proxy_environment(live.data_dir, f"http://localhost:{live.port + 1}")
        self.engine = LocalEngine(data_dir, self.config, SystemClock(), Images(), self.credentials, environment)

    def credentials(self, role_arn):
        return Credentials(ACCESS_KEY, SECRET_KEY, "", time.time() + 3600)

    def close(self):
        self.engine.reset()
        until(lambda: not self.engine._jobs, "all jobs are gone")
        self.engine.close()


@pytest.fixture
def lab(live, data_dir):
    bucket = f"engine-{time.time_ns()}"
    live.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": live.region})
    made = LiveLab(live, data_dir, bucket)
    yield made
    made.close()


def test_a_job_works_against_the_real_gateway(live, lab):
    s3, name = live.client("s3"), f"job-{time.time_ns()}"
    s3.put_object(Bucket=lab.bucket, Key="in/train/a.csv", Body=b"1,2\n")
    s3.put_object(Bucket=lab.bucket, Key="in/train/sub dir/ü&<b>.csv", Body=b"3,4\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{lab.bucket}/in/train"}}
    plan = dataclasses.replace(
        lab.plan("import glob; print(sorted(glob.glob('/opt/ml/input/data/train/*/*')))\n" + HOME), name=name,
        inputs=[{"name": "train", "path": "/opt/ml/input/data/train", "source": source}], log_stream=name + "/{host}",
        outputs=[{"path": "/opt/ml/model", "s3_uri": f"s3://{lab.bucket}/out/model.tar.gz", "archive": "tar.gz"}],
        metrics=[{"Name": "loss", "Regex": "loss=(.*)"}], metric_namespace="/aws/sagemaker/TrainingJobs",
        metric_dimensions={"TrainingJobName": name})
    plan.environment["BUCKET"] = lab.bucket
    outcome = lab.outcome(lab.engine.submit(plan))
    assert (outcome.failure, outcome.exit_codes, outcome.note) == ("", {"algo-1": 0}, outcome.note), outcome
    events = live.client("logs").get_log_events(logGroupName=plan.log_group, logStreamName=f"{name}/algo-1",
                                                startFromHead=True)["events"]
    lines = [event["message"] for event in events]
    assert "['/opt/ml/input/data/train/sub dir/ü&<b>.csv']" in lines
    assert {"me 123456789012", "endpoint True", "by name b'1,2\\n'"} <= set(lines), lines
    assert s3.get_object(Bucket=lab.bucket, Key="from/job")["Body"].read() == b"hello"
    packed = s3.get_object(Bucket=lab.bucket, Key="out/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getmember("big").size == 3 << 20
    points = live.client("cloudwatch").get_metric_statistics(
        Namespace=plan.metric_namespace, MetricName="loss", Period=60, StartTime=time.time() - 600,
        EndTime=time.time() + 600, Statistics=["SampleCount"],
        Dimensions=[{"Name": "TrainingJobName", "Value": name}])["Datapoints"]
    assert sum(point["SampleCount"] for point in points) == 3


def test_a_job_outlives_a_killed_control_plane(live, lab):
    """The gateway dies hard in mid-job and comes back: log and model are complete."""
    name = f"job-{time.time_ns()}"
    plan = dataclasses.replace(
        lab.plan("import time, os\nprint('up', flush=True)\nwhile not os.path.exists('/opt/ml/go'): time.sleep(0.02)\n"
                 "print('went on')\nopen('/opt/ml/model/w', 'w').write('1')"), name=name, log_stream=name + "/{host}",
        outputs=[{"path": "/opt/ml/model", "s3_uri": f"s3://{lab.bucket}/out/{name}.tar.gz", "archive": "tar.gz"}])
    handle = lab.engine.submit(plan)
    logs = live.client("logs")

    def lines():
        found = logs.filter_log_events(logGroupName=plan.log_group, logStreamNamePrefix=name)["events"]
        return [event["message"] for event in found]

    until(lambda: lab.engine.observe(handle).phase == "running", "it runs")
    until(lambda: "up" in lines(), "its log arrives")
    live.kill()
    (lab.data_dir / "jobs" / handle / "algo-1" / "ml" / "go").touch()
    until(lambda: lab.engine.observe(handle).phase == "uploading", "it has run")
    live.start_again()
    assert lab.outcome(handle).exit_codes == {"algo-1": 0}
    assert lines()[-2:] == ["up", "went on"]
    assert live.client("s3").head_object(Bucket=lab.bucket, Key=f"out/{name}.tar.gz")["ContentLength"] > 0
