"""What the benches share: a server of ours, environments of the peers, processes ended by pid, tables of ratios."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state" / "bench"
KEYS = ("AKIABENCHSAGEWRIGHT1", "bench-secret-key")
REGION = "us-west-2"
os.environ.setdefault("SAGEWRIGHT_ENV_CACHE", str(ROOT / ".state" / "envs"))


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def free_port() -> int:
    """A free loopback port (its neighbour too)."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def process(command: list[str], log: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, ended with all its children."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f"{log}.log").open("wb") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment},
                                   start_new_session=True, cwd=ROOT)
    try:
        yield started
    finally:
        for number, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            try:
                os.killpg(started.pid, number)
                started.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def answers(url: str, seconds: float = 120, data: bytes | None = None,
            alive: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until the URL answers 200; RuntimeError if the process that should answer ends, or time is up."""
    end = time.monotonic() + seconds
    while True:
        try:
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5) as reply:
                if reply.status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > end or (alive is not None and alive.poll() is not None):
            raise RuntimeError(f"{url} does not answer")
        time.sleep(0.1)


def peer_python(name: str) -> str:
    """The interpreter of a peer's environment, built on first use from its pinned list."""
    folder, wanted = STATE / name, (ROOT / "bench" / "peers" / f"{name}.txt").read_text()
    stamp = folder / ".installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"installing {name}")
        uv = str(ROOT / ".tools" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(folder / "bin" / "python"),
                        "-r", str(ROOT / "bench" / "peers" / f"{name}.txt")], check=True)
        stamp.write_text(wanted)
    return str(folder / "bin" / "python")


class Server:
    """A Sagewright of the bench's own."""

    def __init__(self, data_dir: Path, *flags: str) -> None:
        self.data_dir, self.port, self.flags = data_dir, free_port(), flags
        self.url = f"http://127.0.0.1:{self.port}"
        self.role_arn = "arn:aws:iam::123456789012:role/service-role/SageMakerRole"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "sagewright.cli.serve", str(self.data_dir), "--port", str(self.port),
                "--allow-access-key", ":".join(KEYS), "--test-hooks", *self.flags]

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return client(service, f"http://localhost:{self.port}")


def client(service: str, url: str) -> Any:
    """A boto3 client of that endpoint with the bench's keys."""
    import boto3
    from botocore.config import Config

    return boto3.client(service, endpoint_url=url, region_name=REGION, aws_access_key_id=KEYS[0],
                        aws_secret_access_key=KEYS[1], config=Config(retries={"max_attempts": 0}, read_timeout=120))


@contextmanager
def sagewright(*flags: str) -> Iterator[Server]:
    """A running Sagewright on a data directory of its own, with everything ended afterwards."""
    from sagewright.engine.ending import end_all

    data_dir = Path(tempfile.mkdtemp(prefix="sagewright-bench-", dir=STATE if STATE.exists() else None))
    server = Server(data_dir, *flags)
    try:
        with process(server.command, "sagewright") as running:
            answers(f"{server.url}/_sagewright/health", alive=running)
            yield server
        end_all(data_dir, everything=True)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def load(url: str, body: str, connections: int, seconds: float, content_type: str = "application/json",
         keys: tuple[str, str] | None = None) -> dict[str, float]:
    """One run of the load client, in a process of its own."""
    job = {"url": url, "body": body, "connections": connections, "seconds": seconds, "content_type": content_type,
           "keys": keys, "region": REGION}
    done = subprocess.run([sys.executable, "-m", "bench.load"], input=json.dumps(job), text=True, capture_output=True,
                          cwd=ROOT, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def table(title: str, header: list[str], rows: list[list[Any]]) -> None:
    """A Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    sys.stdout.flush()


def middle(values: list[float]) -> float:
    """The median."""
    return float(median(values))
