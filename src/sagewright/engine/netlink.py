"""An `eth0` for a sandbox's network, made with the kernel's own messages: `ip` may not be installed.

Called by `network.py` and `netns.py` from inside the namespace. Code in containers is told that its interface is called
eth0 (resourceconfig.json) and binds NCCL or Gloo to it; with one host there is nothing behind it, so it is one end of
a pair whose other end stays here too.
"""

from __future__ import annotations

import os
import socket
import struct

ADDRESS, PREFIX = "169.254.100.2", 30
_NEWLINK, _NEWADDR = 16, 20
_REQUEST_ACK, _CREATE_EXCLUSIVE = 0x1 | 0x4, 0x400 | 0x200
_IFNAME, _LINKINFO, _KIND, _DATA, _PEER = 3, 18, 1, 2, 1
_LOCAL, _ADDRESS = 2, 1
_UP = 1


def add_eth0() -> None:
    """Make eth0 with its address and bring it up; OSError where the kernel cannot."""
    name, peer = "eth0", "eth0-peer"
    pair = _attribute(_KIND, b"veth") + _attribute(_DATA, _attribute(_PEER, _link() + _named(peer)))
    _ask(_NEWLINK, _CREATE_EXCLUSIVE, _link() + _named(name) + _attribute(_LINKINFO, pair))
    index, address = socket.if_nametoindex(name), socket.inet_aton(ADDRESS)
    head = struct.pack("=BBBBi", socket.AF_INET, PREFIX, 0, 0, index)
    _ask(_NEWADDR, _CREATE_EXCLUSIVE, head + _attribute(_LOCAL, address) + _attribute(_ADDRESS, address))
    for each in (peer, name):
        _ask(_NEWLINK, 0, _link(socket.if_nametoindex(each), _UP))


def _link(index: int = 0, flags: int = 0) -> bytes:
    """An ifinfomsg."""
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _named(name: str) -> bytes:
    return _attribute(_IFNAME, name.encode() + b"\0")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _ask(kind: int, flags: int, body: bytes) -> None:
    """Send one message and raise what the kernel answers."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(5.0)
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_ACK | flags, 1, 0) + body)
        answer = kernel.recv(4096)
    error = -struct.unpack_from("=i", answer, 16)[0]
    if error:
        raise OSError(error, f"netlink: {os.strerror(error)}")
