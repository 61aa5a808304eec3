"""Answers /ping while the worker's only thread is busy with user code.

Called by `worker`. User code runs in the main thread, on the event loop, because handing each request to another
thread costs more than the rest of the server together. A prediction that takes long would then leave the platform's
health checks without an answer, so after a moment this thread looks after them: it accepts connections and answers
those requests that are pings; everything else stays unread in its socket until the main thread is back.

Both threads touch sockets only under `lock`, and this one only while `since` says that user code runs.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import Any

PATIENCE = 0.1
HEAD = 8192


class Health(threading.Thread):
    """The stand-in. The worker sets `since` around user code and adopts `accepted` afterwards."""

    def __init__(self, worker: Any, pong: bytes, limit: int) -> None:
        super().__init__(daemon=True)
        self.worker, self.pong, self.limit = worker, pong, limit
        self.lock = threading.Lock()
        self.since = 0.0
        self.accepted: list[socket.socket] = []
        self.seen: set[int] = set()

    def run(self) -> None:
        while True:
            since = self.since
            waited = time.monotonic() - since if since else 0.0
            if waited < PATIENCE:
                time.sleep(PATIENCE)
                continue
            self.seen = set()
            while self.since == since:
                self._stand_in(since)

    def _stand_in(self, since: float) -> None:
        """Wait a little for something to read, and answer it if it is a ping."""
        with self.lock:
            if self.since != since:
                return
            idle = [one for one in self._idle() if one not in self.seen]
        listeners = {one.fileno(): one for one in self.worker.sockets} if self.worker.may_accept_busy() else {}
        poll = select.poll()
        for number in idle + list(listeners):
            poll.register(number, select.POLLIN)
        ready = [number for number, _ in poll.poll(50)]
        with self.lock:
            if self.since != since:
                return
            for number in ready:
                if number in listeners:
                    self._accept(listeners[number])
                else:
                    self._read(number)
        if ready:
            # Half a request would otherwise wake this thread again and again until its rest is here.
            time.sleep(0.002)

    def _idle(self) -> list[int]:
        return [one.fileno() for one in self.accepted] + self.worker.idle_descriptors()

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        client.setblocking(False)
        if self.worker.connections + len(self.accepted) >= self.limit:
            _send(client, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            _hang_up(client)
            return
        self.accepted.append(client)

    def _read(self, number: int) -> None:
        # A second descriptor of the connection: the loop's own object cannot be read from here.
        with socket.socket(fileno=os.dup(number)) as client:
            client.setblocking(False)
            try:
                data = client.recv(HEAD, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            end = data.find(b"\r\n\r\n")
            if data.startswith(b"GET /ping") and end > 0:
                client.recv(end + 4)
                _send(client, self.pong)
            elif end > 0 or not data or len(data) >= HEAD:
                # Not for this thread (a prediction, or the end of the connection): not looked at again.
                self.seen.add(number)


def _hang_up(client: socket.socket) -> None:
    """Close; with what the client sent taken in first, so that its system does not throw the answer away."""
    try:
        client.shutdown(socket.SHUT_WR)
        client.recv(1 << 20)
    except OSError:
        pass
    client.close()


def _send(client: socket.socket, data: bytes) -> None:
    try:
        client.send(data)
    except OSError:
        pass
