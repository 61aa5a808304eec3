"""Puts the job-side package (`sagewright_kit`) and its commands `train` and `serve` into an environment.

Called by `build.py` when an environment is made and by `shelf.py` once per process for each one it hands out, so that a
changed kit reaches environments that were built before. Copies are kept under `kit/HASH` inside the environment and
a `.pth` file names the current one: both are replaced by renaming, so a job that starts meanwhile sees one or the
other, and one that runs keeps the files it has.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "sagewright_kit"
COMMANDS = {"train": "sagewright_kit.contract.train", "serve": "sagewright_kit.servers.serve"}
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


@lru_cache(maxsize=4)
def stamp(package: Path = PACKAGE) -> str:
    """Hash of the kit's content, computed once per process."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def refresh(prefix: Path, package: Path = PACKAGE) -> None:
    """Make the environment use this kit; a matter of microseconds where it already does."""
    copy = prefix / "kit" / stamp(package)
    if not copy.exists():
        _copy(package, copy, prefix)
    pointer = next(prefix.glob("lib/python3.*/site-packages")) / "sagewright_kit.pth"
    _write(pointer, f"{copy}\n")
    for command, module in COMMANDS.items():
        _write(prefix / "bin" / command, launcher(prefix, module), 0o755)


def forget_old(prefix: Path, package: Path = PACKAGE) -> None:
    """Remove copies of earlier kits. Run while no job runs."""
    for copy in (prefix / "kit").glob("*"):
        if copy.name != stamp(package):
            shutil.rmtree(copy, ignore_errors=True)


def launcher(prefix: Path, module: str) -> str:
    """A command that runs a module of the kit (through the shell: a #! line cannot be long)."""
    return f'#!/bin/sh\nexec {shlex.quote(f"{prefix}/bin/python")} -m {module} "$@"\n'


def _copy(package: Path, copy: Path, prefix: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=copy.parent))
    fresh.chmod(0o755)
    shutil.copytree(package, fresh / package.name, ignore=_LEFT_OUT)
    try:
        fresh.rename(copy)
    except OSError:             # another process was faster
        shutil.rmtree(fresh, ignore_errors=True)
        if not copy.exists():
            raise
    # A file that only a newer Python can compile is left as it is: the environment's own Python never imports it.
    subprocess.run([prefix / "bin" / "python", "-m", "compileall", "-q", copy], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a small file by renaming, if it differs."""
    try:
        if path.read_text() == text:
            return
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)
