"""Containers of a Docker or Podman engine that the user runs, for OCI images. No engine is ever started here.

Called by the agent. Speaks the engine's HTTP interface over its Unix socket; `keeper.py` is the process that stands for
the container: it carries its output, exits with its code, and removes it when the agent dies.

Covered: limits, a network of its own, /opt/ml and the other binds, stop, out of memory, death with the agent.
Not covered: holding the command back until the network is linked in images without /bin/sh (there a program may find
the gateway's port closed for some milliseconds, and lines of its two streams may change places), a uid of its own (the
engine decides which user is root's inside).
"""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sagewright.engine.runtimes.runtime import Box, Handle, NotStarted, State, check

TIMEOUT = 60.0
HOLD = "/run/sagewright-hold"
_PACKAGES = str(Path(__file__).resolve().parents[3])
_HELD = ("/bin/sh", "-c", f'read -r go < {HOLD}/fifo && exec "$@" 2>&1', "sh")  # one stream keeps its order


class Engine:
    """The engine's HTTP interface."""

    def __init__(self, path: str) -> None:
        self.path = path

    def connect(self, timeout: float | None = TIMEOUT) -> http.client.HTTPConnection:
        """A connection over the Unix socket."""
        connection = http.client.HTTPConnection("engine", timeout=timeout)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(timeout)
        connection.sock.connect(self.path)
        return connection

    def call(self, method: str, path: str, body: Any = None, timeout: float | None = TIMEOUT) -> tuple[int, Any]:
        """(status, decoded JSON) of one request."""
        connection = self.connect(timeout)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            with connection.getresponse() as response:
                data = response.read()
                return response.status, json.loads(data) if data.strip().startswith((b"{", b"[")) else {}
        finally:
            connection.close()


class Docker:
    """Docker or Podman, whichever answers at the socket."""

    name = "docker"
    private_network = True

    def __init__(self, path: str) -> None:
        self.engine = Engine(path)

    def start(self, box: Box, ready: Callable[[int], None]) -> Handle:
        """Create the container, attach to it, start it with the command held back, let the caller look, release it."""
        check(box)
        container = self._create(box)
        output_read, output_write = os.pipe()
        status_read, status_write = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-S", "-P", "-m", "sagewright.engine.runtimes.keeper", self.engine.path, container,
             str(status_write)], stdin=subprocess.PIPE, stdout=output_write, stderr=subprocess.DEVNULL, cwd="/",
            start_new_session=True, pass_fds=[status_write], env={"PATH": os.defpath, "PYTHONPATH": _PACKAGES})
        os.close(output_write)
        os.close(status_write)
        handle = Handle(box, process, 0, output_read, extra={"container": container})
        try:
            if not select.select([status_read], [], [], TIMEOUT)[0] or os.read(status_read, 1) != b"a":
                raise NotStarted("the container engine did not let us attach to the container")
            status, answer = self.engine.call("POST", f"/containers/{container}/start")
            if status >= 300:
                raise NotStarted(f"the container could not be started: {answer.get('message', status)}")
            handle.pid = self._inspect(container)["State"]["Pid"]
            ready(handle.pid)
            self._release(box)
        except BaseException:
            self._remove(container)
            process.wait(TIMEOUT)
            raise
        finally:
            os.close(status_read)
        return handle

    def observe(self, handle: Handle) -> State:
        """The keeper exits with the container's code; the engine knows whether memory was the cause."""
        if handle.kill_at and time.monotonic() >= handle.kill_at and not handle.killed:
            handle.killed = True
            self._signal(handle, "SIGKILL")
        code = handle.process.poll()
        if code is None:
            return State(running=True)
        if "memory" not in handle.extra:
            state = self._inspect(handle.extra["container"]).get("State", {})
            handle.extra["memory"] = bool(state.get("OOMKilled"))
            self._remove(handle.extra["container"])
        return State(False, code if code >= 0 else 128 - code, handle.extra["memory"])

    def stop(self, handle: Handle, grace: float) -> None:
        """SIGTERM through the container's init."""
        at = time.monotonic() + grace
        if handle.kill_at:
            handle.kill_at = min(handle.kill_at, at)
            return
        handle.kill_at = at
        self._signal(handle, "SIGTERM")

    def logs(self, handle: Handle) -> int:
        """What the keeper passes on."""
        return handle.output

    def entrypoint(self, image: str) -> tuple[str, ...]:
        """The entrypoint that the image itself names."""
        status, answer = self.engine.call("GET", f"/images/{quote(image, safe='')}/json")
        if status != 200:
            raise NotStarted(f"the container engine has no image {image}")
        return tuple(answer["Config"].get("Entrypoint") or ())

    def _create(self, box: Box) -> str:
        argv = list(box.argv)
        name = quote(f"sagewright-{box.name}")
        held = Path(box.directory, "hold")
        held.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            os.mkfifo(held / "fifo", 0o644)
        container = self._made(name, _settings(box, argv))
        if self.engine.call("HEAD", f"/containers/{container}/archive?path=/bin/sh")[0] == 200:
            self._remove(container)
            return self._made(name, _settings(box, [*_HELD, *argv]))
        (held / "fifo").unlink()
        return container

    def _made(self, name: str, settings: dict[str, Any]) -> str:
        status, answer = self.engine.call("POST", f"/containers/create?name={name}", settings)
        if status >= 300:
            raise NotStarted(f"the container could not be made: {answer.get('message', status)}")
        return str(answer["Id"])

    def _release(self, box: Box) -> None:
        """Let the held command go, once its shell waits for that."""
        fifo, deadline = Path(box.directory, "hold", "fifo"), time.monotonic() + TIMEOUT
        while fifo.exists():
            try:
                fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:  # no reader yet
                if time.monotonic() > deadline:
                    raise NotStarted("the container did not come up") from error
                time.sleep(0.002)
                continue
            os.write(fd, b"go\n")
            os.close(fd)
            return

    def _inspect(self, container: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.engine.call("GET", f"/containers/{container}/json")[1]
        return answer

    def _signal(self, handle: Handle, name: str) -> None:
        with suppress(OSError):
            self.engine.call("POST", f"/containers/{handle.extra['container']}/kill?signal={name}")

    def _remove(self, container: str) -> None:
        with suppress(OSError):
            self.engine.call("DELETE", f"/containers/{container}?force=true&v=true")


def _settings(box: Box, argv: list[str]) -> dict[str, Any]:
    """The container as the engine's interface wants it described."""
    binds = [f"{bind.source}:{bind.target}{'' if bind.writable else ':ro'}" for bind in box.binds if not bind.device]
    devices = [{"PathOnHost": bind.source, "PathInContainer": bind.target, "CgroupPermissions": "rwm"}
               for bind in box.binds if bind.device]
    limits = [{"Name": "core", "Soft": 0, "Hard": 0}]
    if box.file_size:
        limits.append({"Name": "fsize", "Soft": box.file_size, "Hard": box.file_size})
    return {
        "Image": box.image, "Entrypoint": argv[:1], "Cmd": argv[1:], "Hostname": box.hostname, "Tty": False,
        "Env": [f"{name}={value}" for name, value in box.environment.items()], "WorkingDir": box.workdir,
        "AttachStdout": True, "AttachStderr": True, "Labels": {"sagewright": box.name},
        "HostConfig": {
            "Binds": [*binds, f"{box.directory}/hold:{HOLD}:ro"], "Devices": devices, "Ulimits": limits, "Init": True,
            "NetworkMode": "none" if box.private_network else "host", "LogConfig": {"Type": "none"},
            "Memory": box.memory, "MemorySwap": box.memory, "NanoCpus": int(box.cpus * 1e9),
            "PidsLimit": box.pids or None, "CpusetCpus": ",".join(map(str, box.cores)),
            "SecurityOpt": ["no-new-privileges"]},
    }  # fmt: skip
