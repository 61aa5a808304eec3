"""The load client of every serving bench: keep-alive connections on one event loop, a request each, latencies kept.

Lean on purpose (asyncio protocols and httptools' C parser, about 60 us a request), so that it hides as little as
possible of the servers' differences; the same client drives Sagewright and every peer. Requests to Sagewright are
signed, each one anew, as boto3 signs them.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

Head = Callable[[], bytes]


@dataclass(frozen=True)
class Result:
    """Requests per second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    errors: int


class _Client(asyncio.Protocol):
    def __init__(self, request: Callable[[], bytes], until: float, done: asyncio.Future[None]) -> None:
        self.request, self.until, self.done = request, until, done
        self.latencies: list[float] = []
        self.errors = 0
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send()

    def _send(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.began = time.perf_counter()
        self.transport.write(self.request())

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self.began)
        self.errors += self.parser.get_status_code() != 200
        if now < self.until:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def _run(url: str, request: Callable[[], bytes], connections: int, seconds: float) -> Result:
    loop = asyncio.get_running_loop()
    parts, began = urlsplit(url), time.perf_counter()
    clients = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        client = _Client(request, began + seconds, done)
        await loop.create_connection(lambda client=client: client, parts.hostname, parts.port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    took = time.perf_counter() - began
    latencies = sorted(x for client in clients for x in client.latencies)
    return Result(len(latencies) / took, 1e3 * statistics.median(latencies),
                  1e3 * latencies[int(len(latencies) * 0.99)], sum(client.errors for client in clients))


def plain(url: str, body: bytes, content_type: str = "application/json") -> Callable[[], bytes]:
    """A request that never changes."""
    parts = urlsplit(url)
    head = (f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    return lambda: head + body


def signed(url: str, body: bytes, keys: tuple[str, str], region: str,
           content_type: str = "application/json") -> Callable[[], bytes]:
    """A request that is signed anew each time, for the service sagemaker."""
    import hashlib

    from sagewright.cli.place import Keys
    from sagewright.core import signing

    credentials, parts, digest = Keys(*keys), urlsplit(url), hashlib.sha256(body).hexdigest()

    def request() -> bytes:
        headers = signing.sign("POST", url, {"Content-Type": content_type}, digest, credentials, region, "sagemaker",
                               time.time())
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {parts.path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body

    return request


def main() -> None:
    """Read one JSON job from standard input, run it, print the Result as JSON: the client is a process of its own."""
    job = json.load(sys.stdin)
    body = job["body"].encode()
    if job.get("keys"):
        request = signed(job["url"], body, tuple(job["keys"]), job["region"], job["content_type"])
    else:
        request = plain(job["url"], body, job["content_type"])
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(job["url"], request, job["connections"], job["seconds"])).__dict__))


if __name__ == "__main__":
    main()
