"""The Linux calls that Python 3.11 has no name for: unshare, setns, mount, prctl. Called by `host.py`, `network.py` and
`runtimes/inside.py`; every function raises OSError like those of `os`."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_RELATIME = (
    1, 32, 4096, 16384, 1 << 18, 1 << 19, 1 << 21)
_PDEATHSIG, _SUBREAPER, _NO_NEW_PRIVS = 1, 36, 38
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process (for the network: this thread) into new namespaces."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int, flags: int = 0) -> None:
    """Move this thread into the namespace behind the descriptor."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(flags)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _check(_libc.mount(source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags),
                       data.encode() or None), f"mount {target}")


def bind(source: str, target: str, writable: bool = True) -> None:
    """Show `source` at the existing `target`, in this mount namespace."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if not writable:  # in a user namespace the flags that the mount has must stay
        has = os.statvfs(target).f_flag
        kept = has & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
        kept |= MS_RELATIME if has & os.ST_RELATIME else 0
        mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def die_with_parent(signal: int = 9) -> None:
    """Have the kernel send this process a signal, SIGKILL unless told, when the thread that started it ends."""
    _check(_libc.prctl(_PDEATHSIG, signal, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans."""
    _check(_libc.prctl(_SUBREAPER, 1, 0, 0, 0), "prctl")


def no_new_privileges() -> None:
    """No set-uid program raises privileges from here on."""
    _check(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Give the blocks of a part of a file back; it reads as zeros, and the file stays as long as it was."""
    keep_size_and_punch = 3
    _check(_libc.fallocate(ctypes.c_int(fd), ctypes.c_int(keep_size_and_punch), ctypes.c_long(offset),
                           ctypes.c_long(length)), "fallocate")


def loopback_up() -> None:
    """Bring this network namespace's loopback interface up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def own_network() -> int:
    """A descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def same_network(pid: int) -> bool:
    """Whether that process shares our network namespace."""
    return Path("/proc/self/ns/net").readlink() == Path(f"/proc/{pid}/ns/net").readlink()
