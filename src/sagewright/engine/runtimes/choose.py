"""Which sandbox this machine uses. Called by the engine (to say so) and by the agent (to do so)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from functools import cache

from sagewright.engine.runtimes.bwrap import Bwrap, identity
from sagewright.engine.runtimes.docker import Docker
from sagewright.engine.runtimes.process import Process
from sagewright.engine.runtimes.runtime import Runtime


def named(name: str, container_engine: str = "") -> Runtime:
    """The runtime of that name; KeyError for none. `container_engine` is the socket that docker uses."""
    if name == "bwrap":
        return Bwrap()
    if name == "docker":
        return Docker(container_engine or engine_socket())
    return Process(plain={"process": False, "plain": True}[name])


def engine_socket() -> str:
    """The socket of a Docker or Podman engine that answers, "" for none. None is ever started."""
    own = f"{os.environ.get('XDG_RUNTIME_DIR', '/nonexistent')}/podman/podman.sock"
    named_one = os.environ.get("DOCKER_HOST", "").removeprefix("unix://")
    for path in (named_one, *_ENGINES, own):
        if path.startswith("/") and _answers(path):
            return path
    return ""


def _answers(path: str) -> bool:
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(2.0)
        made.connect(path)
        made.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
        return b" 200 " in made.recv(64)
    return False


def choose(wanted: str, uid: int | None = None) -> tuple[str, str]:
    """The name of the runtime to use for environments, and what a user should know about it ("" if nothing)."""
    if wanted in ("process", "plain"):
        return wanted, NOTES[wanted]
    if works(uid):
        return "bwrap", ""
    fallback = Process()
    name = "plain" if fallback.plain else "process"
    return name, f"bubblewrap is not usable on this machine. {NOTES[name]}"


_ENGINES = ("/var/run/docker.sock", "/run/podman/podman.sock")
NOTES = {
    "process": "The job runs as a bare process with its own namespaces; the host's readable files are visible to it.",
    "plain": "The job runs as a bare process without any isolation.",
}


@cache
def works(uid: int | None = None) -> bool:
    """Whether bubblewrap can make a sandbox here, as that uid."""
    if not shutil.which("bwrap"):
        return False
    words = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc",
             "true"]
    with suppress(OSError, subprocess.TimeoutExpired):
        who = identity(uid) if os.geteuid() == 0 else {}
        return subprocess.run(words, capture_output=True, timeout=10, check=False, **who).returncode == 0
    return False
