"""Moving bytes between two connections, and the little HTTP a proxy reads: request heads and short answers.

`gateway/proxy.py` is made of these. Memory per connection is bounded by the buffers of asyncio's streams: whoever reads
slowly slows the other side down.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass

BLOCK = 64 * 1024
LONGEST_HEAD = 64 * 1024
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_DROPPED = frozenset({"connection", "proxy-connection", "keep-alive", "proxy-authorization", "proxy-authenticate"})
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 408: "Request Timeout",
            431: "Request Header Fields Too Large", 502: "Bad Gateway", 504: "Gateway Timeout"}


class Refused(Exception):
    """This connection gets a short answer and is closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True, slots=True)
class Peer:
    """The two halves of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Close, and wait for what is still to be written, for a moment."""
        self.writer.close()
        try:
            async with asyncio.timeout(5):
                await self.writer.wait_closed()
        except (OSError, TimeoutError, RuntimeError):
            self.writer.transport.abort()


@dataclass(slots=True)
class Head:
    """A request's head. `raw` is what came, to be sent on as it is."""

    method: str
    target: str
    version: str
    fields: list[tuple[str, str]]
    raw: bytes

    def get(self, name: str) -> str:
        return next((value for key, value in self.fields if key.lower() == name), "")

    def rewritten(self, target: str, host: str, authorization: str = "") -> bytes:
        """The head with that target and Host, without what was meant for a proxy, for a single request."""
        kept = [(name, value) for name, value in self.fields if name.lower() not in _DROPPED | {"host"}]
        added = [("Proxy-Authorization", authorization)] if authorization else []
        lines = [f"{self.method} {target} {self.version}",
                 *(f"{name}: {value}" for name, value in [("Host", host), *kept, *added, ("Connection", "close")])]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader: asyncio.StreamReader, patience: float) -> Head | None:
    """The next request's head; None if the client has gone. Refused if it is no HTTP, too long or too slow."""
    try:
        async with asyncio.timeout(patience):
            raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise Refused(400, "The request ended before its head did.") from None
        return None
    except asyncio.LimitOverrunError:
        raise Refused(431, f"A request head may have {LONGEST_HEAD} bytes.") from None
    except TimeoutError:
        raise Refused(408, "The request head did not arrive in time.") from None
    return parse_head(raw)


def parse_head(raw: bytes) -> Head:
    """Request line and fields; Refused if they are not HTTP/1."""
    first, *rest = raw.decode("latin-1").removesuffix("\r\n\r\n").lstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not _METHOD.fullmatch(words[0]) or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Refused(400, "This is not an HTTP/1.1 request.")
    fields = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\n" in line or "\r" in line:
            raise Refused(400, "A header line of the request is malformed.")
        fields.append((name, value.strip(" \t")))
    return Head(words[0], words[1], words[2], fields, raw)


async def answer(peer: Peer, status: int, text: str = "", *, keep: bool = False) -> None:
    """A short plain-text answer."""
    body = text.encode()
    head = (f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n")
    peer.writer.write(head.encode() + body)
    with contextlib.suppress(ConnectionError):
        await peer.writer.drain()


async def linger(peer: Peer) -> None:
    """Let the client read its answer: closing on what it still sends would reset the connection and lose the answer."""
    with contextlib.suppress(OSError, RuntimeError, TimeoutError):
        if peer.writer.can_write_eof():
            peer.writer.write_eof()
        async with asyncio.timeout(1):
            for _ in range(16):
                if not await peer.reader.read(BLOCK):
                    return


class _Pulse:
    """When a byte last went through."""

    __slots__ = ("at",)

    def __init__(self, now: float) -> None:
        self.at = now


async def relay(client: Peer, server: Peer, idle: float) -> None:
    """Pass bytes both ways until the server ends, either side breaks, or nothing moved for `idle` seconds.

    A client's end of sending is passed on as such, where the transport can: the answer may still be on its way.
    """
    loop = asyncio.get_running_loop()
    pulse = _Pulse(loop.time())
    up = asyncio.create_task(_pump(client.reader, server.writer, pulse))
    down = asyncio.create_task(_pump(server.reader, client.writer, pulse))
    waiting = {up, down}
    try:
        while down in waiting:
            left = pulse.at + idle - loop.time()
            if left <= 0:
                break
            _, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, pulse: _Pulse) -> None:
    """Copy until the source ends, and say so to the sink; close the sink if a side broke, which ends the other pump."""
    loop = asyncio.get_running_loop()
    try:
        while data := await source.read(BLOCK):
            pulse.at = loop.time()
            sink.write(data)
            await sink.drain()
            pulse.at = loop.time()
        if sink.can_write_eof():
            sink.write_eof()
        else:
            sink.close()
    except (OSError, EOFError, RuntimeError):
        sink.close()
