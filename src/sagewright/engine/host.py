"""The agent: one detached process per instance, `python -m sagewright.engine.host DIRECTORY`. Started by `local.py`.

It carries one plan out on one host, from downloading the inputs to delivering the outputs. Its truth is `status.jsonl`
in its directory; the control plane may die and come back at any time and reads it there. While it lives it holds the
lock on `agent.lock`, which it inherited locked: that is how others know. When it dies, its sandbox dies with it. Most
agents are forks of `nursery.py`, which run `main` here.

DIRECTORY is `<data>/jobs/<handle>/<host>`; `plan.json`, `placement.json`, `credentials.json` and, once asked for,
`stop.json` lie beside it. SIGTERM says: look whether there is a stop.json.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine.caller import Caller
from sagewright.engine.credentials import Wallet
from sagewright.engine.status import Status


class Stopped(Exception):
    """A stop was asked for before the command ran."""


class Failure(Exception):
    """The plan failed. `blame` is "algorithm", "client" or "platform"; the text becomes part of FailureReason."""

    def __init__(self, blame: str, reason: str) -> None:
        super().__init__(reason)
        self.blame = blame


class Host:
    """One plan on one host: what the steps of its life share."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.job, self.name = directory, directory.parent, directory.name
        self.plan: dict[str, Any] = json.loads((self.job / "plan.json").read_text())
        self.placement: dict[str, Any] = json.loads((self.job / "placement.json").read_text())
        self.wallet = Wallet(self.job / "credentials.json")
        self.uid: int | None = self.placement["uid"]
        self.notes: list[str] = list(self.placement["notes"])
        self.shutdown = False
        self._status = Status(directory / "status.jsonl")
        self._stop: float | None = None
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)

    @property
    def number(self) -> int:
        """Which of the plan's hosts this is, from 0."""
        return int(self.name.rpartition("-")[2]) - 1

    @property
    def volume(self) -> int:
        """Bytes of the job's volume."""
        return int(self.plan["volume_gb"]) << 30

    def enter(self, phase: str, message: str = "", **facts: Any) -> None:
        """A new phase: on disk, then told to the engine, which also looks by itself now and then."""
        note = {"note": " ".join(self.notes)} if self.notes else {}
        self._status.enter(phase, message, **note, **facts)
        path = Path(self.placement["engine_socket"])
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
            try:  # through the descriptor, since the path may be too long for a socket's address
                teller.setblocking(False)
                teller.sendto(self.job.name.encode(), f"/proc/self/fd/{folder}/{path.name}")
            finally:
                os.close(folder)

    def caller(self, patient: bool = True) -> Caller:
        """A connection to the gateway; an impatient one is abandoned when a stop is asked for."""
        plan = self.plan
        return Caller(self.placement["gateway"], plan["region"], self.wallet.keys,
                      (lambda: None) if patient else self.check)

    def stop_asked(self) -> float | None:
        """The grace of a stop that was asked for, or None."""
        if self._stop is None:
            with suppress(FileNotFoundError, ValueError):
                grace = json.loads((self.job / "stop.json").read_text()).get("grace")
                self._stop = float(self.plan["stop_grace"] if grace is None else grace)
        return self._stop

    def check(self) -> None:
        """Raise if a stop was asked for."""
        if self.stop_asked() is not None:
            raise Stopped
        if self.shutdown:
            raise Failure("platform", "The host is being shut down.")

    def on_sigterm(self, number: int, frame: object) -> None:
        """Wake the main loop; a SIGTERM that comes without stop.json is the machine going down.

        A second one brings a shorter grace.
        """
        self._stop = None
        if self.stop_asked() is None:
            self.shutdown = True
        self.wake()

    def wake(self) -> None:
        """Make the main loop look around now."""
        with suppress(BlockingIOError):
            os.write(self.wake_write, b"x")


def main(directory: Path, held: int) -> None:
    """Carry the plan out; whatever happens, the last line of status.jsonl says how it ended. `held` is the lock."""
    os.umask(0o022)
    os.set_inheritable(held, False)
    host = Host(directory)
    signal.signal(signal.SIGTERM, host.on_sigterm)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.pwrite(held, f"{os.getpid()}\n".encode(), 0)  # from here on we can be signalled
    try:
        from sagewright.engine import batch, server

        live = server.live if host.plan["kind"] == "hosting" else batch.live
        ending = live(host)
    except Stopped:
        ending = {"ended_by": "stop"}
    except Failure as failure:
        ending = {"failure": str(failure), "blame": failure.blame}
    except BaseException as fault:  # noqa: BLE001 - the outcome must be recorded whatever went wrong
        traceback.print_exc()
        ending = {"failure": f"{type(fault).__name__}: {fault}", "blame": "platform"}
    _record(host, ending)


def _record(host: Host, ending: dict[str, Any]) -> None:
    """Write the end down, making space where the disk is full: nobody needs the job's files any more."""
    for _ in range(3600):
        try:
            host.enter("exited", **ending)
            os._exit(0)  # threads that still wait for the network hold nothing that matters
        except OSError:
            for name in ("tmp", "home", "scratch", "ml"):
                shutil.rmtree(host.directory / name, ignore_errors=True)
            time.sleep(1.0)


if __name__ == "__main__":
    from sagewright.engine import host as _module  # the one whose exceptions the lives raise; this one is __main__

    _module.main(Path(sys.argv[1]), int(sys.argv[2]))
