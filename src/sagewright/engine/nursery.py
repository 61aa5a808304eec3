"""A process that has everything an agent imports and forks agents from that, which saves each 80 ms of processor time.

Started by `agents.Nursery` as `python -m sagewright.engine.nursery FD` with the first job of a server, and gone with
the server: the other end of FD is all it lives for. Agents are forked twice, so that they belong to nobody and go on.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from sagewright.engine import batch, host, server  # noqa: F401 - imported here for the agents


def main() -> None:
    """One message, one agent: the text is its directory, the descriptors are its held lock and its log."""
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        text, fds, _, _ = socket.recv_fds(control, 4096, 2)
        if not text:
            return
        middle = os.fork()
        if middle == 0:
            if os.fork() == 0:
                control.close()
                _become_agent(text.decode(), *fds)
            os._exit(0)
        for fd in fds:
            os.close(fd)
        os.waitpid(middle, 0)
        control.send(b".")


def _become_agent(directory: str, held: int, output: int) -> None:
    os.setsid()
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    try:
        host.main(Path(directory), held)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
