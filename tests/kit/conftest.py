"""Fixtures of the kit's suite: real environments, training containers and model servers as plain processes.

Nothing here imports `sagewright`, except to find or build the environments that it locks; without it, one environment
with current versions is built with uv.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("SAGEWRIGHT_ENV_CACHE") or ROOT / ".state" / "envs")
CURRENT = "xgboost-3.2-0"
FALLBACK = {
    CURRENT: ["xgboost-cpu", "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "pip", "setuptools"],
    "sklearn-1.2-1": ["scikit-learn", "numpy", "scipy", "pandas", "pip", "setuptools"],
}
WAIT = 120.0


def environment(name: str) -> Path:
    """The Python of an environment by its locked name; skips where this machine cannot have it."""
    if name not in _pythons:
        _pythons[name] = _find(name)
    found = _pythons[name]
    if isinstance(found, str):
        pytest.skip(found)
    return found


_pythons: dict[str, Path | str] = {}


def _find(name: str) -> Path | str:
    try:
        from sagewright.images import shelf
    except ImportError:
        return _with_uv(name)
    here = shelf.Shelf(CACHE.absolute(), "exact")
    try:
        return Path(here.build(here.image_of(name), lambda line: None).python)
    except Exception as refused:
        return f"{name}: {getattr(refused, 'message', '') or refused}"


def _with_uv(name: str) -> Path | str:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None or name not in FALLBACK:
        return f"{name} needs the environments of sagewright.images, or uv"
    home = CACHE / f"kit-{name}-py{sys.version_info[0]}{sys.version_info[1]}"
    if not (home / "complete").exists():
        subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, home], check=True)
        subprocess.run([uv, "pip", "install", "-q", "-p", home / "bin/python", *FALLBACK[name]], check=True)
        (home / "complete").touch()
    return home / "bin" / "python"


@pytest.fixture(scope="session")
def current() -> Path:
    """The Python of the environment with the newest XGBoost."""
    return environment(CURRENT)


def clean_environ(base: Path, **more: str) -> dict[str, str]:
    """A container's variables: nothing of the developer's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_"))}
    src = {"SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(ROOT / "src")}
    return {**kept, **pip, **src, **more}


class Job:
    """One training container below a directory of its own."""

    def __init__(self, base: Path, python: Path | str = sys.executable) -> None:
        self.base, self.python = base, python
        self.env: dict[str, str] = {}
        (base / "input" / "config").mkdir(parents=True)

    def configure(
        self, hyperparameters: dict[str, str], channels: dict[str, Any] | None = None, **resources: Any
    ) -> None:
        stated = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo", **resources}
        for name, content in (
            ("hyperparameters", hyperparameters),
            ("inputdataconfig", channels or {}),
            ("resourceconfig", stated),
        ):
            (self.base / "input" / "config" / f"{name}.json").write_text(json.dumps(content))

    def script(self, text: str, file: str = "train.py", **hyperparameters: str) -> None:
        """A script in a source directory, and hyperparameters that name it."""
        source = self.base / "source"
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text)
        self.configure(
            {"sagemaker_program": json.dumps(file), "sagemaker_submit_directory": json.dumps(str(source))}
            | hyperparameters
        )

    def channel(self, name: str, file: str, content: bytes | str) -> Path:
        path = self.base / "input" / "data" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @property
    def command(self) -> list[str]:
        return [str(self.python), "-m", "sagewright_kit.contract.train"]

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command,
            env=clean_environ(self.base, **self.env),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WAIT,
        )

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            env=clean_environ(self.base, **self.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def failure(self) -> str:
        return (self.base / "output" / "failure").read_text()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


class Server:
    """One serving container."""

    def __init__(self, base: Path, python: Path | str, **env: str) -> None:
        self.base, self.log = base, base / "serve.log"
        self.socket = str(base / "serve.sock")
        stated = {
            "SAGEMAKER_BIND_TO_PORT": "0",
            "SAGEWRIGHT_BIND_ADDRESS": "127.0.0.1",
            "SAGEWRIGHT_SERVE_SOCKET": self.socket,
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(python), "-m", "sagewright_kit.servers.serve"],
                env=clean_environ(base, **{**stated, **env}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> Server:
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError("the server ended:\n" + self.log.read_text())
            try:
                if self.request("GET", "/ping")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the server did not become ready:\n" + self.log.read_text())

    def connect(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("model", timeout=timeout)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout)
        connection.sock.connect(self.socket)
        return connection

    def request(
        self, method: str, path: str, body: bytes | str | None = None, timeout: float = 60.0, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self.connect(timeout)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def invoke(self, body: bytes | str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.request("POST", "/invocations", body, 60.0, **headers)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    """Starts servers: serve(python, model_files, **env); they end with the test."""
    started: list[Server] = []

    def start(python: Path | str, files: dict[str, bytes | str], ready: bool = True, **env: str) -> Server:
        base = tmp_path / f"serve{len(started)}"
        for name, content in files.items():
            path = base / "model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        (base / "model").mkdir(parents=True, exist_ok=True)
        started.append(Server(base, python, **env))
        return started[-1].wait_until_ready() if ready else started[-1]

    yield start
    for server in started:
        server.stop()


def run_python(python: Path | str, code: str, *arguments: str) -> str:
    """What a program prints that runs in an environment with the kit at hand."""
    done = subprocess.run(
        [str(python), "-c", code, *arguments],
        env=clean_environ(Path("/nonexistent")),
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
