"""Memory, CPU and process limits through cgroup v1, v2 or, where neither can be used, rlimits.

Called by the runtimes with the pid of a process that has not run user code yet. `detect()` says which mode the host
allows; a group that cannot be made (a read-only cgroup file system, no delegation) falls back without failing the job.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000
V1 = ("memory", "cpu", "pids")


def detect() -> str:
    """"v1", "v2" or "none": what groups with limits can be made here."""
    if all(os.access(ROOT / name, os.W_OK) and (ROOT / name / "cgroup.procs").exists() for name in V1):
        return "v1"
    parent = _v2_parent()
    if parent and os.access(parent, os.W_OK):
        with suppress(OSError):
            offered = set((parent / "cgroup.controllers").read_text().split())
            if {"memory", "cpu", "pids"} <= offered:
                return "v2"
    return "none"


def _v2_parent() -> Path | None:
    """Where groups of ours may be made in the unified hierarchy: beside the group this process is in."""
    if not (ROOT / "cgroup.controllers").exists():
        return None
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                own = ROOT / line[3:].strip().lstrip("/")
                return own if own == ROOT else own.parent
    return ROOT


class Group:
    """The groups of one sandbox: one directory in v2, one per controller in v1."""

    def __init__(self, name: str, mode: str, paths: dict[str, Path]) -> None:
        self.name, self.mode, self.paths = name, mode, paths

    def add(self, pid: int) -> None:
        """Move a process (and all that it will start) into the group."""
        for path in set(self.paths.values()):
            (path / "cgroup.procs").write_text(str(pid))

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed something in here for want of memory."""
        name = "memory.events" if self.mode == "v2" else "memory.oom_control"
        with suppress(OSError):
            for line in (self.paths["memory"] / name).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value) > 0
        return False

    def pids(self) -> list[int]:
        """Every process in the group."""
        with suppress(OSError):
            return [int(word) for word in (self.paths["pids"] / "cgroup.procs").read_text().split()]
        return []

    def kill(self) -> None:
        """SIGKILL to everything in it."""
        if self.mode == "v2":
            with suppress(OSError):
                (self.paths["pids"] / "cgroup.kill").write_text("1")
                return
        for _ in range(50):
            pids = self.pids()
            if not pids:
                return
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
            time.sleep(0.005)

    def remove(self) -> None:
        """Remove the empty groups; ended processes may take a moment to leave them."""
        for path in set(self.paths.values()):
            for _ in range(100):
                try:
                    path.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.005)


def create(name: str, memory: int, cpus: float, pids: int) -> Group | None:
    """Groups with these limits, or None where the host does not allow them."""
    mode = detect()
    try:
        if mode == "v1":
            return _create_v1(name, memory, cpus, pids)
        if mode == "v2":
            return _create_v2(name, memory, cpus, pids)
    except OSError:
        return None
    return None


def _create_v1(name: str, memory: int, cpus: float, pids: int) -> Group:
    group = Group(name, "v1", {which: ROOT / which / "sagewright" / name for which in V1})
    for path in group.paths.values():
        path.mkdir(parents=True, exist_ok=True)
    if memory:
        (group.paths["memory"] / "memory.limit_in_bytes").write_text(str(memory))
        with suppress(OSError):  # absent without swap accounting
            (group.paths["memory"] / "memory.memsw.limit_in_bytes").write_text(str(memory))
    if cpus:
        (group.paths["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group.paths["cpu"] / "cpu.cfs_quota_us").write_text(str(int(cpus * PERIOD)))
    if pids:
        (group.paths["pids"] / "pids.max").write_text(str(pids))
    return group


def _create_v2(name: str, memory: int, cpus: float, pids: int) -> Group:
    top = (_v2_parent() or ROOT) / "sagewright"
    top.mkdir(exist_ok=True)
    for parent in (top.parent, top):
        (parent / "cgroup.subtree_control").write_text("+memory +cpu +pids")
    path = top / name
    path.mkdir(exist_ok=True)
    if memory:
        (path / "memory.max").write_text(str(memory))
        with suppress(OSError):
            (path / "memory.swap.max").write_text("0")
        with suppress(OSError):
            (path / "memory.oom.group").write_text("1")
    if cpus:
        (path / "cpu.max").write_text(f"{int(cpus * PERIOD)} {PERIOD}")
    if pids:
        (path / "pids.max").write_text(str(pids))
    return Group(name, "v2", dict.fromkeys(V1, path))


def find(name: str) -> Group | None:
    """The groups of that name if they exist, to clean up after an agent that died."""
    v1 = {which: ROOT / which / "sagewright" / name for which in V1}
    if all(path.is_dir() for path in v1.values()):
        return Group(name, "v1", v1)
    path = (_v2_parent() or ROOT) / "sagewright" / name
    return Group(name, "v2", dict.fromkeys(V1, path)) if path.is_dir() else None


def rlimits(grouped: bool, *, memory: int, pids: int, file_size: int) -> dict[str, int]:
    """The resource limits a command gets, by prlimit's names; memory and processes only where no group limits them.

    Memory is limited as writable private memory, per process: address space (RLIMIT_AS) would stop programs that
    reserve far more than they use, as Java and CUDA do.
    """
    wanted = {"core": 0, "fsize": file_size, "data": 0 if grouped else memory, "nproc": 0 if grouped else pids}
    return {name: value for name, value in wanted.items() if value or name == "core"}


def lower(limits: dict[str, int]) -> None:
    """Give this process these limits for good, or the ones that it has where those are lower."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))
