"""The life of one server replica: model, `serve`, /ping, an address for the router. Called by `host.py`.

The address is always a Unix socket on the host. A server that listens on the socket named by SAGEWRIGHT_SERVE_SOCKET is
dialled directly; any other is dialled on its port, through a relay of the agent's. What the job's uid can write is
never dialled by name: the socket is hard-linked into a directory of ours, where no link can be put in its place.

A server that ends is reported, not restarted: its controller decides.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine import life
from sagewright.engine.host import Host
from sagewright.engine.runtimes.runtime import Handle, State

PING_TIMEOUT = 2.0
STARTUP_TIMEOUT = 240.0
DELIVERY = 30.0


def live(host: Host) -> dict[str, Any]:
    """Serve until stopped; gives the facts of the end."""
    output = life.Output(host)
    for line in host.placement["prelude"]:
        output.say(line)
    try:
        host.enter("downloading", "Downloading model data")
        life.make_directories(host)
        life.bring_inputs(host)
        host.check()
        running = life.Running(host, output)
        handle = running.start()
        host.enter("running", "Starting the container")
        replica = Replica(host, running)
        try:
            return _watch(host, running, handle, replica)
        finally:
            replica.close()
    finally:
        output.deliver(host, DELIVERY)


def _watch(host: Host, running: life.Running, handle: Handle, replica: Replica) -> dict[str, Any]:
    runtime, output = running.runtime, running.output
    volume = life.Volume(host)
    volume.start()
    deadline = time.monotonic() + float(host.plan["health"].get("startup_timeout") or STARTUP_TIMEOUT)
    ready, trouble, ended_by = False, "", ""
    pidfd = os.pidfd_open(handle.process.pid)
    try:
        while (state := runtime.observe(handle)).running:
            grace = host.stop_asked()
            if grace is not None and not ended_by:
                ended_by = "stop"
                host.enter("stopping", "Stopping the container")
                runtime.stop(handle, grace)
            elif grace is not None:
                runtime.stop(handle, grace)  # which a later request may have shortened
            elif (host.shutdown or volume.trouble) and not trouble:
                trouble = volume.trouble or "The host is being shut down."
                runtime.stop(handle, 0)
            elif not ready and not ended_by and not trouble:
                ready = replica.answers()
                if ready:
                    host.enter("ready", address={"unix": str(replica.address)})
                elif time.monotonic() > deadline:
                    trouble = "did not pass the ping health check"
                    runtime.stop(handle, 0)
            elif ready:
                replica.keep_linked()
            life.pause(host, pidfd, 1.0 if ready or ended_by or trouble else 0.05)
    finally:
        os.close(pidfd)
    output.end()
    return _ending(host, output, state, ended_by, trouble)


def _ending(host: Host, output: life.Output, state: State, ended_by: str, trouble: str) -> dict[str, Any]:
    ending: dict[str, Any] = {"exit_code": state.exit_code, "ended_by": ended_by, "last_lines": output.last_lines,
                              "failure": "", "blame": ""}
    if trouble:
        ending |= {"failure": trouble, "blame": "platform" if host.shutdown else "algorithm"}
    elif not ended_by:
        reason = life.failure_text(host) or f"The server ended with exit code {state.exit_code}"
        if state.out_of_memory:
            reason = "OutOfMemory: the server used more memory than its instance type has and was killed."
        ending |= {"failure": reason, "blame": "algorithm"}
    return ending


class Replica:
    """Where the server can be reached."""

    def __init__(self, host: Host, running: life.Running) -> None:
        self.host, self.running, self.port = host, running, int(host.plan["port"])
        self.own = Path(host.placement["serve_dir"], Path(life.SERVE_SOCKET).name)
        self.address = Path(host.placement["address"])
        self._inode = 0

    def answers(self) -> bool:
        """Whether GET /ping gives 200 within its time; from then on `address` leads to the server."""
        if not self._link():
            if not self._pings(lambda: self.running.network.dial(self.port)):
                return False
            if not self._link():  # the socket may have appeared meanwhile
                self._relay()
                return True
        return self._pings(self._dial_own)

    def keep_linked(self) -> None:
        """A server that restarted itself has a new socket behind the same name."""
        if self._inode:
            self._link()

    def close(self) -> None:
        """Take the address away."""
        self.address.unlink(missing_ok=True)

    def _dial_own(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(PING_TIMEOUT)
        made.connect(str(self.address))
        return made

    def _link(self) -> bool:
        """Hard-link the server's own socket to the address, if there is one and it is a socket."""
        new = self.address.with_suffix(".new")
        try:
            found = self.own.lstat()
            if not stat.S_ISSOCK(found.st_mode):
                return False
            if found.st_ino != self._inode:
                new.unlink(missing_ok=True)
                os.link(self.own, new, follow_symlinks=False)
                if not stat.S_ISSOCK(new.lstat().st_mode):  # it was exchanged under our hands
                    new.unlink()
                    return False
                new.rename(self.address)
                self._inode = found.st_ino
        except OSError:
            return False
        return True

    def _relay(self) -> None:
        self.address.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.address))
        listener.listen(512)
        self.running.relay.link(listener, lambda: self.running.network.dial(self.port))

    def _pings(self, dial: Any) -> bool:
        deadline = time.monotonic() + PING_TIMEOUT
        with suppress(OSError), dial() as connection:
            connection.settimeout(PING_TIMEOUT)
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            data = b""
            while b"\r\n" not in data and time.monotonic() < deadline:
                piece = connection.recv(4096)
                if not piece:
                    break
                data += piece
            return data.split(b" ")[1:2] == [b"200"]
        return False


