"""The init process of a `process` sandbox: makes namespaces, shows the binds, waits for the word, runs the command.

Started by `process.py` as `python -m sagewright.engine.runtimes.inside FD`, where FD holds the box as JSON: command
lines are world-readable, and the environment of a request must not reach a program that still runs as root.

The outer process stays in the agent's namespaces and passes the exit status on; the inner one is pid 1 of the job's.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine import cgroups, namespaces


def main() -> None:
    """Read the box, fork into its namespaces, report the pid, pass the exit status on."""
    with os.fdopen(int(sys.argv[1])) as file:
        box = json.load(file)
    namespaces.die_with_parent()
    if not box["plain"]:
        _unshare(box)
    pid = os.fork()
    if pid == 0:
        _become_init(box)
    os.close(box["hold"])
    os.write(box["status"], f"{pid}\n".encode())
    os.close(box["status"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(_code(os.waitpid(pid, 0)[1]))


def _unshare(box: dict[str, Any]) -> None:
    flags = namespaces.NEWNS | namespaces.NEWPID | namespaces.NEWNET | namespaces.NEWIPC | namespaces.NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        namespaces.unshare(namespaces.NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    namespaces.unshare(flags)
    namespaces.mount("none", "/", flags=namespaces.MS_REC | namespaces.MS_PRIVATE)
    socket.sethostname(box["hostname"])
    namespaces.loopback_up()


def _become_init(box: dict[str, Any]) -> None:
    """As pid 1: mounts, then the command as a child, then reap until it has ended.

    A plain box has no pid 1 whose end would end the rest: here this process adopts orphans, and SIGUSR1, from the agent
    or from the kernel when the agent dies, makes it kill all below it and end.
    """
    os.close(box["status"])
    if box["plain"]:
        signal.signal(signal.SIGUSR1, lambda number, frame: _end_all(137))
        namespaces.adopt_orphans()
        namespaces.die_with_parent(signal.SIGUSR1)
    else:
        namespaces.die_with_parent()
        opened = [os.open(bind["source"], os.O_PATH) for bind in box["binds"]]  # one bind may cover another's source
        for bind, source in zip(box["binds"], opened):
            _show(bind, source, [other["target"] for other in box["binds"] if other["writable"]], box["uid"])
            os.close(source)
        namespaces.mount("proc", "/proc", "proc")
    if not os.read(box["hold"], 1):
        os._exit(1)
    os.close(box["hold"])
    command = os.fork()
    if command == 0:
        _exec(box)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pid, status = os.wait()
        if pid == command:
            _end_all(_code(status)) if box["plain"] else os._exit(_code(status))


def _end_all(code: int) -> None:
    """Kill children until none is left (the orphans of each come to us), then end."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    while pids := own.read_text().split():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with suppress(ChildProcessError):
            os.wait()
    os._exit(code)


def _exec(box: dict[str, Any]) -> None:
    os.setsid()
    cgroups.lower(box["limits"])
    if box["uid"] is not None:
        os.setgroups([])
        os.setgid(box["uid"])
        os.setuid(box["uid"])
    namespaces.no_new_privileges()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    try:
        os.chdir(box["workdir"])
        os.execvpe(box["argv"][0], box["argv"], box["environment"])
    except OSError as error:
        os.write(2, f"{box['argv'][0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _show(bind: dict[str, Any], opened: int, writable: list[str], uid: int | None) -> None:
    """Bind a path. Its place is made in the job's own directories where it lies there; elsewhere the nearest directory
    above it is shadowed by one that has it, and a directory that the job's uid cannot enter by one that it can."""
    place, source = Path(bind["target"]), f"/proc/self/fd/{opened}"
    for above in reversed(place.parents):
        if uid is not None and above.exists() and not above.stat().st_mode & 0o001 and above.stat().st_uid != uid:
            namespaces.mount("tmpfs", str(above), "tmpfs", data="mode=755")
    if not place.exists():
        above = next(parent for parent in place.parents if parent.exists())
        if str(above) != "/" and not any(above.is_relative_to(target) for target in writable):
            _shadow(above)
        if Path(source).is_dir():
            place.mkdir(parents=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    namespaces.bind(source, str(place), bind["writable"])


def _shadow(directory: Path) -> None:
    """Cover a directory with a tmpfs that shows the same entries, so that others can be added for this job alone."""
    below = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    namespaces.mount("tmpfs", str(directory), "tmpfs", data="mode=755")
    with os.scandir(f"/proc/self/fd/{below}") as entries:
        for entry in entries:
            place = directory / entry.name
            if entry.is_symlink():
                place.symlink_to(Path(entry.path).readlink())
                continue
            place.mkdir() if entry.is_dir() else place.touch()
            with suppress(OSError):
                namespaces.bind(entry.path, str(place))
    os.close(below)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
