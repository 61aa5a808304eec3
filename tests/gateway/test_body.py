"""Bodies piped from the event loop to a thread: every byte, in bounded memory, and no wait without end."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sagewright.core.errors import AwsError
from sagewright.gateway import body
from sagewright.gateway.body import BLOCK, HIGH, Pipe

MIB = 1024 * 1024


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own, as the gateway's does for a handler's thread."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), made).result(10)
    made.call_soon_threadsafe(made.stop)
    thread.join(10)
    made.close()


class Sender:
    """A client's ASGI messages; `given` counts the bytes that the gateway has asked for."""

    def __init__(self, *chunks: bytes, ends: str = "http.request") -> None:
        self._chunks, self._ends, self.given, self.calls = list(chunks), ends, 0, 0

    async def __call__(self) -> dict[str, Any]:
        self.calls += 1
        if self._chunks:
            chunk = self._chunks.pop(0)
            self.given += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": True}
        return {"type": self._ends, "body": b"", "more_body": False}


def piped(loop: asyncio.AbstractEventLoop, receive: Callable[[], Awaitable[Any]]) -> Pipe:
    async def make() -> Pipe:
        return Pipe(loop, receive)

    return asyncio.run_coroutine_threadsafe(make(), loop).result(10)


def until(true: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(2000):
        if true():
            return
        waited.wait(0.005)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("chunks", [[], [b""], [b"x"], [b"ab", b"", b"cd"], [b"x" * 3 * MIB], [b"y" * 65_536] * 40])
@pytest.mark.parametrize("size", [-1, 1000, 65_536, 2 * MIB])
def test_every_byte_comes_out_in_order(loop: asyncio.AbstractEventLoop, chunks: list[bytes], size: int) -> None:
    pipe, whole = piped(loop, Sender(*chunks)), b"".join(chunks)
    if size < 0:
        assert pipe.read() == whole
    else:
        parts = list(iter(lambda: pipe.read(size), b""))
        assert b"".join(parts) == whole and all(len(part) <= size for part in parts)
        assert all(len(part) == min(size, BLOCK) or size > BLOCK for part in parts[:-1]), "full blocks but for the last"
    assert pipe.read(10) == b"" and pipe.read() == b""


def test_nothing_is_asked_for_before_somebody_reads(loop: asyncio.AbstractEventLoop) -> None:
    sender = Sender(b"secret")
    pipe = piped(loop, sender)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    assert sender.calls == 0, "a client that waits for 100 Continue must not get it before its signature is judged"
    assert pipe.read() == b"secret"


def test_a_reader_that_dawdles_slows_the_client_down(loop: asyncio.AbstractEventLoop) -> None:
    sender = Sender(*[b"z" * MIB] * 64)
    pipe = piped(loop, sender)
    assert len(pipe.read(10)) == 10
    until(lambda: sender.given >= HIGH)
    most, total = 0, 10
    while block := pipe.read(MIB):
        total += len(block)
        most = max(most, sender.given - total)
    assert total == 64 * MIB
    assert most <= HIGH + 2 * MIB, "no more than that waits between the two"


def test_a_large_body_is_the_same_after_the_pipe(loop: asyncio.AbstractEventLoop) -> None:
    chunks = [os.urandom(n * 7919 % 200_000) for n in range(100)]
    pipe, digest = piped(loop, Sender(*chunks)), hashlib.sha256()
    while block := pipe.read(100_003):
        digest.update(block)
    assert digest.digest() == hashlib.sha256(b"".join(chunks)).digest()


@pytest.mark.parametrize("size", [-1, MIB])
def test_a_client_that_goes_away_is_noticed(loop: asyncio.AbstractEventLoop, size: int) -> None:
    pipe = piped(loop, Sender(b"half", ends="http.disconnect"))
    with pytest.raises(AwsError) as broken:
        while pipe.read(size):
            pass
    assert broken.value.code == "IncompleteBody"


def test_a_client_that_says_nothing_is_given_up(loop: asyncio.AbstractEventLoop,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_PATIENCE", 0.05)
    silent = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await silent.wait()
        return {"type": "http.disconnect"}

    pipe = piped(loop, receive)
    with pytest.raises(AwsError) as given_up:
        pipe.read(10)
    assert given_up.value.code == "RequestTimeout"
    loop.call_soon_threadsafe(pipe.stop)


def test_a_client_that_is_slow_but_sends_is_not_given_up(loop: asyncio.AbstractEventLoop,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_PATIENCE", 1.0)
    left = [8]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.25)  # the client's own pace: the whole takes twice as long as anybody's patience
        left[0] -= 1
        return {"type": "http.request", "body": b"drip", "more_body": left[0] > 0}

    assert piped(loop, receive).read(MIB) == b"drip" * 8


def test_after_stop_no_more_is_taken_from_the_client(loop: asyncio.AbstractEventLoop) -> None:
    sender = Sender(*[b"z" * MIB] * 64)
    pipe = piped(loop, sender)
    pipe.read(10)
    until(lambda: sender.given >= HIGH)
    loop.call_soon_threadsafe(pipe.stop)
    until(lambda: pipe._filling is not None and pipe._filling.done())
    given = sender.given
    while pipe._size:
        pipe._take(HIGH)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    assert sender.given == given < 64 * MIB
