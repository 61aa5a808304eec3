"""What a sandbox's private network is linked to: listeners on its loopback, and dialling its servers from the host.

Called by the agent. A sandbox has a loopback of its own and nothing else. The agent puts listening sockets into it
(the gateway's port, the proxy's, the credentials') and passes each connection on to one fixed address on the host, so
that a job reaches the gateway under the same URL as everybody else, and nothing besides. The other way, it passes
connections to a Unix socket on the host on to the server's port in the sandbox. As root the agent steps into the
network namespace itself; otherwise `netns.py` does it as a helper process and hands the sockets over.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from sagewright.engine import namespaces, netlink

Dial = Callable[[], socket.socket]
T = TypeVar("T")
_PACKAGES = str(Path(__file__).resolve().parents[2])
_CHUNK = 1 << 18
_PATIENCE = 5.0


class Network(Protocol):
    """A sandbox's loopback, reached from outside."""

    def listen(self, port: int) -> socket.socket: ...
    def dial(self, port: int) -> socket.socket: ...
    def add_eth0(self) -> None: ...
    def close(self) -> None: ...


class Entered:
    """For root: the calling thread steps in, makes the socket, steps out; the socket stays there."""

    def __init__(self, pid: int) -> None:
        self._fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def listen(self, port: int) -> socket.socket:
        """A listening socket on 127.0.0.1 in there; its loopback may come up a moment after its process."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._inside(lambda: socket.create_server(("127.0.0.1", port), backlog=128))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)

    def dial(self, port: int) -> socket.socket:
        """A connection to 127.0.0.1 in there."""
        made = self._inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        made.settimeout(_PATIENCE)
        try:
            made.connect(("127.0.0.1", port))
        except OSError:
            made.close()
            raise
        return made

    def add_eth0(self) -> None:
        """The interface that containers are told of; OSError where the kernel cannot."""
        self._inside(netlink.add_eth0)

    def close(self) -> None:
        """Forget the namespace."""
        os.close(self._fd)

    def _inside(self, make: Callable[[], T]) -> T:
        own = namespaces.own_network()
        try:
            namespaces.setns(self._fd, namespaces.NEWNET)
            try:
                return make()
            finally:
                namespaces.setns(own, namespaces.NEWNET)
        finally:
            os.close(own)


class Helped:
    """For everybody else: a helper process lives in the sandbox's user and network namespaces."""

    def __init__(self, pid: int) -> None:
        ours, theirs = socket.socketpair()
        self._control, self._lock = ours, threading.Lock()
        self._helper = subprocess.Popen(
            [sys.executable, "-S", "-P", "-m", "sagewright.engine.netns", str(pid), str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/", env={"PYTHONPATH": _PACKAGES})
        theirs.close()

    def listen(self, port: int) -> socket.socket:
        """A listening socket on 127.0.0.1 in there."""
        return self._ask(f"listen {port}")

    def dial(self, port: int) -> socket.socket:
        """A connection to 127.0.0.1 in there."""
        return self._ask(f"dial {port}")

    def add_eth0(self) -> None:
        """The interface that containers are told of."""
        self._ask("eth0 0").close()

    def close(self) -> None:
        """End the helper."""
        self._control.close()
        self._helper.wait()

    def _ask(self, what: str) -> socket.socket:
        with self._lock:
            self._control.sendall(what.encode() + b"\n")
            text, fds, _, _ = socket.recv_fds(self._control, 1024, 1)
        if not fds:
            raise OSError(f"{what} in the sandbox: {text.decode().strip() or 'the helper ended'}")
        return socket.socket(fileno=fds[0])


class Shared:
    """For sandboxes without a network of their own."""

    def listen(self, port: int) -> socket.socket:
        """There is nothing to link: the host's loopback is the sandbox's."""
        raise OSError("the sandbox shares the host's network")

    def dial(self, port: int) -> socket.socket:
        """A connection on the host's loopback."""
        return socket.create_connection(("127.0.0.1", port), _PATIENCE)

    def add_eth0(self) -> None:
        """The host's interfaces are the sandbox's."""

    def close(self) -> None:
        """Nothing to forget."""


def of(pid: int) -> Network:
    """The network that this process lives in."""
    if namespaces.same_network(pid):
        return Shared()
    return Entered(pid) if os.geteuid() == 0 else Helped(pid)


class Relay(threading.Thread):
    """Copies bytes between accepted and dialled connections, all in one thread, with bounded buffers."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="relay")
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)
        self._asked: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def link(self, listener: socket.socket, dial: Dial) -> None:
        """From now on, pass each connection to `listener` on to what `dial()` gives."""
        listener.setblocking(False)
        accept = partial(self._accept, listener, dial)
        self._ask(lambda: self._selector.register(listener, selectors.EVENT_READ, accept))

    def run(self) -> None:
        while True:
            for key, mask in self._selector.select():
                key.data(mask)

    def _ask(self, what: Callable[[], object]) -> None:
        with self._lock:
            self._asked.append(what)  # type: ignore[arg-type]
        self._wake.send(b"x")

    def _drain(self, mask: int) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        with self._lock:
            asked, self._asked = self._asked, []
        for what in asked:
            what()

    def _accept(self, listener: socket.socket, dial: Dial, mask: int) -> None:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        try:
            far = dial()
        except OSError:
            near.close()
            return
        _Pair(self._selector, near, far)


class _Pair:
    """Two connections whose bytes go to each other; the end of one is passed on when its bytes have been."""

    def __init__(self, selector: selectors.BaseSelector, near: socket.socket, far: socket.socket) -> None:
        self._selector = selector
        self._ends = (near, far)
        self._held: dict[socket.socket, bytes] = {near: b"", far: b""}  # read from it, not yet written to the other
        self._over: set[socket.socket] = set()
        for end in self._ends:
            end.setblocking(False)
            if end.family == socket.AF_INET:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(end, selectors.EVENT_READ, lambda mask, end=end: self._move(end, mask))

    def _other(self, end: socket.socket) -> socket.socket:
        return self._ends[1] if end is self._ends[0] else self._ends[0]

    def _move(self, end: socket.socket, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ and not self._held[end] and end not in self._over:
                self._read(end)
            if mask & selectors.EVENT_WRITE:
                self._write(self._other(end))
        except BlockingIOError:
            pass
        except OSError:
            self._close()
            return
        if len(self._over) == 2 and not any(self._held.values()):
            self._close()
            return
        for each in self._ends:
            self._want(each)

    def _read(self, end: socket.socket) -> None:
        data = end.recv(_CHUNK)
        if end.family == socket.AF_INET:  # or a server that writes head and body apart waits 40 ms for our ACK
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if data:
            self._held[end] = data
            self._write(end)
            return
        self._over.add(end)
        with suppress(OSError):
            self._other(end).shutdown(socket.SHUT_WR)

    def _write(self, source: socket.socket) -> None:
        """Write what was read from `source` to the other end."""
        data = self._held[source]
        if data:
            try:
                sent = self._other(source).send(data)
            except BlockingIOError:
                return
            self._held[source] = data[sent:]

    def _want(self, end: socket.socket) -> None:
        mask = 0
        if not self._held[end] and end not in self._over:
            mask |= selectors.EVENT_READ
        if self._held[self._other(end)]:
            mask |= selectors.EVENT_WRITE
        known = self._selector.get_map().get(end)
        if known is None:
            if mask:
                self._selector.register(end, mask, lambda m, end=end: self._move(end, m))
        elif not mask:
            self._selector.unregister(end)
        elif known.events != mask:
            self._selector.modify(end, mask, known.data)

    def _close(self) -> None:
        for end in self._ends:
            with suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()
