"""HTTP/1.1 on asyncio: one connection's parsing and answering, with nothing between it and the model.

Called by `worker`. Written out rather than taken from a web framework because job environments must not need one, and
because this is the hot path of every invocation.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Callable
from urllib.parse import unquote

from sagewright_kit.servers.front import Answer, Request

MAX_HEAD = 65536
LINGER_SECONDS = 0.5
MAX_BODY = int(os.environ.get("MAX_CONTENT_LENGTH") or 0) or 2 << 30
REASONS = {
    200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 409: "Conflict", 413: "Payload Too Large", 415: "Unsupported Media Type",
    500: "Internal Server Error", 503: "Service Unavailable", 507: "Insufficient Storage",
}  # fmt: skip


class Malformed(Exception):
    """The peer does not speak HTTP; `status` answers it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Connection(asyncio.Protocol):
    """One client connection. `handle(request, connection)` must lead to one `respond` per request."""

    def __init__(self, handle: Callable[[Request, Connection], None], closed: Callable[[Connection], None]) -> None:
        self.handle, self.closed = handle, closed
        self.transport: Any = None
        self.buffer = bytearray()
        self.head: tuple[str, str, dict[str, str], bool] | None = None
        self.length = -1
        self.body = bytearray()
        self.busy = False
        self.refused = False
        self.keep = True
        self.alive = True
        self.writable: asyncio.Future[None] | None = None
        self.line = ""

    # -- asyncio calls these --
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.alive = False
        self.resume_writing()
        self.closed(self)

    def pause_writing(self) -> None:
        self.writable = asyncio.get_event_loop().create_future()

    def resume_writing(self) -> None:
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)
        self.writable = None

    async def drained(self) -> None:
        """Wait until the client has taken enough of what was sent."""
        if self.writable is not None:
            await self.writable

    def is_idle(self) -> bool:
        """Whether nothing of a request is here and nothing of an answer is left to send."""
        return self.alive and not self.busy and not self.buffer and not self.transport.get_write_buffer_size()

    def eof_received(self) -> bool:
        # A client may close its sending side and still wait for the answer under way.
        return self.busy

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        self.buffer += data
        if not self.busy:
            self.advance()
        elif len(self.buffer) > MAX_HEAD:
            self.transport.pause_reading()

    # -- requests --
    def advance(self) -> None:
        """Start on the next request if all of it is here."""
        try:
            request = self._next()
        except Malformed as error:
            self._refuse(Answer(str(error), "text/plain", error.status))
            return
        if request is not None:
            self.busy = True
            self.handle(request, self)

    def _refuse(self, answer: Answer) -> None:
        """Answer what is no request, and hang up once the client has had time to read why."""
        self.keep = False
        self.refused = True
        self.buffer.clear()
        self.transport.write(self.render(answer))
        # Closing with bytes unread would reset the connection and lose the answer.
        asyncio.get_event_loop().call_later(LINGER_SECONDS, self.transport.close)

    def _next(self) -> Request | None:
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > MAX_HEAD:
                    raise Malformed(400, "The request's head is too long")
                return None
            self.head = self._read_head(bytes(self.buffer[:end]))
            del self.buffer[: end + 4]
        method, path, headers, chunked = self.head
        if chunked:
            if not self._read_chunks():
                return None
            body = bytes(self.body)
            self.body = bytearray()
        else:
            if len(self.buffer) < self.length:
                return None
            body = bytes(self.buffer[: self.length])
            del self.buffer[: self.length]
        self.head = None
        return Request(method, path, headers, body)

    def _read_head(self, data: bytes) -> tuple[str, str, dict[str, str], bool]:
        lines = data.decode("latin-1").split("\r\n")
        self.line = lines[0]
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise Malformed(400, "Malformed request line")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise Malformed(400, "Malformed header")
            headers[name.lower()] = value.strip()
        connection = headers.get("connection", "").lower()
        self.keep = connection != "close" if parts[2] == "HTTP/1.1" else connection == "keep-alive"
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length", "0")
        if not length.isdigit() or (chunked and "content-length" in headers):
            raise Malformed(400, "Malformed Content-Length")
        self.length = int(length)
        if self.length > MAX_BODY:
            raise Malformed(413, "The request's body is larger than %d bytes" % MAX_BODY)
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path = parts[1].split("?", 1)[0]
        return parts[0], unquote(path) if "%" in path else path, headers, chunked

    def _read_chunks(self) -> bool:
        """Take what chunks are here; True when the last one was."""
        while True:
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return False
            try:
                size = int(bytes(self.buffer[:end]).split(b";", 1)[0], 16)
            except ValueError:
                raise Malformed(400, "Malformed chunk") from None
            if len(self.body) + size > MAX_BODY:
                raise Malformed(413, "The request's body is larger than %d bytes" % MAX_BODY)
            if size == 0:
                # Trailers, if any, end with an empty line.
                close = self.buffer.find(b"\r\n\r\n", end)
                if close < 0:
                    return False
                del self.buffer[: close + 4]
                return True
            if len(self.buffer) < end + 2 + size + 2:
                return False
            self.body += self.buffer[end + 2 : end + 2 + size]
            del self.buffer[: end + 2 + size + 2]

    # -- responses --
    def respond(self, answer: Answer) -> None:
        """Send a whole answer."""
        if self.alive:
            self.transport.write(self.render(answer))
        self.finish(answer)

    def render(self, answer: Answer) -> bytes:
        """A whole answer as bytes."""
        body: Any = answer.body
        return self._head(answer, "" if answer.status == 204 else "Content-Length: %d\r\n" % len(body)) + body

    def begin(self, answer: Answer) -> None:
        """Send the head of a streamed answer."""
        if self.alive:
            self.transport.write(self._head(answer, "Transfer-Encoding: chunked\r\n"))

    def chunk(self, data: bytes) -> None:
        """Send one piece of a streamed answer."""
        if self.alive and data:
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish_stream(self, answer: Answer, complete: bool) -> None:
        """Close a streamed answer; one that broke is cut off, so that the client cannot take it for whole."""
        if self.alive and complete:
            self.transport.write(b"0\r\n\r\n")
        else:
            self.keep = False
        self.finish(answer)

    def _head(self, answer: Answer, framing: str) -> bytes:
        text = "HTTP/1.1 %d %s\r\n%s" % (answer.status, REASONS.get(answer.status, "Status"), framing)
        if answer.content_type:
            text += "Content-Type: %s\r\n" % one_line(answer.content_type)
        for name, value in (answer.headers or {}).items():
            text += "%s: %s\r\n" % (one_line(name), one_line(value))
        if not self.keep:
            text += "Connection: close\r\n"
        return (text + "\r\n").encode("latin-1", "replace")

    def finish(self, answer: Answer) -> None:
        """The answer is on its way: take up what the client sent meanwhile."""
        if ACCESS_LOG:
            log_access(self, answer)
        self.busy = False
        if not self.alive:
            return
        if not self.keep:
            self.transport.close()
            return
        if self.buffer:
            self.transport.resume_reading()
            # In the loop's next turn: a client may have sent a thousand requests in one piece.
            asyncio.get_event_loop().call_soon(self._advance_if_free)

    def _advance_if_free(self) -> None:
        if self.alive and not self.busy:
            self.advance()


def one_line(value: Any) -> str:
    """A header's value cannot end the header."""
    return str(value).replace("\r", " ").replace("\n", " ")


ACCESS_LOG = os.environ.get("SAGEWRIGHT_ACCESS_LOG", "") not in ("", "0", "false")


def log_access(connection: Connection, answer: Answer) -> None:
    """A line such as the real containers print for every request."""
    peer = connection.transport.get_extra_info("peername") if connection.transport else None
    host = peer[0] if isinstance(peer, tuple) else "-"
    size = len(answer.body) if isinstance(answer.body, bytes) else 0
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    print('%s - - [%s] "%s" %d %d "-" "-"' % (host, when, connection.line, answer.status, size), flush=True)
