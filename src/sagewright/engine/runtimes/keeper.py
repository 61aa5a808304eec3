"""Stands for a container of an engine: carries its output, exits with its code, removes it when its agent dies.

Started by `docker.py` as `python -m sagewright.engine.runtimes.keeper SOCKET CONTAINER FD`: standard input is a pipe
that the agent holds open, standard output takes what the container writes, and "a" goes to FD once we are attached.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress

from sagewright.engine.runtimes.docker import Engine

_CHUNK = 1 << 16


def main() -> None:
    """Attach, say so, copy until the container has ended, exit with its code."""
    engine, container, status = Engine(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    threading.Thread(target=_mourn, args=(engine, container), daemon=True).start()
    stream = attach(engine, container)
    os.write(status, b"a")
    os.close(status)
    _copy(stream)
    code = engine.call("POST", f"/containers/{container}/wait", timeout=None)[1].get("StatusCode", 137)
    os._exit(int(code) & 0xFF)


def attach(engine: Engine, container: str) -> socket.socket:
    """The raw stream of both outputs, each piece behind a head of 8 bytes."""
    connection = engine.connect(timeout=None)
    stream = connection.sock
    assert isinstance(stream, socket.socket)
    stream.sendall(f"POST /containers/{container}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: engine\r\n"
                   "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise ConnectionError(f"not attached: {head!r}")
        head += byte
    if head.split(b" ")[1] not in (b"101", b"200"):
        raise ConnectionError(f"not attached: {head!r}")
    return stream


def _copy(stream: socket.socket) -> None:
    while len(head := _exactly(stream, 8)) == 8:
        left = int.from_bytes(head[4:], "big")
        while left > 0:
            piece = stream.recv(min(left, _CHUNK))
            if not piece:
                return
            left -= len(piece)
            while piece:
                piece = piece[os.write(1, piece):]


def _exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := stream.recv(count - len(data))):
        data += piece
    return data


def _mourn(engine: Engine, container: str) -> None:
    """The agent's end closes standard input: nothing of the container may outlive it."""
    while os.read(0, 1):
        pass
    with suppress(OSError):
        engine.call("DELETE", f"/containers/{container}?force=true&v=true")
    os._exit(137)


if __name__ == "__main__":
    main()
