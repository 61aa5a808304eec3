"""Listening: uvicorn around `App`, and the TLS and CONNECT front beside it. Called by `cli/assembly.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sagewright.core import ids
from sagewright.core.config import Config


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, but what is not HTTP is refused in a form that AWS clients can read."""

    def send_400_response(self, msg: str) -> None:
        body = json.dumps({"__type": "SerializationException", "message": msg}).encode()
        head = (f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\n"
                f"x-amzn-requestid: {ids.request_id()}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n")
        self.transport.write(head.encode() + body)
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(app: Any, config: Config, ready: Callable[[], None], front: Any = None, sockets: Any = None) -> None:
    """Serve until SIGTERM or SIGINT; `ready()` is called once requests are accepted.

    front: an object with async `start()` and `stop()` that runs on the same loop (the CONNECT proxy).
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(app, config, ready, front, sockets))


async def _serve(app: Any, config: Config, ready: Callable[[], None], front: Any, sockets: Any) -> None:
    settings = uvicorn.Config(
        app, host=config.host, port=config.port, http=_Protocol, ws="none", lifespan="off", log_level="warning",
        access_log=False, server_header=False, date_header=True, proxy_headers=False, backlog=2048,
        timeout_keep_alive=75, timeout_graceful_shutdown=10, h11_max_incomplete_event_size=None)
    server = _Server(settings, ready)
    if front is not None:
        await front.start()
    try:
        await server.serve(sockets)
    finally:
        if front is not None:
            await front.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not packaged for this platform
        return None
    return uvloop.new_event_loop
