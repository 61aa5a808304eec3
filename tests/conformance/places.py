"""Where the suites' files lie and where their environments are built; `Absent` says what is missing.

Suites lie outside the repository: in the folder that SAGEWRIGHT_CONFORMANCE names, else in `../shared/conformance`.
Environments and downloaded sources go to `.state/conformance`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WORK = ROOT / ".state" / "conformance"


class Absent(Exception):
    """The suite cannot run here; the text says what is missing."""


def shared(*parts: str) -> Path:
    """A file or folder of the suites."""
    named = os.environ.get("SAGEWRIGHT_CONFORMANCE")
    folder = Path(named) if named else ROOT.parent / "shared" / "conformance"
    path = folder.joinpath(*parts)
    if not path.exists():
        raise Absent(f"{path} is not there (SAGEWRIGHT_CONFORMANCE names the folder of the suites)")
    return path


def tool(name: str) -> str:
    """The path of a command that the machine has, ours first."""
    for folder in (ROOT / ".venv" / "bin", ROOT / ".tools" / "bin"):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise Absent(f"the command {name} is not on this machine")
    return found


def environment(name: str) -> Path:
    """A virtual environment with what `requirements/NAME.txt` pins; built once for each content of that file."""
    wanted = HERE / "requirements" / f"{name}.txt"
    folder = WORK / "venvs" / name
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        uv = tool("uv")
        run(uv, "venv", "--clear", "-q", "--python", sys.executable, str(folder))
        run(uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), "-r", str(wanted))
        shutil.copy(wanted, stamp)
    return folder / "bin"


def moto_source(version: str) -> Path:
    """moto's source distribution, which carries its tests."""
    folder = WORK / f"moto-{version}"
    if not (folder / "tests").is_dir():
        run(tool("python3"), "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", "moto",
            f"moto=={version}", "-d", str(WORK))
        with tarfile.open(WORK / f"moto-{version}.tar.gz") as archive:
            archive.extractall(WORK, filter="data")
    return folder


def ceph_source(commit: str) -> Path:
    """A checkout of ceph/s3-tests: the folder that SAGEWRIGHT_S3TESTS names, or one from its public repository."""
    named = os.environ.get("SAGEWRIGHT_S3TESTS")
    folder = Path(named) if named else WORK / "s3-tests"
    if not (folder / "s3tests" / "functional").is_dir():
        try:
            run("git", "clone", "-q", "https://github.com/ceph/s3-tests", str(folder))
            run("git", "-C", str(folder), "checkout", "-q", commit)
        except Absent:
            shutil.rmtree(folder, ignore_errors=True)
            raise Absent("ceph/s3-tests cannot be brought from its repository; SAGEWRIGHT_S3TESTS names a checkout") \
                from None
    return folder


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command that prepares a suite; Absent with its last words where it fails."""
    WORK.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=cwd or WORK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=900)
    if done.returncode:
        raise Absent(f"{' '.join(command[:4])} failed: {done.stdout.strip()[-300:]}")
