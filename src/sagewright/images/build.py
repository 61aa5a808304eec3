"""Builds an environment into the content-addressed cache, once, whoever asks; the work behind `Images.build`.

`shelf.py` calls `build`, `load`, `prune`. An environment's directory is named by what it is made of (lock, Python,
platform, version of this builder), is made under `tmp/` and renamed into place when whole, so that a directory that
exists is complete: a crash leaves only something under `tmp/`, which the next builder removes. `flock` keeps builders
apart, threads and processes alike, and dies with its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagewright.core.errors import Failed
from sagewright.core.seams import Built
from sagewright.images import indexes, kit

BUILDER = "1"               # raise it when the same lock must give another directory
MARKER = "complete.json"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of. locks: lists to try in turn; the first names what was promised.

    interpreter: path of the Python to build on. python: its minor version. module: imported once before the
    environment counts as whole, because a library can install and still miss something of the system.
    """

    name: str
    python: str
    interpreter: str
    locks: tuple[str, ...]
    module: str = "pip"

    @property
    def directory(self) -> str:
        """Name of the directory: the same ingredients give the same name on every run."""
        parts = ["\n--\n".join(self.locks), self.python, platform.system(), platform.machine(),
                 "-".join(platform.libc_ver()), BUILDER]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{self.name}-py{self.python.replace('.', '')}-{digest[:32]}"


def load(cache: Path, recipe: Recipe) -> Built | None:
    """The environment if it is there and whole; its interpreter may have gone since."""
    prefix = cache / recipe.directory
    try:
        marker = json.loads((prefix / MARKER).read_text())
    except (OSError, ValueError):
        return None
    if not (prefix / "bin" / "python").exists():
        return None
    return Built(str(prefix), str(prefix / "bin" / "python"), (str(prefix), *marker["binds"]), _variables(prefix))


def build(cache: Path, recipe: Recipe, say: Say) -> Built:
    """Make the environment unless it is there; raises Failed with the reason."""
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache, recipe.directory, say):
        there = load(cache, recipe)
        if there is None:
            say(f"Downloading the training image ({recipe.name}, Python {recipe.python})")
            _make(cache, recipe, say)
            there = load(cache, recipe)
    if there is None:
        raise Failed(f"The environment {recipe.name} was built and cannot be read back from {cache}.")
    return there


def prune(cache: Path, keep: set[str]) -> list[str]:
    """Remove environments whose directory is not in `keep`, and what crashed builders left. Run while no job runs."""
    removed = []
    for folder in sorted(cache.iterdir()) if cache.is_dir() else ():
        if folder.is_dir() and folder.name not in keep and (folder / MARKER).exists():
            with _alone(cache, folder.name, lambda line: None):
                aside = Path(tempfile.mkdtemp(prefix="pruned-", dir=_scratch(cache)))
                folder.rename(aside / folder.name)
                shutil.rmtree(aside, ignore_errors=True)
            removed.append(folder.name)
        elif folder.name in keep and (folder / MARKER).exists():
            kit.forget_old(folder)
    return removed


def packages(prefix: Path) -> dict[str, str]:
    """Distribution -> version, as recorded when the environment was made."""
    return json.loads((prefix / MARKER).read_text())["packages"]


@contextlib.contextmanager
def _alone(cache: Path, directory: str, say: Say) -> Iterator[None]:
    """Hold the lock of one directory; the file stays, because removing it would let two holders in."""
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{directory}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Downloading the training image (waiting for a build of it that is under way)")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _scratch(cache: Path) -> Path:
    scratch = cache / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch


def _make(cache: Path, recipe: Recipe, say: Say) -> None:
    """Build under tmp/ and rename. Holds the lock, so whatever lies under tmp/ for this recipe is a dead builder's."""
    for left in _scratch(cache).glob(f"{recipe.directory}.*"):
        shutil.rmtree(left, ignore_errors=True)
    started = time.monotonic()
    try:
        work = Path(tempfile.mkdtemp(prefix=f"{recipe.directory}.", dir=_scratch(cache)))
        try:
            prefix = work / "venv"
            lock = _install(prefix, recipe, say)
            # Modes must not depend on the umask of whoever builds: jobs run as other users.
            prefix.chmod(0o755)
            kit.refresh(prefix)
            marker = _describe(prefix, recipe, lock, time.monotonic() - started)
            _write_durably(prefix / MARKER, json.dumps(marker, indent=1))
            final = cache / recipe.directory
            if final.exists():          # whole once, but its interpreter has gone
                final.rename(work / "old")
            prefix.rename(final)
            kit.refresh(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as broken:
        raise Failed(f"The environment {recipe.name} could not be built: {broken}") from broken
    say(f"Training image ready: {recipe.name} in {marker['seconds']:.1f} s")


def _install(prefix: Path, recipe: Recipe, say: Say) -> str:
    """Make the virtual environment and fill it; returns the lock that could be installed."""
    settings = indexes.pip_settings()
    _run([indexes.uv(), "venv", "--quiet", "--no-config", "--no-project", "--relocatable", "--python",
          recipe.interpreter, str(prefix)], recipe, settings, lambda line: None)
    for number, lock in enumerate(recipe.locks, start=1):
        listed = prefix.parent / "lock.txt"
        listed.write_text(lock)
        command = [indexes.uv(), "pip", "sync", "--no-config", "--compile-bytecode", "--only-binary", ":all:",
                   "--python", str(prefix / "bin" / "python"), *indexes.uv_flags(settings), str(listed)]
        try:
            _run(command, recipe, settings, say)
            return lock
        except Failed:
            if number == len(recipe.locks):
                raise
            say("That build is not offered here; taking the next one")
    raise Failed(f"The environment {recipe.name} has no lock.")


def _run(command: list[str], recipe: Recipe, settings: indexes.PipSettings, say: Say) -> None:
    """Run uv, passing its lines on; Failed carries the last of them."""
    environment = {**os.environ, **indexes.uv_environment(settings), "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    last: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", env=environment, cwd="/", umask=0o022) as process:
        assert process.stdout is not None
        for line in process.stdout:
            line = line.rstrip()
            if line and not line.startswith("Using Python"):        # that line names a path of the host
                last = [*last[-9:], line]
                say(line)
    if process.returncode:
        raise Failed(f"The environment {recipe.name} could not be built: " + " | ".join(line.strip() for line in last))


def _describe(prefix: Path, recipe: Recipe, lock: str, seconds: float) -> dict[str, Any]:
    """What complete.json says: ingredients, package versions, and which other directories the environment needs."""
    ask = f"import json, sys, {recipe.module}; print(json.dumps([sys.base_prefix, sys.version.split()[0]]))"
    done = subprocess.run([prefix / "bin" / "python", "-c", ask], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"The environment {recipe.name} does not start: {done.stderr.strip()[-500:]}")
    base, version = json.loads(done.stdout.splitlines()[-1])
    installed = {}
    for info in prefix.glob("lib/python3.*/site-packages/*.dist-info"):
        name, _, number = info.name.removesuffix(".dist-info").partition("-")
        installed[name.lower().replace("_", "-")] = number
    return {"environment": recipe.name, "python": version, "platform": platform.platform(), "builder": BUILDER,
            "lock_sha256": hashlib.sha256(lock.encode()).hexdigest(), "seconds": round(seconds, 2),
            "binds": _foreign(prefix, base), "packages": dict(sorted(installed.items()))}


def _foreign(prefix: Path, base: str) -> list[str]:
    """Directories outside the environment that its interpreter needs; /usr is in every sandbox anyway."""
    wanted = {base, os.path.realpath(base),
              str(Path(os.path.realpath(prefix / "bin" / "python")).parent.parent)}
    return sorted(path for path in wanted if path != "/usr" and not path.startswith("/usr/"))


def _variables(prefix: Path) -> Mapping[str, str]:
    """Variables that AWS's images set, and the environment's own."""
    return {"VIRTUAL_ENV": str(prefix), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
            "PYTHONNOUSERSITE": "1", "PYTHONIOENCODING": "UTF-8", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _write_durably(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
