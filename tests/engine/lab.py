"""A laboratory for whole jobs: real engines, agents and sandboxes against the very small AWS of `tiny_aws.py`."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sagewright.core.clock import SystemClock
from sagewright.core.config import Config
from sagewright.core.seams import Built, Credentials, Image, Outcome, Plan
from sagewright.engine.local import LocalEngine
from tests.engine.tiny_aws import KEY, TinyAws

PATIENCE = 60.0
IMAGE = Image("123.dkr.ecr.us-west-2.amazonaws.com/test:1", "environment", "test", "1")


class PlainPython:
    """An `Images` whose one environment is this machine's /usr: a `train` script decides what runs."""

    def __init__(self, prefix: Path) -> None:
        self.built = Built(str(prefix), "/usr/bin/python3", (str(prefix),), {"FROM_IMAGE": "yes"})

    def resolve(self, uri: str) -> Image:
        return IMAGE

    def ready(self, image: Image) -> Built | None:
        return self.built

    def build(self, image: Image, say: Callable[[str], None]) -> Built:
        return self.built


def until(claim: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Poll a real condition, with an end; gives what it gave."""
    deadline = time.monotonic() + patience
    while not (result := claim()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)
    return result


class Lab:
    """One engine at a time over one data directory."""

    def __init__(self, aws: TinyAws, data_dir: Path, runtime: str, fresh: bool = True) -> None:
        self.aws, self.data_dir = aws, data_dir
        self.config = Config(data_dir=data_dir, port=aws.port, runtime=runtime)
        prefix = data_dir / "envs" / "plain"
        (prefix / "bin").mkdir(parents=True, exist_ok=not fresh)
        train = prefix / "bin" / "train"
        train.write_text("#!/usr/bin/python3\nimport os\nexec(compile(os.environ['SCRIPT'], 'train.py', 'exec'))\n")
        shutil.copy(train, prefix / "bin" / "serve")
        for script in (train, prefix / "bin" / "serve"):
            script.chmod(0o755)
        self.images = PlainPython(prefix)
        self.events: list[str] = []
        self.environment: dict[str, str] = {"AWS_ENDPOINT_URL": self.config.url}
        self.lifetime = 12 * 3600.0
        self.engine = self.new_engine()
        self.count = 0

    def new_engine(self) -> LocalEngine:
        self.engine = LocalEngine(self.data_dir, self.config, SystemClock(), self.images, self.credentials,
                                  self.environment, self.events.append)
        return self.engine

    def credentials(self, role_arn: str) -> Credentials:
        return Credentials(KEY, "secret", "token", time.time() + self.lifetime)

    def plan(self, script: str = "", **changes: Any) -> Plan:
        self.count += 1
        name = f"job-{self.count}"
        plan = Plan(
            arn=f"arn:aws:sagemaker:us-west-2:123456789012:training-job/{name}", attempt=1, kind="training", name=name,
            account="123456789012", region="us-west-2", role_arn="arn:aws:iam::123456789012:role/R", image=IMAGE,
            instance_type="ml.m5.large", command=["train"], environment={"SCRIPT": script},
            log_group="/aws/sagemaker/TrainingJobs", log_stream=name + "/{host}-1",
            outputs=[{"path": "/opt/ml/model", "s3_uri": f"s3://out/{name}/output/model.tar.gz", "archive": "tar.gz"}])
        return dataclasses.replace(plan, **changes)

    def run(self, script: str = "", **changes: Any) -> Outcome:
        return self.outcome(self.engine.submit(self.plan(script, **changes)))

    def outcome(self, handle: str, patience: float = PATIENCE) -> Outcome:
        until(lambda: self.engine.observe(handle).exited, f"{handle} ends", patience)
        return self.engine.observe(handle)

    def lines(self, number: int | None = None) -> list[str]:
        name = f"job-{self.count if number is None else number}"
        return self.aws.lines("/aws/sagemaker/TrainingJobs", f"{name}/algo-1-1")

    def close(self) -> None:
        for handle in list(self.engine._jobs):
            self.engine.release(handle)
        until(lambda: not self.engine._jobs, "all jobs are gone")
        self.engine.close()
