"""InvokeEndpoint and InvokeEndpointWithResponseStream: the hot path, on the event loop from socket to socket.

Runs the chain's own steps for identity, then lets `router` choose a replica and `upstream` talk to it. Errors are
AWS's: ValidationError for what is not there, ModelError 424 with the container's body, ServiceUnavailable 503 when
full.
Publishes the invocation metrics of the endpoint and variant.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from sagewright.core import arns, log
from sagewright.core.dispatch import Dispatch
from sagewright.core.errors import AwsError
from sagewright.core.http import Reply, Request
from sagewright.core.world import World
from sagewright.gateway import chain, eventstream
from sagewright.gateway.route import Route
from sagewright.gateway.router import EndpointRouter, Group, Replica
from sagewright.gateway.upstream import Answer, Broken, Connection

LIMIT = 6_291_456
TIMEOUT = 60.0
STREAM_TIMEOUT = 480.0
_SHOWN = 2048
_STREAM = "/invocations-response-stream"
# request header -> header of the container call; everything else is stripped, as AWS does
_FORWARDED = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-target-model",
              "x-amzn-sagemaker-target-variant", "x-amzn-sagemaker-inference-id", "x-amzn-sagemaker-session-id",
              "x-amzn-sagemaker-enable-explanations", "x-amzn-sagemaker-target-container-hostname")
_RETURNED = ("content-type", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-new-session-id",
             "x-amzn-sagemaker-closed-session-id")

_text = eventstream.text_header
_PART = {":event-type": _text("PayloadPart"), ":content-type": _text("application/octet-stream"),
         ":message-type": _text("event")}
_STREAM_ERROR = {":exception-type": _text("ModelStreamError"), ":content-type": _text("application/json"),
                 ":message-type": _text("exception")}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def is_one(request: Request) -> bool:
    """Whether the request is an invocation (POST /endpoints/NAME/invocations[-response-stream])."""
    path = request.raw_path
    return request.method == "POST" and path.startswith("/endpoints/") and path.count("/") == 3 \
        and (path.endswith("/invocations") or path.endswith(_STREAM))


async def answer(world: World, dispatch: Dispatch, request: Request,
                 receive: Receive, send: Send) -> None:
    """Answer one invocation."""
    from sagewright.gateway.app import read_body

    began = time.perf_counter()
    streaming = request.raw_path.endswith(_STREAM)
    exchange = chain.Exchange(world, dispatch, request, b"")
    chain.assign_request_id(exchange)
    operation = "InvokeEndpointWithResponseStream" if streaming else "InvokeEndpoint"
    name = unquote(request.raw_path.split("/")[2])
    exchange.route = Route("sagemaker-runtime", operation, "rest-json", {"EndpointName": name})
    run = _Invocation(world, exchange, name, began)
    try:
        length = request.headers.get("content-length")
        if length.isdigit() and int(length) > LIMIT:
            raise AwsError("ValidationError", f"Request body is too large: at most {LIMIT} bytes are accepted.", 413)
        exchange.buffered = await read_body(receive)
        chain.authenticate(exchange)
        run.locate()
        await (run.stream(receive, send) if streaming else run.whole(send))
    except AwsError as error:
        run.count(error)
        chain.refuse(exchange, error)
        await _plain(exchange.reply, send)
    except Exception:  # noqa: BLE001 - a fault of ours must still be an answer
        log.trouble("invocation fault", endpoint=name, request=exchange.request_id)
        chain.refuse(exchange, AwsError("InternalFailure", "An internal failure occurred.", 500))
        await _plain(exchange.reply, send)


class _Invocation:
    """One invocation under way."""

    def __init__(self, world: World, exchange: chain.Exchange, name: str, began: float) -> None:
        self.world, self.exchange, self.name, self.began = world, exchange, name, began
        self.router: EndpointRouter = world.parts["router"]
        self.arn = ""
        self.group: Group | None = None
        self.model_seconds = 0.0

    @property
    def account(self) -> str:
        return self.exchange.verified.principal.account

    @property
    def region(self) -> str:
        return self.exchange.verified.region

    def locate(self) -> None:
        """Find the endpoint and choose the variant."""
        if len(self.exchange.buffered or b"") > LIMIT:
            raise AwsError("ValidationError", f"Request body is too large: at most {LIMIT} bytes are accepted.", 413)
        self.arn = arns.make("sagemaker", self.region, self.account, f"endpoint/{self.name.lower()}")
        try:
            self.group = self.router.choose(self.arn,
                                            self.exchange.request.headers.get("x-amzn-sagemaker-target-variant"))
        except KeyError:
            raise AwsError("ValidationError", f"Endpoint {self.name} of account {self.account} not found.") from None

    async def whole(self, send: Send) -> None:
        """Body in, body out."""
        started = time.perf_counter()
        async with _deadline(self, TIMEOUT):
            replica, connection, reply = await self._start()
            try:
                body = await connection.whole()
            except Broken as broken:
                connection.close()
                raise self._model_error(0, str(broken).encode()) from None
            finally:
                self.router.end(self.arn, replica)
        replica.pool.give(connection)
        self.model_seconds = time.perf_counter() - started
        if not 200 <= reply.status < 300:
            raise self._model_error(reply.status, body)
        headers = self._headers(reply)
        headers.append((b"content-length", str(len(body)).encode()))
        self.count(None)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def stream(self, receive: Receive, send: Send) -> None:
        """Body in, event stream out, chunk by chunk; the model stops when the client leaves or time is up."""
        started, broken = time.perf_counter(), None
        async with _deadline(self, STREAM_TIMEOUT):
            replica, connection, reply = await self._start()
        try:
            if not 200 <= reply.status < 300:
                raise self._model_error(reply.status, await connection.whole())
            headers = [(k, v) for k, v in self._headers(reply) if k != b"content-type"]
            headers.append((b"content-type", b"application/vnd.amazon.eventstream"))
            headers.append((b"x-amzn-sagemaker-content-type",
                            reply.headers.get("content-type", "application/octet-stream").encode()))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            broken = await _piped(connection, receive, send, STREAM_TIMEOUT - (time.perf_counter() - started))
        finally:
            self.router.end(self.arn, replica)
            replica.pool.give(connection)
        self.model_seconds = time.perf_counter() - started
        self.count(self._model_error(0, broken.encode()) if broken else None)

    async def _start(self) -> tuple[Replica, Connection, Answer]:
        """Send the request to the first replica that takes it."""
        assert self.group is not None
        head, body = self._head(), self.exchange.buffered or b""
        for replica in self.router.candidates(self.group):
            for _ in range(2):  # a kept connection may have been closed by the server: once more on a fresh one
                self.router.begin(self.arn, replica)
                try:
                    connection = await replica.pool.take()
                    return replica, connection, await connection.start(head, body)
                except Broken as broken:
                    self.router.end(self.arn, replica)
                    if not broken.sent:
                        break
                except BaseException:
                    self.router.end(self.arn, replica)
                    raise
        raise AwsError("ServiceUnavailable", "The service is currently unavailable: no model server could be reached.",
                       503)

    def _head(self) -> bytes:
        request = self.exchange.request
        lines = ["POST /invocations HTTP/1.1", "Host: localhost",
                 f"Content-Length: {len(self.exchange.buffered or b'')}"]
        for name in _FORWARDED:
            value = request.headers.get(name)
            if value:
                lines.append(f"{name}: {value}")
        accept = request.headers.get("x-amzn-sagemaker-accept")
        if accept:
            lines.append(f"accept: {accept}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _headers(self, reply: Answer) -> list[tuple[bytes, bytes]]:
        assert self.group is not None
        headers = [(b"x-amzn-requestid", self.exchange.request_id.encode()),
                   (b"x-amzn-invoked-production-variant", self.group.variant.name.encode())]
        for name in _RETURNED:
            if name in reply.headers:
                headers.append((name.encode(), reply.headers[name].encode("latin-1")))
        return headers

    def _model_error(self, status: int, body: bytes) -> AwsError:
        assert self.group is not None
        text = body[:_SHOWN].decode("utf-8", "replace")
        kind = "client" if 400 <= status < 500 else "server"
        region, group = self.region, f"/aws/sagemaker/Endpoints/{self.name}"
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
        message = (f"Received {kind} error ({status}) from {self.group.variant.container} with message \"{text}\". "
                   f"See {console} in account {self.account} for more information.")
        code = "CLIENT_ERROR_FROM_MODEL" if kind == "client" else "SERVER_ERROR_FROM_MODEL"
        return AwsError("ModelError", message, 424, {
            "ErrorCode": code, "OriginalStatusCode": status, "OriginalMessage": text,
            "LogStreamArn": arns.make("logs", region, self.account, f"log-group:{group}")})

    def count(self, error: AwsError | None) -> None:
        """Publish this invocation's metrics."""
        metrics = self.world.parts.get("metrics")
        if metrics is None or self.group is None:
            return
        total = time.perf_counter() - self.began
        status = 200 if error is None else error.fields.get("OriginalStatusCode", error.status)
        dims = (("EndpointName", self.name), ("VariantName", self.group.variant.name))
        now = self.world.clock.now()
        points = [("Invocations", dims, 1.0, "None", now),
                  ("InvocationsPerInstance", dims, 1.0 / max(1, len(self.group.replicas)), "None", now),
                  ("Invocation4XXErrors", dims, float(400 <= status < 500), "None", now),
                  ("Invocation5XXErrors", dims, float(status >= 500 or status == 0), "None", now),
                  ("InvocationModelErrors", dims, float(error is not None and error.code == "ModelError"), "None", now)]
        if self.model_seconds:
            points.append(("ModelLatency", dims, self.model_seconds * 1e6, "Microseconds", now))
            points.append(("OverheadLatency", dims, (total - self.model_seconds) * 1e6, "Microseconds", now))
        metrics.put(self.account, self.region, "AWS/SageMaker", points)


class _deadline:  # noqa: N801 - reads as a statement
    """A time limit whose expiry is answered as AWS answers an invocation that took too long."""

    def __init__(self, run: _Invocation, seconds: float) -> None:
        self._run, self._timeout = run, asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *problem: Any) -> None:
        try:
            await self._timeout.__aexit__(*problem)
        except TimeoutError:
            container = self._run.group.variant.container if self._run.group else "primary"
            words = ("Your invocation timed out while waiting for a response from container "
                     f"{container}. Review the latency metrics for each container in Amazon CloudWatch, "
                     "resolve the issue, and try again.")
            raise self._run._model_error(0, words.encode()) from None  # noqa: SLF001 - one idea in two classes


async def _piped(connection: Connection, receive: Receive, send: Send, seconds: float) -> str:
    """Send the container's chunks as event-stream frames until its end; why the model broke, or ""."""
    sending = asyncio.ensure_future(_send_pieces(connection.pieces(), send))
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((sending, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            code, words = "StreamBroken", await sending
        elif leaving.done():
            return ""
        else:
            code, words = "ModelInvocationTimeExceeded", f"The model did not finish in {STREAM_TIMEOUT:.0f} seconds."
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
    if words:
        body = json.dumps({"Message": words, "ErrorCode": code}).encode()
        frame = eventstream.frame(_STREAM_ERROR, body)
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    return words


async def _send_pieces(pieces: AsyncIterator[bytes], send: Send) -> str:
    try:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": eventstream.frame(_PART, piece), "more_body": True})
    except Broken as broken:
        return str(broken)
    return ""


async def _left(receive: Receive) -> None:
    """Return when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _plain(reply: Reply | None, send: Send) -> None:
    assert reply is not None and isinstance(reply.body, bytes)
    headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in reply.headers]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


