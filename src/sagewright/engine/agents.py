"""Starting the agent of a host, and cleaning up behind one that died. Called by `local.py`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine import cgroups, jobs

_PATIENCE = 30.0
_PACKAGES = str(Path(__file__).resolve().parents[2])


class Nursery:
    """Starts agents: the first as a new interpreter, the others as forks of a process that is kept for that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, host: Path) -> subprocess.Popen[bytes] | None:
        """A detached agent; its process where it is a child of ours.

        It inherits the held lock, so that at no moment an agent lives unlocked.
        """
        held = jobs.lock(host)
        try:
            with (host / "agent.log").open("ab") as output, self._lock:
                os.fchmod(output.fileno(), 0o600)
                if self._fork(host, held, output.fileno()):
                    return None
                started = _python("host", str(host), str(held), output=output.fileno(), passed=held)
                self._open()
                return started
        finally:
            os.close(held)

    def close(self) -> None:
        """End the kept process."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _fork(self, host: Path, held: int, output: int) -> bool:
        if self._control is None:
            return False
        try:
            socket.send_fds(self._control, [str(host).encode()], [held, output])
            return self._control.recv(1) == b"."
        except OSError:  # it was killed: the next agent starts another
            self.close()
            return False

    def _open(self) -> None:
        if self._process is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control.settimeout(_PATIENCE)
            self._process = _python("nursery", str(theirs.fileno()), output=subprocess.DEVNULL, passed=theirs.fileno())
            theirs.close()


def _python(module: str, *arguments: str, output: int, passed: int) -> subprocess.Popen[bytes]:
    """A detached interpreter without site packages: an agent needs none, and they cost time."""
    return subprocess.Popen(
        [sys.executable, "-S", "-P", "-m", f"sagewright.engine.{module}", *arguments], stdin=subprocess.DEVNULL,
        stdout=output, stderr=output, start_new_session=True, pass_fds=[passed], cwd="/",
        env={"PYTHONPATH": _PACKAGES, "PATH": os.environ.get("PATH", os.defpath)})


def reap(placed: Mapping[str, Any]) -> None:
    """Kill what a dead agent may have left: sandboxes die with their agents, but a last look is cheap."""
    if not placed:
        return
    group = cgroups.find(placed["box"])
    if group is not None:
        group.kill()
        group.remove()
    if placed["uid"] is None:
        return
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == placed["uid"]:
                os.kill(int(entry.name), signal.SIGKILL)


def delete(directory: Path) -> None:
    """Remove a tree; directories that a job made unreadable are opened first."""
    for root, names, _ in os.walk(directory):
        for name in names:
            path = Path(root, name)
            with suppress(OSError):
                if not path.is_symlink():
                    path.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)
