"""Bubblewrap sandboxes: user, pid, ipc, uts, cgroup and network namespaces and a root made of read-only binds.

Called by the agent. As root, bwrap runs as the job's own unprivileged uid (as real root it can be escaped through
/proc/sys); otherwise as our own uid. Inside, the command is uid 0, as AWS images expect, without any capability.

Covered: file system, processes, network, users, memory, CPU, process and file size limits, death with the agent.
Not covered: seccomp filters, disk quotas (the agent watches the volume), OCI images.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagewright.engine import cgroups
from sagewright.engine.runtimes.runtime import Box, Handle, NotStarted, State, check

START_TIMEOUT = 20.0
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM_FILES = ("/etc/ssl", "/etc/ca-certificates", "/etc/pki", "/etc/ld.so.cache", "/etc/ld.so.conf",
                 "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime", "/etc/mime.types", "/etc/fonts")
_OWN_FILES = ("passwd", "group", "hosts", "resolv.conf", "nsswitch.conf")


class Bwrap:
    """The default sandbox."""

    name = "bwrap"
    private_network = True

    def start(self, box: Box, ready: Callable[[int], None]) -> Handle:
        """Start bwrap with the command held back, put it under its limits, let the caller look, release it."""
        check(box)
        cgroup = group(box)
        status_read, status_write = os.pipe()
        hold_read, hold_write = os.pipe()
        output_read, output_write = os.pipe()
        arguments = sealed(b"".join(os.fsencode(word) + b"\0" for word in options(box, status_write, hold_read)))
        try:
            process = subprocess.Popen(
                ["bwrap", "--args", str(arguments), "--", *_limited(box, cgroup is not None)], cwd="/",
                executable=shutil.which("bwrap"), stdin=subprocess.DEVNULL, stdout=output_write, stderr=output_write,
                env={"PATH": os.defpath}, pass_fds=(arguments, status_write, hold_read), start_new_session=True,
                **identity(box.uid))
        except OSError as error:
            raise NotStarted(f"bwrap could not be run: {error}") from error
        finally:
            for fd in (arguments, status_write, hold_read, output_write):
                os.close(fd)
        handle = Handle(box, process, 0, output_read, cgroup, extra={"status": status_read})
        try:
            handle.pid = _child_pid(process, status_read, output_read)
            confine(handle)
            ready(handle.pid)
            os.write(hold_write, b"x")
        except BaseException:
            process.kill()
            if handle.pid:
                _signal(handle.pid, signal.SIGKILL)  # held back, it has not yet asked to die with bwrap
            process.wait()
            finish(handle)
            os.close(output_read)
            raise
        finally:
            os.close(hold_write)
        return handle

    def observe(self, handle: Handle) -> State:
        """bwrap's own exit status is the command's, 128 + signal included."""
        if handle.kill_at and time.monotonic() >= handle.kill_at and not handle.killed:
            handle.killed = True
            _signal(handle.pid, signal.SIGKILL)
        code = handle.process.poll()
        if code is None:
            return State(running=True)
        memory = finish(handle)
        return State(False, code if code >= 0 else 128 - code, memory)

    def stop(self, handle: Handle, grace: float) -> None:
        """SIGTERM goes to the command, the first child of the sandbox's init, which itself ignores it."""
        at = time.monotonic() + grace
        if handle.kill_at:
            handle.kill_at = min(handle.kill_at, at)
            return
        handle.kill_at = at
        for pid in children(handle.pid)[:1]:
            _signal(pid, signal.SIGTERM)

    def logs(self, handle: Handle) -> int:
        """The read end of the pipe that both streams write to."""
        return handle.output


def options(box: Box, status: int, hold: int) -> list[str]:
    """bwrap's options for a box: what it shares with the host, what it sees, what it is told."""
    words = ["--unshare-user", "--uid", "0", "--gid", "0", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
             "--unshare-cgroup-try", "--hostname", box.hostname, "--new-session", "--die-with-parent"]
    if box.private_network:
        words.append("--unshare-net")
    for name, value in box.environment.items():
        words += ["--setenv", name, value]
    words += _system(box)
    for bind in box.binds:
        kind = "--dev-bind" if bind.device else "--bind" if bind.writable else "--ro-bind"
        words += [kind, bind.source, bind.target]
    words += ["--chdir", box.workdir, "--json-status-fd", str(status), "--block-fd", str(hold)]
    return words


def _system(box: Box) -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_LINKS:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    words += ["--dir", "/etc"]
    for source in (*_SYSTEM_FILES, *map(str, Path("/etc").glob("java-*"))):
        words += ["--ro-bind-try", source, source]
    for name in _OWN_FILES:
        words += ["--ro-bind", f"{box.directory}/etc/{name}", f"/etc/{name}"]
    return [*words, "--dev", "/dev", "--tmpfs", "/dev/shm", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run",
            "--dir", "/var/tmp", "--dir", "/root", "--dir", "/home"]


def identity(uid: int | None) -> dict[str, Any]:
    """The Popen arguments that make the process that uid, with no supplementary groups."""
    return {"user": uid, "group": uid, "extra_groups": []} if uid is not None else {}


def group(box: Box) -> cgroups.Group | None:
    """The control group that the box will run in, None where the host allows none."""
    return cgroups.create(box.name, box.memory, box.cpus, box.pids)


def limits(box: Box, grouped: bool) -> dict[str, int]:
    """The box's resource limits; processes are counted by uid, so only a uid of its own can have a number of them."""
    return cgroups.rlimits(grouped, memory=box.memory, pids=box.pids if box.uid is not None else 0,
                           file_size=box.file_size)


def confine(handle: Handle) -> None:
    """Put the held process into its group, and onto its cores where the grant names some."""
    if handle.cgroup is not None:
        try:
            handle.cgroup.add(handle.pid)
        except OSError:  # a group that could be made and not be entered: better a job without than none
            handle.cgroup.remove()
            handle.cgroup = None
    if handle.box.cores:
        with suppress(OSError):
            os.sched_setaffinity(handle.pid, handle.box.cores)


def _limited(box: Box, grouped: bool) -> tuple[str, ...]:
    """The command behind util-linux's prlimit: only the job itself can lower limits without a further capability."""
    program = shutil.which("prlimit", path="/usr/bin:/bin")
    if program is None:
        return box.argv
    return (program, *(f"--{name}={value}" for name, value in limits(box, grouped).items()), "--", *box.argv)


def finish(handle: Handle) -> bool:
    """End what is left of an exited box; whether memory was what killed it."""
    if handle.extra.get("finished") is not None:
        return bool(handle.extra["finished"])
    memory = False
    if handle.cgroup is not None:
        memory = handle.cgroup.out_of_memory()
        handle.cgroup.kill()
        handle.cgroup.remove()
    if (status := handle.extra.pop("status", None)) is not None:
        os.close(status)
    handle.extra["finished"] = memory
    return memory


def children(pid: int) -> list[int]:
    """The direct children of a process, oldest first."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    found = []  # a kernel without that file
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(entry.name))
    return sorted(found)


def _signal(pid: int, what: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, what)


def sealed(data: bytes) -> int:
    """The bytes as a file descriptor: a command line is world-readable, and these hold the environment."""
    fd = os.memfd_create("sandbox", 0)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _child_pid(process: subprocess.Popen[bytes], status: int, output: int) -> int:
    """bwrap writes the pid in pieces: read until the JSON parses, or say what bwrap said instead."""
    text, deadline = b"", time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if not select.select([status], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        piece = os.read(status, 4096)
        if not piece:
            break
        text += piece
        with suppress(ValueError):
            return int(json.loads(text.partition(b"\n")[0])["child-pid"])
    process.kill()
    process.wait()
    fcntl.fcntl(output, fcntl.F_SETFL, os.O_NONBLOCK)
    said = b""
    with suppress(OSError):
        said = os.read(output, 4096)
    raise NotStarted(f"bwrap did not start the sandbox: {said.decode(errors='replace').strip() or 'no message'}")
