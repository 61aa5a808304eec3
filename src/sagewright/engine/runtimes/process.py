"""Bare processes: the last resort where bubblewrap is missing, announced as such in the job's log.

As root, or where unprivileged user namespaces are allowed, the job still gets its own process, mount and network
namespaces and sees its directories at their contract paths; as root it also runs as its own uid. Without either (a
`plain` sandbox) it shares the host's network and finds its directories through SAGEMAKER_BASE_DIR.

Covered: /opt/ml at its path, own network and processes, limits, death with the agent. Not covered: hiding the host's
world-readable files from the job (file permissions are the only wall), and, for plain sandboxes, any isolation at all:
they run as the server's own uid, and two servers of one port cannot run at a time.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sagewright.engine.runtimes import bwrap
from sagewright.engine.runtimes.runtime import Box, Handle, NotStarted, State, check

START_TIMEOUT = 20.0
_PACKAGES = str(Path(__file__).resolve().parents[3])


class Process:
    """The last resort. `plain` says that not even namespaces can be had."""

    name = "process"

    def __init__(self, plain: bool | None = None) -> None:
        self.plain = not namespaces_allowed() if plain is None else plain
        self.private_network = not self.plain

    def start(self, box: Box, ready: Callable[[int], None]) -> Handle:
        """Start the init of `inside.py` with the command held back, confine it, let the caller look, release it."""
        check(box)
        cgroup = bwrap.group(box)
        status_read, status_write = os.pipe()
        hold_read, hold_write = os.pipe()
        output_read, output_write = os.pipe()
        told = bwrap.sealed(json.dumps(self._told(box, status_write, hold_read, cgroup is not None)).encode())
        try:
            process = subprocess.Popen(
                [sys.executable, "-S", "-P", "-m", "sagewright.engine.runtimes.inside", str(told)],
                stdin=subprocess.DEVNULL, stdout=output_write, stderr=output_write, start_new_session=True, cwd="/",
                pass_fds=(told, status_write, hold_read), env={"PATH": os.defpath, "PYTHONPATH": _PACKAGES})
        except OSError as error:
            raise NotStarted(f"the process could not be started: {error}") from error
        finally:
            for fd in (told, status_write, hold_read, output_write):
                os.close(fd)
        handle = Handle(box, process, 0, output_read, cgroup)
        try:
            handle.pid = _inner(status_read, output_read)
            bwrap.confine(handle)
            ready(handle.pid)
            os.write(hold_write, b"x")
        except BaseException:
            self._kill(handle)
            process.wait()
            raise
        finally:
            os.close(status_read)
            os.close(hold_write)
        return handle

    def _told(self, box: Box, status: int, hold: int, grouped: bool) -> dict[str, Any]:
        environment = dict(box.environment)
        workdir = box.workdir
        if self.plain:
            ml = next((b.source for b in box.binds if b.target == "/opt/ml"), "/opt/ml")
            environment["SAGEMAKER_BASE_DIR"] = ml
            workdir = ml + workdir.removeprefix("/opt/ml") if workdir.startswith("/opt/ml") else "/"
        binds = [asdict(bind) for bind in box.binds if not bind.device]
        return {"plain": self.plain, "status": status, "hold": hold, "hostname": box.hostname, "uid": box.uid,
                "binds": binds, "workdir": workdir, "argv": list(box.argv), "environment": environment,
                "limits": bwrap.limits(box, grouped)}

    def observe(self, handle: Handle) -> State:
        """The outer process exits with the command's status."""
        if handle.kill_at and time.monotonic() >= handle.kill_at and not handle.killed:
            handle.killed = True
            self._kill(handle)
        code = handle.process.poll()
        if code is None:
            return State(running=True)
        memory = bwrap.finish(handle)
        return State(False, code if code >= 0 else 128 - code, memory)

    def stop(self, handle: Handle, grace: float) -> None:
        """SIGTERM to the command itself."""
        at = time.monotonic() + grace
        if handle.kill_at:
            handle.kill_at = min(handle.kill_at, at)
            return
        handle.kill_at = at
        for pid in bwrap.children(handle.pid)[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def logs(self, handle: Handle) -> int:
        """The read end of the pipe that both streams write to."""
        return handle.output

    def _kill(self, handle: Handle) -> None:
        """The end of pid 1 ends its namespace; the init of a plain sandbox kills what is below it when told."""
        if handle.pid and handle.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(handle.pid, signal.SIGUSR1 if self.plain else signal.SIGKILL)


def namespaces_allowed() -> bool:
    """Whether a job can be given its own namespaces here; asked of util-linux, in a process that may fail."""
    if not shutil.which("unshare"):
        return False
    who = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    with suppress(OSError, subprocess.TimeoutExpired):
        words = ["unshare", *who, "--mount", "--pid", "--net", "--fork", "true"]
        return subprocess.run(words, capture_output=True, timeout=10, check=False).returncode == 0
    return False


def _inner(status: int, output: int) -> int:
    """The pid of the sandbox's init, or what went wrong before it came up."""
    if select.select([status], [], [], START_TIMEOUT)[0] and (text := os.read(status, 64)):
        return int(text)
    os.set_blocking(output, False)
    said = b""
    with suppress(OSError):
        said = os.read(output, 8192)
    lines = said.decode(errors="replace").strip().splitlines() or ["no message"]
    raise NotStarted(f"the process sandbox did not start: {lines[-1]}")

