"""The ASGI application: receives, hands to the chain on a worker thread, sends what comes back.

Called by uvicorn (`server.py`). Small bodies are buffered, large ones piped (`body.py`); both kinds run on pools of
their own so that slow uploads never starve the control plane. InvokeEndpoint stays on the event loop
(`invocations.py`).
"""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from sagewright import __version__
from sagewright.core.dispatch import Dispatch
from sagewright.core.http import FileSlice, Headers, Reply, Request
from sagewright.core.world import World
from sagewright.gateway import chain, invocations
from sagewright.gateway.body import Pipe
from sagewright.gateway.hold import Changes, patience

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BUFFERED = 1024 * 1024
_BLOCK = 1024 * 1024
_ADMIN = "/_sagewright/"


class App:
    """One gateway. `reset` empties the account (test hook); `invoke` answers InvokeEndpoint."""

    def __init__(self, world: World, dispatch: Dispatch, reset: Callable[[bool], None]) -> None:
        self.world, self.dispatch, self._reset = world, dispatch, reset
        self._control = ThreadPoolExecutor(32, "call")
        self._streams = ThreadPoolExecutor(128, "stream")
        self._changes: Changes | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = request_of(scope)
        if request.raw_path.startswith(_ADMIN):
            await _send(await self._admin(request), send, self._control)
        elif invocations.is_one(request):
            await invocations.answer(self.world, self.dispatch, request, receive, send)
        else:
            exchange = await self._run(request, receive)
            await _send(exchange.reply, send, self._streams if exchange.buffered is None else self._control)

    async def _run(self, request: Request, receive: Receive) -> chain.Exchange:
        loop = asyncio.get_running_loop()
        length = request.headers.get("content-length")
        chunked = "transfer-encoding" in request.headers
        if not chunked and (not length or (length.isdigit() and int(length) <= BUFFERED)):
            body = await read_body(receive) if length and length != "0" else b""
            request.body = io.BytesIO(body)
            exchange = chain.Exchange(self.world, self.dispatch, request, body)
            await loop.run_in_executor(self._control, chain.run, exchange)
            return await self._held(exchange, loop)
        request.body = pipe = Pipe(loop, receive)
        exchange = chain.Exchange(self.world, self.dispatch, request, None)
        try:
            await loop.run_in_executor(self._streams, chain.run, exchange)
        finally:
            pipe.stop()
        return exchange

    async def _held(self, exchange: chain.Exchange, loop: asyncio.AbstractEventLoop) -> chain.Exchange:
        """Hold an answer about a resource in transition until it has moved on; Describe is then asked again."""
        call = exchange.call
        if call is None or call.hold is None or exchange.error is not None or self.world.config.hold <= 0:
            return exchange
        if self._changes is None:
            self._changes = Changes(loop)
            self._changes.listen(self.world.store)
        arn, _, moving = call.hold
        longest = patience(exchange.request.headers.get("user-agent"), self.world.config.hold)
        moved = await self._changes.moved(arn, moving, longest, self.world.store)
        if moved and call.operation.startswith("Describe"):
            call.hold = None
            await loop.run_in_executor(self._control, chain.run, exchange, (chain.invoke, chain.write))
        return exchange

    async def _admin(self, request: Request) -> Reply:
        path = request.raw_path.removeprefix(_ADMIN)
        if path == "health":
            return _json(200, {"status": "ok", "version": __version__, "pid": os.getpid()})
        if path == "reset" and request.method == "POST" and self.world.config.test_hooks:
            await asyncio.get_running_loop().run_in_executor(self._control, self._reset, request.query == "bare")
            return _json(200, {"status": "ok"})
        return _json(404, {"message": f"There is nothing at {request.raw_path}."})


async def read_body(receive: Receive) -> bytes:
    """The whole body, for requests whose Content-Length says that it is small."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def request_of(scope: dict[str, Any]) -> Request:
    """The request of an ASGI scope, without its body."""
    client = scope.get("client") or ("", 0)
    return Request(
        method=scope["method"], raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=Headers([(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]),
        scheme=scope.get("scheme", "http"), client=str(client[0]))


def _json(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status, [("content-type", "application/json")], json.dumps(value).encode())


async def _send(reply: Reply | None, send: Send, executor: Executor) -> None:
    assert reply is not None
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.headers]
    names = {name for name, _ in headers}
    body = reply.body
    if isinstance(body, bytes):
        if b"content-length" not in names and reply.status not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    loop = asyncio.get_running_loop()
    chunks = iter(_blocks(body) if isinstance(body, FileSlice) else body)
    try:
        while (chunk := await loop.run_in_executor(executor, next, chunks, None)) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            await loop.run_in_executor(executor, close)
    await send({"type": "http.response.body", "body": b""})


def _blocks(piece: FileSlice) -> Iterator[bytes]:
    with open(piece.path, "rb", buffering=0) as file:  # noqa: PTH123 - hot path
        file.seek(piece.offset)
        left = piece.length
        while left > 0:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise OSError(f"{piece.path} ended early")
            left -= len(block)
            yield block
