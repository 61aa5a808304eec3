"""Fixtures that every suite shares: a live server in a process of its own, on a free port, ended by pid."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
ACCESS_KEY, SECRET_KEY = "AKIATESTSAGEWRIGHT01", "test-secret-key-of-the-root-account"
os.environ.setdefault("SAGEWRIGHT_ENV_CACHE", str(ROOT / ".state" / "envs"))


def free_port() -> int:
    """A loopback port with its neighbour (the proxy's) free at this moment."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@dataclass
class Live:
    """A running server: where it is, who may use it, and how to stop it."""

    process: subprocess.Popen[bytes]
    port: int
    data_dir: Path
    arguments: list[str]
    region: str = "us-west-2"
    account: str = "123456789012"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/service-role/SageMakerRole"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a client process."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client of that service."""
        import boto3
        from botocore.config import Config

        config = more.pop("config", Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=90))
        return boto3.client(service, endpoint_url=self.url, region_name=self.region, config=config,
                            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, **more)

    def reset(self) -> None:
        """Empty the account."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/_sagewright/reset", method="POST"), timeout=60)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """SIGTERM, then wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def end(self) -> None:
        """Stop the server and everything that it left running."""
        from sagewright.engine.ending import end_all

        self.stop()
        end_all(self.data_dir, everything=True)

    def start_again(self) -> None:
        """Start the server anew on the same data directory and port."""
        self.process = _spawn(self.arguments, self.data_dir)
        _wait(self)


def start_server(data_dir: Path, *flags: str) -> Live:
    """Start a server on a free port and wait until it answers; another port if somebody was quicker."""
    for attempt in range(4):
        port = free_port()
        arguments = [str(data_dir), "--port", str(port), "--test-hooks",
                     "--allow-access-key", f"{ACCESS_KEY}:{SECRET_KEY}", *flags]
        live = Live(_spawn(arguments, data_dir), port, data_dir, arguments)
        try:
            _wait(live)
            break
        except RuntimeError as failed:
            if "Address already in use" not in str(failed) or attempt == 3:
                raise
    return live


def _spawn(arguments: list[str], data_dir: Path) -> subprocess.Popen[bytes]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "server.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "sagewright.cli.serve", *arguments], stdout=log, stderr=log,
                                cwd=ROOT)


def _wait(live: Live) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if live.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{live.url}/_sagewright/health", timeout=2) as answer:
                if json.load(answer)["status"] == "ok":
                    return
        except OSError:
            time.sleep(0.05)
    live.stop()
    raise RuntimeError(f"the server did not start:\n{(live.data_dir / 'server.log').read_text()[-4000:]}")


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all tests of this process; tests use names of their own."""
    server = start_server(tmp_path_factory.mktemp("server") / "data")
    yield server
    server.end()
