"""How many processors this container has. Used by the environment variables and by the model servers.

The platform may state them (SAGEWRIGHT_NUM_CPUS, SAGEWRIGHT_NUM_GPUS) since a sandbox can see more of the host than
its instance type stands for; otherwise the affinity mask, the cgroup quota and the device files say it.
"""

from __future__ import annotations

import os
import re


def cpus() -> int:
    """Processors this container may use, at least 1."""
    stated = os.environ.get("SAGEWRIGHT_NUM_CPUS", "")
    if stated.isdigit() and int(stated) > 0:
        return int(stated)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(count, quota) if quota else count)


def _cgroup_quota() -> int:
    """Whole processors that the cgroup allows, rounded up; 0 if it sets no limit."""
    text = _read("/sys/fs/cgroup/cpu.max").split()
    if len(text) == 2 and text[0].isdigit():
        return -(-int(text[0]) // int(text[1]))
    quota, period = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota.strip().isdigit() and period.strip().isdigit():
        return -(-int(quota) // int(period))
    return 0


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def gpus() -> int:
    """NVIDIA devices in this container. Counting device files spares the start of nvidia-smi."""
    stated = os.environ.get("SAGEWRIGHT_NUM_GPUS", "")
    if stated.isdigit():
        return int(stated)
    return _devices(r"nvidia\d+$")


def neurons() -> int:
    """Neuron devices in this container."""
    return _devices(r"neuron\d+$")


def _devices(pattern: str) -> int:
    try:
        return sum(1 for name in os.listdir("/dev") if re.match(pattern, name))
    except OSError:
        return 0
