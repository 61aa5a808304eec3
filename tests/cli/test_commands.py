"""The `sagewright` command as a person uses it: a home without anything in it, a shell, the AWS CLI and boto3."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sagewright.engine.ending import end_all
from tests.conftest import ROOT, free_port
from tests.sdk import jobs

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("commands")]
BIN = ROOT / ".venv" / "bin"


@dataclass
class Person:
    """Somebody with an empty home who types commands."""

    home: Path
    port: int

    @property
    def data(self) -> Path:
        return self.home / ".sagewright"

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
                "SAGEWRIGHT_ENV_CACHE": os.environ["SAGEWRIGHT_ENV_CACHE"]}

    def types(self, line: str, rc: int = 0) -> str:
        """A line of shell; what it printed on both outputs."""
        done = subprocess.run(["/bin/sh", "-c", line], env=self.environment, cwd=self.home, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
        assert done.returncode == rc, f"{line}\n{done.stdout}"
        return done.stdout

    def up(self) -> str:
        return self.types(f"sagewright up --detach --port {self.port}")


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    who = Person(tmp_path, free_port())
    yield who
    if who.data.exists():
        subprocess.run([str(BIN / "sagewright"), "down"], env=who.environment, timeout=60, check=False)
        end_all(who.data, everything=True)


TRAIN = '''
import io, os, tarfile, boto3
code = b"import time\\nfor n in range(4):\\n    print('step', n, flush=True)\\n    time.sleep(0.3)\\n"
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as archive:
    info = tarfile.TarInfo("train.py")
    info.size = len(code)
    archive.addfile(info, io.BytesIO(code))
s3 = boto3.client("s3")
s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_REGION"]})
s3.put_object(Bucket="mine", Key="code.tar.gz", Body=packed.getvalue())
boto3.client("sagemaker").create_training_job(
    TrainingJobName="my-job", RoleArn=os.environ["SAGEWRIGHT_ROLE_ARN"],
    AlgorithmSpecification={"TrainingImage": "IMAGE", "TrainingInputMode": "File"},
    HyperParameters={"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"s3://mine/code.tar.gz"'},
    OutputDataConfig={"S3OutputPath": "s3://mine/out"}, StoppingCondition={"MaxRuntimeInSeconds": 600},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1})
'''.replace("IMAGE", jobs.SKLEARN)


def test_from_the_first_start_to_the_last_trace(person: Person) -> None:
    said = person.up()
    assert f"http://localhost:{person.port}" in said and "sagewright down" in said
    assert "[profile sagewright]" in (person.home / ".aws" / "config").read_text()
    assert "already running" in person.up()

    # With the profile, and with the variables.
    identity = "import boto3; print(boto3.Session({}).client('sts').get_caller_identity()['Arn'])"
    by_profile = person.types(f"python -c \"{identity.format('profile_name=' + chr(39) + 'sagewright' + chr(39))}\"")
    by_variables = person.types(f'eval "$(sagewright env)" && python -c "{identity.format("")}"')
    assert by_profile == by_variables and ":assumed-role/" in by_profile

    (person.home / "train.py").write_text(TRAIN)
    person.types('eval "$(sagewright env)" && python train.py')
    followed = person.types("sagewright logs my-job --follow")
    assert [line for line in followed.splitlines() if line.startswith("step")] == [f"step {n}" for n in range(4)]
    assert "There is no training job or endpoint called other" in person.types("sagewright logs other", rc=1)
    status = json.loads(person.types("sagewright status --json"))
    assert status["running"] and [j["TrainingJobName"] for j in status["training_jobs"]] == ["my-job"]
    assert "training job\tmy-job\tCompleted" in person.types("sagewright status")

    # AWS host names lead here for the command alone.
    by_name = ("import boto3, os; print(boto3.client('sts', endpoint_url='https://sts.us-west-2.amazonaws.com')"
               ".get_caller_identity()['Arn'])")
    assert person.types(f'sagewright run -- python -c "{by_name}"') == by_profile
    assert "HTTPS_PROXY" in person.types("sagewright env --proxy")
    assert "no-such-command: No such file" in person.types("sagewright run -- no-such-command", rc=127)

    # Stop and start: everything is still there.
    assert "The server has stopped" in person.types("sagewright down")
    assert "No server is running" in person.types("sagewright status", rc=1)
    assert "sagewright up --detach" in person.types("sagewright env", rc=1)
    person.up()
    assert "training job\tmy-job\tCompleted" in person.types("sagewright status")
    assert "step 3" in person.types("sagewright logs my-job")
    listed = person.types('eval "$(sagewright env)" && python -c "import boto3; print([o[\'Key\'] for o in '
                          'boto3.client(\'s3\').list_objects_v2(Bucket=\'mine\')[\'Contents\']])"')
    assert "out/my-job/output/model.tar.gz" in listed

    said = person.types("sagewright down --purge")
    assert "profile sagewright is removed" in said and str(person.data) in said
    assert not person.data.exists() and not (person.home / ".aws" / "config").exists()
    assert "No server is running" in person.types("sagewright down")


def test_a_port_that_is_taken_is_named(person: Person) -> None:
    person.up()
    said = person.types(f"sagewright up --detach --port {person.port} --data-dir {person.home}/other", rc=1)
    assert str(person.port + 1) in said and "--port N" in said and "Traceback" not in said, said


def test_a_wrong_flag_is_named(person: Person) -> None:
    said = person.types("sagewright up --detach --egress sometimes", rc=1)
    assert "sometimes" in said and "refuse" in said and len(said.splitlines()) < 5, said


def test_what_is_here_and_where_operations_live(person: Person) -> None:
    done = subprocess.run([str(BIN / "sagewright"), "doctor", "--json"], env=person.environment, text=True,
                          capture_output=True, timeout=60)
    found = json.loads(done.stdout)
    assert found["cores"] >= 1 and done.returncode == (0 if found["bwrap_works"] or found["docker"] else 1)
    create = json.loads(person.types("sagewright ops CreateTrainingJob --json"))
    assert [(row["service"], row["how"]) for row in create] == [("sagemaker", "derived")]
    assert any(name.startswith("tests/") for name in create[0]["tests"])
    assert "not available yet" in person.types("sagewright ops CreateHub")
    assert "No service here has an operation called Nonsense" in person.types("sagewright ops Nonsense", rc=1)
