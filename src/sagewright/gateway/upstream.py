"""A lean HTTP/1.1 client to model servers over Unix sockets: keep-alive, one request at a time per connection.

The hot path of every invocation, so it is built straight on asyncio transports and httptools' C parser (general clients
cost several times the rest of the gateway). Called by `router.py` only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import httptools

_AHEAD = 64  # pieces of a streamed answer that are read before its client has taken them


class Broken(Exception):
    """The server could not be reached or hung up. `sent`: the request (or part of an answer) got through."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Answer:
    """Status and headers of a response; the body follows from the connection."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}


class Connection(asyncio.Protocol):
    """One connection to one server."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.alive = False
        self._parser: httptools.HttpResponseParser | None = None
        self._answer = Answer()
        self._chunks: deque[bytes] = deque()
        self._started = self._complete = self._piecewise = False
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._parser is None:  # bytes that nobody asked for
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        ends_so = not {"content-length", "transfer-encoding"} & self._answer.headers.keys()
        if self.alive and exc is None and self._started and ends_so:  # as HTTP/1.0 ends a body
            self._complete = True
        self.alive = False
        self._wake()

    # -- httptools ------------------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        if self._complete:  # an answer that nobody asked for: it must not become the next one
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:
            self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        if not self._complete:
            self._answer.status = self._parser.get_status_code()
            self._started = self._answer.status >= 200

    def on_body(self, body: bytes) -> None:
        if self._complete:
            return
        self._chunks.append(body)
        if self._piecewise and len(self._chunks) >= _AHEAD and self.transport is not None:
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if not self._started and not self._complete:  # 100 Continue and its like: the answer is yet to come
            self._answer = Answer()
            return
        self._complete = True
        if not self._parser.should_keep_alive():
            self.close()

    @property
    def is_idle(self) -> bool:
        """Whether the last answer has come to its end."""
        return self._complete

    # -- use ------------------------------------------------------------------------------------------------------
    async def start(self, head: bytes, body: bytes) -> Answer:
        """Send a request and wait for the status and headers."""
        if not self.alive or self.transport is None:
            raise Broken("not connected", sent=False)
        self._parser = httptools.HttpResponseParser(self)
        self._answer, self._chunks = Answer(), deque()
        self._started = self._complete = self._piecewise = False
        self.transport.writelines((head, body)) if body else self.transport.write(head)
        while not self._started:
            await self._wait()
            if not self.alive and not self._started:
                raise Broken("the server closed the connection", sent=True)
        return self._answer

    async def whole(self) -> bytes:
        """The rest of the body."""
        while not self._complete:
            if not self.alive:
                raise Broken("the server closed the connection in the middle of its answer", sent=True)
            await self._wait()
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, chunk by chunk as it comes, no faster than the caller takes it."""
        self._piecewise = True
        while True:
            while self._chunks:
                yield self._chunks.popleft()
            if self._complete:
                return
            if not self.alive or self.transport is None:
                raise Broken("the server closed the connection in the middle of its answer", sent=True)
            self.transport.resume_reading()
            await self._wait()

    def close(self) -> None:
        """Drop the connection."""
        self.alive = False
        if self.transport is not None:
            self.transport.close()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pool:
    """Idle connections to one Unix socket."""

    def __init__(self, path: str, most_idle: int = 64) -> None:
        self.path, self._most_idle = path, most_idle
        self._idle: list[Connection] = []

    async def take(self) -> Connection:
        """A live connection, kept from before or new; `Broken` if the server cannot be reached."""
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(Connection, self.path)
        except OSError as refused:
            raise Broken(str(refused), sent=False) from None
        return connection

    def give(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to the end; close one that somebody left early."""
        if connection.alive and connection.is_idle and len(self._idle) < self._most_idle:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
