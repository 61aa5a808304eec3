"""What this machine offers: cores, memory, GPUs, sandboxes, limits, disk. Called by `local.py` and `doctor`."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine import cgroups
from sagewright.engine.capacity import Machine
from sagewright.engine.runtimes import choose, process


def machine() -> Machine:
    """Cores and memory that this process may use, and the GPUs."""
    return Machine(_cores(), _memory("MemTotal"), tuple(gpu["index"] for gpu in gpus()))


def free_memory() -> int:
    """Bytes that a new job could use now."""
    return _memory("MemAvailable")


def gpus() -> list[dict[str, Any]]:
    """index, name and memory in MiB of each NVIDIA GPU."""
    if not shutil.which("nvidia-smi"):
        return []
    words = ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    found = []
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        text = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
        for line in text.splitlines():
            index, name, memory = (word.strip() for word in line.split(","))
            found.append({"index": int(index), "name": name, "memory_mib": int(memory)})
    return found


def facts(data_dir: Path) -> dict[str, Any]:
    """Everything `sagewright doctor` shows about running jobs here."""
    here = next(path for path in (data_dir, *data_dir.absolute().parents) if path.exists())
    disk = shutil.disk_usage(here)
    uid = 1_900_000_000 if os.geteuid() == 0 else None
    return {
        "cores": _cores(), "memory": _memory("MemTotal"), "memory_free": free_memory(), "gpus": gpus(),
        "bwrap": _version("bwrap"), "bwrap_works": choose.works(uid), "namespaces": process.namespaces_allowed(),
        "cgroups": cgroups.detect(), "root": os.geteuid() == 0, "docker": choose.engine_socket(),
        "disk_total": disk.total, "disk_free": disk.free,
    }  # fmt: skip


def _version(program: str) -> str:
    if not shutil.which(program):
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10).stdout.strip()
    return ""


def _cores() -> int:
    cores = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def _memory(field: str) -> int:
    amount = 0
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(field + ":"):
            amount = int(line.split()[1]) * 1024
    with suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text()) if field == "MemAvailable" else 0
        amount = min(amount, max(0, limit - used))
    return amount

