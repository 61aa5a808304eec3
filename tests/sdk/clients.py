"""Client environments that users have (SageMaker SDK 2 and 3, AWS CLI, JavaScript SDK), and running code in them.

Each lies under `.state/clients/NAME`, is built once from a requirement file and built anew when that file changes; a
lock keeps two test processes from building the same one. Scripts run under `sagewright run`, other programs with its
variables, all in a home of their own and with nothing else of this process's environment.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sagewright.cli import environment
from sagewright.cli.place import Place
from tests.conftest import ROOT, Live

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
STATE = ROOT / ".state" / "clients"
# The environment of SDK 2 is the one that scripts/demo makes, so that it is built once.
REQUIREMENTS = {"examples": ROOT / "examples" / "requirements.txt", "sdk3": HERE / "clients" / "sdk3.txt",
                "cli": HERE / "clients" / "cli.txt"}
_UNREACHED = re.compile(r"dns error|failed to lookup|error sending request|connection refused|network is unreachable|"
                        r"timed out|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN", re.I)


@dataclass(frozen=True)
class Client:
    """A directory of programs, and the server that they talk to."""

    bin: Path
    live: Live
    home: Path

    @property
    def bare(self) -> dict[str, str]:
        """A fresh home and a path, nothing about AWS."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.home), "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1"}

    @property
    def variables(self) -> dict[str, str]:
        """What `sagewright env --proxy` prints."""
        return environment.variables(Place(self.live.data_dir), proxy=True)

    def run(self, *command: str | Path, seconds: float = 240, ok: bool = True, stdin: str | None = None,
            **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program with the variables to its end; with `ok` its exit status must be 0."""
        return self._run(command, {**self.bare, **self.variables, **more}, seconds, ok, stdin)

    def script(self, path: Path | str, *arguments: str, seconds: float = 240) -> str:
        """`sagewright run` one of `scripts/` (or any path) with this environment's Python; what it printed."""
        command: tuple[str | Path, ...] = (
            ROOT / ".venv" / "bin" / "sagewright", "run", "--data-dir", self.live.data_dir, "--",
            self.bin / "python", SCRIPTS / path, *arguments)
        done = self._run(command, self.bare, seconds, True, None)
        return done.stdout + done.stderr

    def _run(self, command: Sequence[str | Path], environ: dict[str, str], seconds: float, ok: bool,
             stdin: str | None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([str(part) for part in command], env=environ, cwd=self.home, input=stdin, text=True,
                              capture_output=True, timeout=seconds)
        if ok and done.returncode != 0:
            pytest.fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-6000:]}\n"
                        f"{done.stderr[-6000:]}", pytrace=False)
        return done


@contextmanager
def _locked(name: str) -> Iterator[None]:
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    if done.returncode == 0:
        return
    if _UNREACHED.search(done.stdout):
        pytest.skip(f"the package registry cannot be reached: {done.stdout.strip()[-300:]}")
    pytest.fail(f"{' '.join(command)}:\n{done.stdout[-4000:]}", pytrace=False)


def python_environment(name: str) -> Path:
    """The bin directory of that client environment, built where it is missing or old."""
    wanted, place = REQUIREMENTS[name], STATE / name
    stamp = place / ".installed"
    with _locked(name):
        if not stamp.exists() or stamp.read_bytes() != wanted.read_bytes():
            uv = ROOT / ".venv" / "bin" / "uv"
            _build([str(uv), "venv", "-q", "--clear", "--python", sys.executable, str(place)], ROOT)
            _build([str(uv), "pip", "install", "-q", "--python", str(place / "bin" / "python"), "--compile-bytecode",
                    "-r", str(wanted)], ROOT)
            stamp.write_bytes(wanted.read_bytes())
    return place / "bin"


def node_environment() -> Path:
    """A directory with `tests/sdk/js` and its installed packages; skips where node is not installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: apt-get install nodejs npm")
    source, place = HERE / "js", STATE / "js"
    with _locked("js"):
        place.mkdir(exist_ok=True)
        wanted = (source / "package-lock.json").read_bytes()
        stamp = place / ".installed"
        if not stamp.exists() or stamp.read_bytes() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, place / name)
            _build(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], place)
            stamp.write_bytes(wanted)
        for script in source.glob("*.mjs"):
            shutil.copy(script, place / script.name)
    return place


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory without any AWS configuration."""
    return tmp_path_factory.mktemp("home")


def _fixture(name: str) -> Callable[..., Client]:
    @pytest.fixture(scope="session", name=name)
    def client(live: Live, home: Path) -> Client:
        return Client(python_environment("examples" if name == "sdk2" else name), live, home)

    return client


sdk2, sdk3, cli = _fixture("sdk2"), _fixture("sdk3"), _fixture("cli")
