"""The client to model servers against real Unix sockets that answer well, badly, late, in pieces or not at all."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sagewright.gateway.upstream import Broken, Pool

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"POST /invocations HTTP/1.1\r\nhost: model\r\ncontent-length: 4\r\n\r\n"


def in_time(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work

    asyncio.run(bounded())


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[Pool]:
    """A server on a Unix socket, and a pool of connections to it."""
    with tempfile.TemporaryDirectory(prefix="up-") as folder:
        path = str(Path(folder) / "s")
        listening = await asyncio.start_unix_server(serve, path)
        pool = Pool(path)
        try:
            yield pool
        finally:
            pool.close()
            listening.close()


def always(*pieces: bytes, close: bool = False) -> Serve:
    """Answer every request with these bytes; `close` hangs up afterwards."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (line := await reader.readline()) not in (b"\r\n", b""):
                if line.startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            await reader.readexactly(length)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if close:
                break
        writer.close()

    return serve


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\r\n1,2"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("answer, status, body", [
    ([OK], 200, b"1,2"),
    ([OK[:20], OK[20:50], OK[50:]], 200, b"1,2"),
    ([bytes([byte]) for byte in OK], 200, b"1,2"),
    ([CHUNKED, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"], 200, b"abcde"),
    ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
    ([b"HTTP/1.1 100 Continue\r\n\r\n" + OK], 200, b"1,2"), ([b"HTTP/1.1 100 Continue\r\n\r\n", OK], 200, b"1,2"),
    ([b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\noops"], 500, b"oops"),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], 200, b""),
])
def test_answers_are_read_however_they_are_cut(answer: list[bytes], status: int, body: bytes) -> None:
    async def work() -> None:
        async with server(always(*answer)) as pool:
            for _ in range(2):
                connection = await pool.take()
                head = await connection.start(HEAD, b"body")
                assert (head.status, await connection.whole()) == (status, body)
                pool.give(connection)

    in_time(work())


def test_a_body_without_length_ends_with_the_connection() -> None:
    async def work() -> None:
        async with server(always(b"HTTP/1.0 200 OK\r\n\r\nabc", b"def", close=True)) as pool:
            connection = await pool.take()
            await connection.start(HEAD, b"body")
            assert await connection.whole() == b"abcdef"
            pool.give(connection)
            assert pool._idle == []

    in_time(work())


def test_headers_compare_without_case_and_a_good_connection_is_used_again() -> None:
    async def work() -> None:
        async with server(always(OK)) as pool:
            first = await pool.take()
            assert (await first.start(HEAD, b"body")).headers["content-type"] == "text/csv"
            await first.whole()
            pool.give(first)
            assert await pool.take() is first

    in_time(work())


def test_a_connection_left_in_the_middle_of_an_answer_is_not_used_again() -> None:
    async def work() -> None:
        async with server(always(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as pool:
            connection = await pool.take()
            await connection.start(HEAD, b"body")
            pool.give(connection)
            assert not connection.alive and pool._idle == []

    in_time(work())


@pytest.mark.parametrize("header", [b"Connection: close\r\n", b"connection: Close\r\n"])
def test_a_connection_that_the_server_ends_is_not_kept(header: bytes) -> None:
    async def work() -> None:
        async with server(always(OK.replace(b"Content-Type: text/csv\r\n", header))) as pool:
            connection = await pool.take()
            await connection.start(HEAD, b"body")
            assert await connection.whole() == b"1,2"
            pool.give(connection)
            assert pool._idle == []

    in_time(work())


@pytest.mark.parametrize("answer", [
    [], [b"HTTP/1.1 2"], [b"HTTP/1.1 200 OK\r\nContent-Le"], [b"SSH-2.0-OpenSSH_9\r\n"], [b"\x16\x03\x01\x02\x00"],
    [b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n"], [b"HTTP/1.1 twohundred\r\n\r\n"]])
def test_a_server_that_hangs_up_or_talks_nonsense_is_broken_after_sending(answer: list[bytes]) -> None:
    async def work() -> None:
        async with server(always(*answer, close=True)) as pool:
            connection = await pool.take()
            with pytest.raises(Broken) as broken:
                await connection.start(HEAD, b"body")
            assert broken.value.sent, "the model may have seen it: no second try"
            pool.give(connection)
            assert pool._idle == []

    in_time(work())


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("rest", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                                  b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"])
@pytest.mark.parametrize("piecewise", [False, True])
def test_an_answer_that_breaks_off_is_broken_and_never_taken_for_whole(rest: bytes, piecewise: bool,
                                                                       later: bool) -> None:
    async def work() -> None:
        async with server(always(b"HTTP/1.1 200 OK\r\n" + rest, close=True)) as pool:
            connection = await pool.take()
            with pytest.raises(Broken) as broken:
                await connection.start(HEAD, b"body")
                while later and connection.alive:  # the end has come before anybody asks for the body
                    await asyncio.sleep(0)
                if piecewise:
                    async for _ in connection.pieces():
                        pass
                else:
                    await connection.whole()
            assert broken.value.sent

    in_time(work())


def test_a_server_that_is_not_there_is_broken_before_sending(tmp_path: Path) -> None:
    async def work() -> None:
        with pytest.raises(Broken) as broken:
            await Pool(str(tmp_path / "nobody")).take()
        assert not broken.value.sent, "another replica may be tried"

    in_time(work())


def test_a_kept_connection_that_died_meanwhile_is_passed_over() -> None:
    async def work() -> None:
        async with server(always(OK, close=True)) as pool:
            first = await pool.take()
            await first.start(HEAD, b"body")
            await first.whole()
            pool.give(first)
            while first.alive:  # the server hangs up
                await asyncio.sleep(0)
            with pytest.raises(Broken) as broken:
                await first.start(HEAD, b"body")
            assert not broken.value.sent
            second = await pool.take()
            assert second is not first and (await second.start(HEAD, b"body")).status == 200

    in_time(work())


def test_bytes_that_nobody_asked_for_do_not_become_the_next_answer() -> None:
    async def work() -> None:
        async with server(always(OK + OK.replace(b"1,2", b"bad"))) as pool:
            connection = await pool.take()
            await connection.start(HEAD, b"body")
            assert await connection.whole() == b"1,2"
            pool.give(connection)
            again = await pool.take()
            assert again is not connection
            assert (await again.start(HEAD, b"body")).headers["content-type"] == "text/csv"
            assert await again.whole() == b"1,2"

    in_time(work())


def test_pieces_come_as_they_are_sent_and_no_faster_than_they_are_taken() -> None:
    sent = [0]

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        for _ in range(2000):
            writer.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            await writer.drain()
            sent[0] += 0x8000
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def work() -> None:
        async with server(flood) as pool:
            connection = await pool.take()
            await connection.start(HEAD, b"body")
            pieces = connection.pieces()
            total = len(await anext(pieces))
            before = -1
            while before != sent[0]:  # until the server can send no more
                before = sent[0]
                for _ in range(200):
                    await asyncio.sleep(0)
            assert sent[0] < 30 * 0x100000, "the reader who does not read stops the sender"
            async for piece in pieces:
                total += len(piece)
            assert total == 2000 * 0x8000

    in_time(work())


def test_a_pool_keeps_so_many_idle_connections_and_no_more() -> None:
    async def work() -> None:
        async with server(always(OK)) as pool:
            small = Pool(pool.path, most_idle=2)
            taken = [await small.take() for _ in range(4)]
            for connection in taken:
                await connection.start(HEAD, b"body")
                await connection.whole()
                small.give(connection)
            assert [connection.alive for connection in taken] == [True, True, False, False]
            small.close()
            assert not any(connection.alive for connection in taken)

    in_time(work())
