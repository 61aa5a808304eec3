"""A streamed answer from a model server's socket to the client: its end, its breaking, its time limit, its reader."""

from __future__ import annotations

import asyncio
from typing import Any

from sagewright.gateway import invocations
from sagewright.gateway.upstream import Connection
from tests.gateway.test_upstream import CHUNKED, HEAD, Serve, always, in_time, server


class Reader:
    """A client of the gateway as ASGI shows it: takes messages, and may hang up after some."""

    def __init__(self, leaves_after: int = 1_000_000, slow: bool = False) -> None:
        self.taken: list[bytes] = []
        self._gone, self._leaves_after, self._slow = asyncio.Event(), leaves_after, slow

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.taken.append(message["body"])
        if self._slow:
            await asyncio.sleep(0.001)
        if len(self.taken) >= self._leaves_after:
            self._gone.set()


async def started(pool: Any) -> Connection:
    connection = await pool.take()
    await connection.start(HEAD, b"body")
    return connection


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_every_piece_becomes_an_event_and_the_connection_is_kept() -> None:
    async def work() -> None:
        async with server(always(CHUNKED, chunk(b"one"), chunk(b"two"), b"0\r\n\r\n")) as pool:
            connection, reader = await started(pool), Reader()
            assert await invocations._piped(connection, reader.receive, reader.send, 20) == ""
            text = b"".join(reader.taken)
            assert b"one" in text and b"two" in text and text.count(b"PayloadPart") >= 1 and reader.taken[-1] == b""
            pool.give(connection)
            assert await pool.take() is connection

    in_time(work())


def test_a_model_that_hangs_up_in_the_middle_is_told_as_a_broken_stream() -> None:
    async def work() -> None:
        async with server(always(CHUNKED, chunk(b"one"), close=True)) as pool:
            connection, reader = await started(pool), Reader()
            assert "closed the connection" in await invocations._piped(connection, reader.receive, reader.send, 20)
            assert b"one" in reader.taken[0]
            assert b"ModelStreamError" in reader.taken[-2] and b"StreamBroken" in reader.taken[-2]

    in_time(work())


def test_a_model_that_takes_too_long_is_told_as_such_and_its_connection_is_closed() -> None:
    async def work() -> None:
        async with server(always(CHUNKED, chunk(b"one"))) as pool:
            connection, reader = await started(pool), Reader()
            assert "did not finish" in await invocations._piped(connection, reader.receive, reader.send, 0.2)
            assert b"ModelInvocationTimeExceeded" in reader.taken[-2]
            pool.give(connection)
            assert not connection.alive

    in_time(work())


def endless(written: list[int], ended: asyncio.Event) -> Serve:
    """Streams until the gateway hangs up; counts the bytes that it could send."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"body")
        writer.write(CHUNKED)
        piece = chunk(b"x" * 10_000)
        try:
            while True:
                writer.write(piece)
                await writer.drain()
                written[0] += len(piece)
        except OSError:
            ended.set()

    return serve


def test_a_reader_that_leaves_ends_the_model_s_work() -> None:
    async def work() -> None:
        written, ended = [0], asyncio.Event()
        async with server(endless(written, ended)) as pool:
            connection, reader = await started(pool), Reader(leaves_after=3)
            assert await invocations._piped(connection, reader.receive, reader.send, 20) == ""
            pool.give(connection)
            await ended.wait()

    in_time(work())


def test_a_slow_reader_slows_the_model_instead_of_filling_memory() -> None:
    async def work() -> None:
        written, ended = [0], asyncio.Event()
        async with server(endless(written, ended)) as pool:
            connection, reader = await started(pool), Reader(leaves_after=200, slow=True)
            await invocations._piped(connection, reader.receive, reader.send, 20)
            pool.give(connection)
            await ended.wait()
            taken = sum(map(len, reader.taken))
            assert written[0] - taken < 16_000_000, "what the model sent ahead of its reader is bounded"

    in_time(work())
