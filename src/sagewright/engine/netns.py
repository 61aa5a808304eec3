"""The helper of `network.Helped`: steps into a sandbox's user and network namespaces and hands sockets out of them.

Run as `python -m sagewright.engine.netns PID FD` by an agent that is not root; it ends with its control socket.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from sagewright.engine import namespaces, netlink

_PATIENCE = 5.0


def main() -> None:
    """Step in, then answer one question after the other."""
    pid, control = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    user, net = (os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "net"))
    namespaces.setns(user, namespaces.NEWUSER)
    namespaces.setns(net, namespaces.NEWNET)
    for line in control.makefile():
        what, port = line.split()
        try:
            made = {"listen": _listen, "dial": _dial, "eth0": _eth0}[what](int(port))
        except OSError as error:
            control.sendall(str(error).encode())
            continue
        socket.send_fds(control, [b"."], [made.fileno()])
        made.close()


def _eth0(port: int) -> socket.socket:
    """The interface; a socket goes back as the sign that it is there."""
    netlink.add_eth0()
    return socket.socket()


def _dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), _PATIENCE)


def _listen(port: int) -> socket.socket:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=128)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


if __name__ == "__main__":
    main()
