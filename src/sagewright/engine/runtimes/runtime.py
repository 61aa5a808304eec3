"""The seam between the agent and a sandbox: what is run (`Box`), and four methods that every sandbox offers.

Called by the agent's lives (`batch.py`, `server.py`); implemented by `bwrap.py`, `process.py`, `docker.py`. The
conformance suite is `tests/contracts/runtime_suite.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any, Protocol


@dataclass(frozen=True)
class Bind:
    """A host path that the sandbox sees at `target`; `device` for device nodes."""

    source: str
    target: str
    writable: bool = False
    device: bool = False


@dataclass(frozen=True)
class Box:
    """One command to run in a sandbox.

    name: unique on this machine (cgroup, container). directory: a host directory for the runtime's own files; `etc`
    below it holds the passwd, group, hosts, resolv.conf and nsswitch.conf to show. uid: host uid of the job, or None
    for our own. binds: all that it sees beyond the system. memory in bytes. private_network: its own loopback, else the
    host's network. image: an engine-held OCI image, for the docker runtime.
    """

    name: str
    directory: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    workdir: str = "/opt/ml"
    hostname: str = "algo-1"
    uid: int | None = None
    binds: tuple[Bind, ...] = ()
    memory: int = 0
    cpus: float = 0
    cores: tuple[int, ...] = ()
    pids: int = 0
    file_size: int = 0
    private_network: bool = True
    image: str = ""


@dataclass
class Handle:
    """A started box. `pid` is a process in the sandbox's namespaces, seen from the host."""

    box: Box
    process: Popen[bytes]
    pid: int
    output: int
    cgroup: Any = None
    kill_at: float = 0.0
    killed: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Whether it runs; how it ended (128 + signal for a signal); `out_of_memory` when the kernel killed it for that."""

    running: bool
    exit_code: int | None = None
    out_of_memory: bool = False


class Runtime(Protocol):
    """A sandbox technology.

    `start` returns once the sandbox exists. It calls `ready(pid)` with a process inside the sandbox's namespaces when
    those exist and before the command runs, so that the caller can put listeners into its network. `observe` never
    blocks, reaps, and carries out the kill that `stop` announced. `stop` sends SIGTERM to the command at once and
    SIGKILL to everything in the sandbox after `grace` seconds; a later call can only shorten the time. `logs` is a file
    descriptor that yields standard output and error, interleaved, and ends when nothing in the sandbox can write.
    Whatever dies (the command, its children, the agent itself): no process of a sandbox outlives its agent.
    """

    name: str
    private_network: bool

    def start(self, box: Box, ready: Callable[[int], None]) -> Handle: ...
    def observe(self, handle: Handle) -> State: ...
    def stop(self, handle: Handle, grace: float) -> None: ...
    def logs(self, handle: Handle) -> int: ...


class NotStarted(Exception):
    """The sandbox could not be made; the text says why."""


def check(box: Box) -> None:
    """NotStarted where a bind has nothing to show: said before anything is half made."""
    for bind in box.binds:
        if not os.path.lexists(bind.source):
            raise NotStarted(f"{bind.source}, which the sandbox is to see as {bind.target}, does not exist")
