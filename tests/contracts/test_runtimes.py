"""Every sandbox passes the suite of the seam."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from sagewright.engine.runtimes import choose
from sagewright.engine.runtimes.bwrap import Bwrap
from sagewright.engine.runtimes.docker import Docker, Engine
from sagewright.engine.runtimes.process import Process, namespaces_allowed
from tests.contracts import runtime_suite
from tests.contracts.runtime_suite import RuntimeSuite


class TestBwrap(RuntimeSuite):
    @pytest.fixture
    def runtime(self):
        if not choose.works(runtime_suite.UID):
            pytest.skip("bubblewrap cannot make sandboxes on this machine")
        return Bwrap()


class TestProcess(RuntimeSuite):
    @pytest.fixture
    def runtime(self):
        if not namespaces_allowed():
            pytest.skip("this machine allows no namespaces")
        return Process(plain=False)


class TestPlainProcess(RuntimeSuite):
    @pytest.fixture
    def runtime(self):
        return Process(plain=True)


class TestDocker(RuntimeSuite):
    """Runs where a Docker or Podman engine answers; DOCKER_HOST names one elsewhere. The image is made of this host."""

    uid, image = None, "sagewright-suite:1"

    @pytest.fixture
    def runtime(self, docker_engine):
        return Docker(docker_engine.path)



@pytest.fixture(scope="module")
def docker_engine():
    path = choose.engine_socket()
    if not path:
        pytest.skip("no Docker or Podman engine answers")
    engine = Engine(path)
    connection = engine.connect()
    connection.request("POST", "/images/create?fromSrc=-&repo=sagewright-suite&tag=1", little_python(),
                       {"Content-Type": "application/x-tar"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    yield engine
    engine.call("DELETE", "/images/sagewright-suite:1?force=true")


def little_python() -> bytes:
    """A tar with a shell, some tools and Python with what they need, taken from this machine."""
    tools = [Path("/usr/bin", name) for name in ("env", "sleep", "touch", "python3", "setsid", "true", "dash")]
    said = [subprocess.run(["ldd", tool], capture_output=True, text=True, check=True).stdout for tool in tools]
    libraries = {Path(word) for text in said for word in text.split() if word.startswith("/")}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("bin", "lib", "lib64"):
            tar.add(Path("/", name), name, recursive=False)
        for path in [*tools, *libraries]:
            inside = str(path.parent.resolve() / path.name).lstrip("/")
            tar.addfile(*opened(path, inside))
        tar.addfile(*opened(Path("/usr/bin/dash"), "usr/bin/sh"))
        library = next(path for path in sorted(Path("/usr/lib").glob("python3.*")) if (path / "socket.py").exists())
        tar.add(library, str(library).lstrip("/"), filter=lambda member: None if member.name.endswith(
            ("/test", "/__pycache__", "/dist-packages")) else member)
    return packed.getvalue()


def opened(path: Path, inside: str) -> tuple[tarfile.TarInfo, io.BytesIO]:
    """The file that a path leads to, as a member of that name."""
    info, data = tarfile.TarInfo(inside), path.read_bytes()
    info.size, info.mode = len(data), 0o755
    return info, io.BytesIO(data)
