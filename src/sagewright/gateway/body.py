"""Request bodies as blocking readers: small ones buffered, large ones piped from the event loop with back-pressure.

`app.py` fills a `Pipe` from the event loop while the handler's thread reads it; at most `HIGH` bytes wait in between,
so memory stays constant for a 5 GiB upload and a slow reader slows the client down.
"""

from __future__ import annotations

import asyncio
import collections
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from sagewright.core.errors import AwsError

HIGH = 8 * 1024 * 1024
LOW = 2 * 1024 * 1024
BLOCK = 1024 * 1024
_PATIENCE = 300.0  # seconds without a byte before a client is given up


class Pipe:
    """Bytes from the event loop to one reading thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Callable[[], Awaitable[Any]]) -> None:
        self._loop, self._receive = loop, receive
        self._filling: asyncio.Task[None] | None = None
        self._begun = False
        self._wanted = 1
        self._chunks: collections.deque[bytes] = collections.deque()
        self._size = 0
        self._ended = False
        self._broken = False
        self._change = threading.Condition()
        self._room = asyncio.Event()
        self._room.set()

    # -- event loop side -----------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Nobody reads any more."""
        if self._filling is not None:
            self._filling.cancel()

    def _begin(self) -> None:
        self._filling = self._loop.create_task(self._fill())

    async def _fill(self) -> None:
        """Copy ASGI request messages until the body ends or the client goes away."""
        while True:
            await self._room.wait()
            message = await self._receive()
            if message["type"] != "http.request":
                return self._finish(broken=True)
            self._put(message.get("body", b""))
            if not message.get("more_body"):
                return self._finish(broken=False)

    def _put(self, chunk: bytes) -> None:
        if not chunk:
            return
        with self._change:
            self._chunks.append(chunk)
            self._size += len(chunk)
            if self._size >= HIGH:
                self._room.clear()
            if self._size >= self._wanted:
                self._change.notify()

    def _finish(self, broken: bool) -> None:
        with self._change:
            self._ended, self._broken = True, broken
            self._change.notify()

    # -- thread side ---------------------------------------------------------------------------------------------
    def read(self, n: int = -1) -> bytes:
        """n bytes (at most `BLOCK` are waited for), less at the end, then b""; n < 0 reads to the end."""
        if n < 0:
            parts = []
            while chunk := self.read(HIGH):
                parts.append(chunk)
            return b"".join(parts)
        if not self._begun:  # a client that waits for "100 Continue" gets it when its signature has been judged
            self._begun = True
            self._loop.call_soon_threadsafe(self._begin)
        with self._change:
            self._wanted = max(1, min(n, BLOCK))
            while self._size < self._wanted and not self._ended:
                before = self._size
                if not self._change.wait(_PATIENCE) and self._size == before:
                    raise AwsError("RequestTimeout", "Your socket connection to the server was not read from or "
                                   "written to within the timeout period.")
            if not self._chunks:
                if self._broken:
                    raise AwsError("IncompleteBody", "The client closed the connection before the body was complete.")
                return b""
            return self._take(n)

    def _take(self, n: int) -> bytes:
        parts, taken = [], 0
        while self._chunks and taken < n:
            chunk = self._chunks.popleft()
            if taken + len(chunk) > n:
                self._chunks.appendleft(chunk[n - taken:])
                chunk = chunk[:n - taken]
            parts.append(chunk)
            taken += len(chunk)
        self._size -= taken
        if self._size <= LOW and not self._room.is_set():
            self._loop.call_soon_threadsafe(self._room.set)
        return parts[0] if len(parts) == 1 else b"".join(parts)
