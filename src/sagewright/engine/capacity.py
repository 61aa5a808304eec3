"""What fits on this machine: how an instance type is granted, and which waiting jobs may start now. Pure functions.

Called by `local.py`. The rules, in full:

* **Mapped down.** A job gets min(what its instance type has, what the machine has) of cores, memory and GPUs. An
  ml.m5.24xlarge job on a laptop runs with the laptop, and a note says so.
* **Batch jobs queue on cores.** A training, processing or transform job occupies as many cores as it was granted. The
  machine hands out its cores OVERCOMMIT times over, since jobs spend part of their life downloading and uploading.
  First in, first out, without overtaking; a job that fits nowhere else starts when no other batch job runs.
* **Servers do not queue on cores**: endpoints idle most of their life, and a training job must not keep one from coming
  up. CPU is shared between all of them by the kernel.
* **Memory is not reserved by instance size.** Instance types carry far more memory than jobs use, and a laptop would
  run one job at a time. The grant is a hard limit on each job instead, and nothing new starts while less than FLOOR of
  the machine's memory is really free, unless nothing else runs.
* **GPUs are exclusive.** On a machine with GPUs a GPU job waits for as many as it was granted; on a machine without,
  it runs on the processor, with a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sagewright.engine.instances import Instance

OVERCOMMIT = 2.0
FLOOR, FLOOR_MOST = 0.05, 2 << 30  # of the machine's memory, and in bytes
SYSTEM_MEMORY = 0.05  # of the machine's memory, kept out of every grant
GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    """What there is: cores, bytes of memory, GPU indices."""

    cores: int
    memory: int
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Grant:
    """What one instance is given here. `note` says where that is less than its type promises."""

    cpus: int
    memory: int
    gpus: int = 0
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A job as the queue sees it: `server` jobs do not wait for cores; `hosts` instances of one grant each."""

    handle: str
    grant: Grant
    server: bool = False
    hosts: int = 1


def grant(instance: Instance, machine: Machine) -> Grant:
    """The instance type mapped onto this machine."""
    usable = int(machine.memory * (1 - SYSTEM_MEMORY))
    cpus = min(instance.vcpus, machine.cores)
    memory = min(int(instance.memory * GIB), usable)
    gpus = min(instance.gpus, len(machine.gpus))
    less = []
    if cpus < instance.vcpus:
        less.append(f"{cpus} of {instance.vcpus} vCPUs")
    if memory < instance.memory * GIB:
        less.append(f"{memory / GIB:.1f} of {instance.memory:g} GiB memory")
    if gpus < instance.gpus:
        less.append(f"{gpus} of {instance.gpus} GPUs")
    if instance.accelerators:
        less.append(f"none of {instance.accelerators} accelerators")
    note = f"{instance.name} is mapped to this machine: {', '.join(less)}." if less else ""
    return Grant(cpus, memory, gpus, note)


def admit(waiting: Sequence[Claim], running: Sequence[Claim], machine: Machine, free_memory: int) -> list[str]:
    """Handles of the waiting claims (oldest first) that may start now."""
    cores = machine.cores * OVERCOMMIT - sum(c.grant.cpus * c.hosts for c in running if not c.server)
    gpus = len(machine.gpus) - sum(c.grant.gpus * c.hosts for c in running)
    batch_runs = any(not c.server for c in running)
    started: list[str] = []
    batch_blocked = gpu_blocked = False
    for claim in waiting:
        if free_memory < min(FLOOR * machine.memory, FLOOR_MOST) and (running or started):
            break
        wants_gpus = claim.grant.gpus * claim.hosts
        if wants_gpus > gpus or (wants_gpus and gpu_blocked):
            gpu_blocked = True
            batch_blocked = batch_blocked or not claim.server
            continue
        if not claim.server:
            if batch_blocked or (batch_runs and claim.grant.cpus * claim.hosts > cores):
                batch_blocked = True
                continue
            batch_runs = True
            cores -= claim.grant.cpus * claim.hosts
        gpus -= wants_gpus
        started.append(claim.handle)
    return started
