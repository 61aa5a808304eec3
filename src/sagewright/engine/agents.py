"""Starting the agent of a host, and cleaning up behind one that died. Called by `local.py`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine import cgroups, jobs

_PACKAGES = str(Path(__file__).resolve().parents[2])


def start(host: Path) -> subprocess.Popen[bytes]:
    """A detached agent. It inherits the held lock, so that at no moment an agent lives unlocked."""
    held = jobs.lock(host)
    try:
        with (host / "agent.log").open("ab") as output:
            os.fchmod(output.fileno(), 0o600)
            return subprocess.Popen(
                [sys.executable, "-S", "-P", "-m", "sagewright.engine.host", str(host), str(held)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, pass_fds=[held],
                cwd="/", env={"PYTHONPATH": _PACKAGES, "PATH": os.environ.get("PATH", os.defpath)})
    finally:
        os.close(held)


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
