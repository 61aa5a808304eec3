"""What a job is given on this machine, written down for its agent. Called by `local.py`.

Covered: limits and GPUs, the environment's directories, the gateway and what jobs are told about it, package index
settings, the sandbox and what there is to say about it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.core.seams import Built, Plan
from sagewright.engine import packages
from sagewright.engine.capacity import Grant, Machine

FIRST_UID = 1_900_000_000
_UIDS = 20_000
_LOW_UID = 40_000  # where only 65,536 ids are mapped, as in a container of an ordinary user's
SHOWN = "/etc/sagewright"
_MOST_TEXT = 65_536
_LONGEST_SOCKET = 100  # of the 108 bytes that a Unix socket's address may have


def first_uid() -> int | None:
    """The first of the uids that jobs run as; None if we are not root and jobs run as we do."""
    if os.geteuid() != 0:
        return None
    top = 0
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, length = (int(word) for word in line.split())
        top = max(top, inside + length)
    return FIRST_UID if top >= FIRST_UID + _UIDS else _LOW_UID


def free_uid(data_dir: Path, taken: Iterable[int | None]) -> int | None:
    """A uid that no job on disk and no process has. Several servers on one machine begin at different places."""
    first = first_uid()
    if first is None:
        return None
    used = {*taken, *_live_uids()}
    begin = int(_digest(str(data_dir)), 16) % _UIDS
    return next(uid for offset in range(_UIDS) if (uid := first + (begin + offset) % _UIDS) not in used)


def _live_uids() -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit():
                found.add(entry.stat().st_uid)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def box_name(data_dir: Path, handle: str, host: str) -> str:
    """A name that no other sandbox on this machine has."""
    return f"{_digest(str(data_dir))[:6]}-{handle}-{host}"


def free_cores(grant: Grant, machine: Machine, taken: Iterable[int]) -> list[int]:
    """The least used cores, where the grant is less than all of them: libraries size their pools by what they see."""
    available = sorted(os.sched_getaffinity(0))
    if grant.cpus >= len(available):
        return []
    load = dict.fromkeys(available, 0)
    for core in taken:
        load[core] = load.get(core, 0) + 1
    return sorted(sorted(available, key=lambda core: load[core])[: grant.cpus])


def serve_place(data_dir: Path, handle: str) -> Path:
    """The directory for a server's sockets, with a path short enough for their addresses."""
    name = _digest(handle)
    place = data_dir / "run" / "serve" / name
    if len(str(place / "in" / "serve.sock")) > _LONGEST_SOCKET:
        data = _digest(str(data_dir))
        place = Path(tempfile.gettempdir(), f"sagewright-{os.getuid()}-{data}", name)
    return place


def make_serve_place(place: Path, uid: int | None) -> None:
    """That directory, for us alone; `in` below it is what the server sees and may write to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.parent.chmod(0o700)
    if place.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{place.parent} belongs to somebody else")
    (place / "in").mkdir(parents=True, exist_ok=True)
    if uid is not None:
        os.chown(place / "in", uid, uid)


def told(environment: Mapping[str, str], copies: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """A job's variables and binds from the platform's.

    Files that variables name (certificates, wgetrc) are shown below SHOWN, so that a job learns nothing of the data
    directory; one that names others of them is shown as a copy, made in `copies`, that names their new places.
    """
    files = {value: f"{SHOWN}/{Path(value).name}" for value in environment.values()
             if value.startswith("/") and Path(value).is_file()}
    binds = [(_copy(Path(source), files, copies), target) for source, target in files.items()]
    variables = {name: files.get(value, value) for name, value in environment.items()}
    pip, paths = packages.for_jobs()
    return {**pip, **variables}, [*binds, *((path, path) for path in paths)]


def _copy(source: Path, files: Mapping[str, str], copies: Path) -> str:
    """The path to bind for that file: itself, unless its text has to change."""
    if source.stat().st_size > _MOST_TEXT:
        return str(source)
    text = before = source.read_text(errors="replace")
    for old, new in files.items():
        text = text.replace(old, new)
    if text == before:
        return str(source)
    copies.mkdir(exist_ok=True)
    (copies / source.name).write_text(text)
    return str(copies / source.name)


def _devices(gpus: list[int]) -> list[str]:
    """The device nodes of these GPUs and the driver's own; a job sees no others, so its GPUs count from 0."""
    if not gpus:
        return []
    shared = [str(path) for path in sorted(Path("/dev").glob("nvidia*")) if not path.name[6:].isdigit()]
    return [*(f"/dev/nvidia{index}" for index in gpus), *shared]


def describe(plan: Plan, grant: Grant, built: Built, job: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The placement as the agent reads it. `given` has the engine's own facts: uid, gateway, runtime, notes, ..."""
    environment, binds = told(given.pop("environment"), job / "shown")
    environment |= {"SAGEWRIGHT_NUM_CPUS": str(max(1, int(grant.cpus))),
                    "SAGEWRIGHT_NUM_GPUS": str(len(given["gpus"]))}
    return {
        "cpus": grant.cpus, "memory": grant.memory, "hosts": plan.instance_count, "environment": environment,
        "binds": binds, "devices": _devices(given["gpus"]),
        "built": {"prefix": built.prefix, "python": built.python, "binds": list(built.binds), "env": dict(built.env)},
        **given,
    }  # fmt: skip
