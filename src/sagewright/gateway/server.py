"""Listening: uvicorn around `App`, and the TLS and CONNECT front beside it. Called by `cli/assembly.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sagewright.core import ids
from sagewright.core.config import Config
from sagewright.core.errors import AwsError
from sagewright.gateway import chain
from sagewright.gateway.app import request_of
from sagewright.gateway.wire_errors import write_error


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, but what is not HTTP is refused in a form that AWS clients can read."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what broke HTTP's rules, in the protocol of the request under way, which then does not happen."""
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        if under_way and cycle.response_started:
            self.transport.close()
            return
        protocol = "json"
        if under_way:
            cycle.disconnected = True
            protocol = chain.protocol_of_the_unknown(request_of(dict(cycle.scope)))
        reply = write_error(None, None, protocol, AwsError("MalformedHttpRequestException", msg), ids.request_id())
        assert isinstance(reply.body, bytes)
        lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in reply.headers),
                 f"content-length: {len(reply.body)}", "connection: close"]
        self.transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + reply.body)
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again once it has stopped; then nothing of ours would be closed in order."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

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
