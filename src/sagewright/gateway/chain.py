"""The whole path of a request, on one screen: `CHAIN`, run by `app.py` on a worker thread.

Each step takes the `Exchange` and does one thing to it; an `AwsError` anywhere becomes the answer, in the protocol of
the request. InvokeEndpoint runs the same steps up to `check` and then leaves for the router (`invocations.py`), which
is async.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sagewright.core import ids, log, model
from sagewright.core.call import ANONYMOUS, Call
from sagewright.core.dispatch import Dispatch
from sagewright.core.errors import AwsError
from sagewright.core.http import Reply, Request
from sagewright.core.world import World
from sagewright.gateway import audit as call_log
from sagewright.gateway import policy, route, s3_route, sigv4, validate, wire
from sagewright.gateway.route import Route

_BROWSER = frozenset({"PostObject", "Preflight"})
_MOST = 64 * 1024 * 1024  # no modelled request that is not a stream comes near this


@dataclass(slots=True)
class Exchange:
    """One request and what the steps find out about it.

    `buffered` is the body where it was small enough to be read whole before the chain, else None.
    """

    world: World
    dispatch: Dispatch
    request: Request
    buffered: bytes | None
    request_id: str = ""
    route: Route | None = None
    verified: Any = None
    call: Call | None = None
    reply: Reply | None = None
    result: dict[str, Any] = field(default_factory=dict)
    error: AwsError | None = None

    @property
    def resolved(self) -> Route:
        assert self.route is not None
        return self.route

    @property
    def the_call(self) -> Call:
        assert self.call is not None
        return self.call


def assign_request_id(x: Exchange) -> None:
    """Every answer carries an id, also a refusal."""
    x.request_id = ids.request_id()


def meet_browser(x: Exchange) -> None:
    """Preflights and form uploads of S3, which no operation of the model describes, are answered here."""
    if x.request.method not in ("OPTIONS", "POST") or "x-amz-target" in x.request.headers:
        return
    edge, (bucket, key) = x.world.parts["s3_edge"], s3_route.split(x.request)
    if edge.takes(x.request, bucket, key):
        name = "PostObject" if x.request.method == "POST" else "Preflight"
        x.route = Route("s3", name, "rest-xml", {"Bucket": bucket})
        x.reply = edge.answer(x.request, bucket, key)


def resolve(x: Exchange) -> None:
    """Service and operation."""
    body = x.buffered
    if body and x.request.headers.get("content-encoding") == "gzip" and "form" in x.request.headers.get("content-type"):
        body = _gunzip(body)  # a query request names its operation in the body
    x.route = route.resolve(x.request, body)


def authenticate(x: Exchange) -> None:
    """Who signed it; the body's hash too where the body is whole."""
    s3 = x.resolved.service == "s3"
    x.verified = sigv4.authenticate(
        x.request, x.buffered, x.world.parts["identities"].lookup, x.world.clock.now(), service=x.resolved.signing,
        protocol=x.resolved.protocol, anonymous=s3 or x.resolved.operation in policy.OPEN,
        bucket=s3_route.bucket_of_host(x.request.host) if s3 else "")
    if x.verified.access_key:
        x.world.parts["identities"].used(x.verified.access_key, x.resolved.signing, x.verified.region)


def read(x: Exchange) -> None:
    """Bytes to AWS's dict. A streaming body stays a reader, verified as it is read."""
    operation = model.operation(x.resolved.service, x.resolved.operation)
    principal, region = x.verified.principal, x.verified.region or x.world.config.region
    body: Any = x.buffered if x.buffered is not None else x.request.body
    if x.verified.in_query and x.resolved.service == "s3":
        x.request.headers = s3_route.with_signed_arguments(x.request)
    if wire.streams(operation):
        reader = io.BytesIO(x.buffered) if x.buffered is not None else x.request.body
        body = sigv4.verified_body(x.request, reader, x.verified)
    elif x.buffered is None:
        body = _whole(x)
    if x.request.headers.get("content-encoding") == "gzip" and not wire.streams(operation):
        body = _gunzip(body)
    params = wire.read(operation, x.resolved.protocol, x.request, body, dict(x.resolved.labels))
    account = principal.account if principal is not ANONYMOUS else ""
    x.call = Call(world=x.world, service=x.resolved.service, operation=x.resolved.operation, region=region,
                  account=account, principal=principal, params=params, request_id=x.request_id, http=x.request)


def authorize(x: Exchange) -> None:
    """May this principal do that? (`gateway/policy.py`)"""
    policy.authorize(x.the_call)


def check(x: Exchange) -> None:
    """The model's constraints, in AWS's words."""
    validate.check(model.operation(x.resolved.service, x.resolved.operation), x.the_call.params, x.resolved.service)


def invoke(x: Exchange) -> None:
    """The handler."""
    x.reply = None
    x.result = x.dispatch.invoke(x.the_call)


def write(x: Exchange) -> None:
    """Dict to bytes."""
    operation = model.operation(x.resolved.service, x.resolved.operation)
    call = x.the_call
    x.reply = wire.write(operation, x.resolved.protocol, x.result, x.request_id, query_mode=_query_mode(x),
                         raw_status=call.reply_status)
    x.reply.headers.extend(call.reply_headers.items())
    _add_cors(x)


def audit(x: Exchange) -> None:
    """One line in the call log (`gateway/audit.py`)."""
    call_log.record(x)


Step = Callable[[Exchange], None]
BEFORE: tuple[Step, ...] = (assign_request_id, meet_browser, resolve, authenticate, read, authorize, check)
CHAIN: tuple[Step, ...] = (*BEFORE, invoke, write)


def run(x: Exchange, steps: tuple[Step, ...] = CHAIN) -> Exchange:
    """Run the steps; whatever goes wrong becomes the reply."""
    try:
        for step in steps:
            step(x)
            if x.reply is not None:
                break
    except AwsError as error:
        refuse(x, error)
    except Exception:  # noqa: BLE001 - a fault of ours must still be an answer that clients understand
        log.trouble("request fault", operation=x.route.operation if x.route else "?", request=x.request_id)
        refuse(x, AwsError("InternalFailure", "We encountered an internal error. Please try again.", 500))
    if steps is CHAIN:
        audit(x)
    return x


def refuse(x: Exchange, error: AwsError) -> None:
    """Answer with an error, in the protocol of the request."""
    x.error = error
    found = x.route
    service_model = model.model(found.service) if found else None
    operation = model.operation(found.service, found.operation) if found and found.operation not in _BROWSER else None
    protocol = found.protocol if found else protocol_of_the_unknown(x.request)
    x.reply = wire.write_error(operation, service_model, protocol, error, x.request_id, query_mode=_query_mode(x))
    if x.call is not None:
        x.reply.headers.extend(x.call.reply_headers.items())
    _add_cors(x)
    if x.request.method == "HEAD":
        x.reply.body = b""


def _add_cors(x: Exchange) -> None:
    """Answers of S3 to pages of other origins say what the bucket's CORS rules allow."""
    if x.reply is not None and x.route is not None and x.route.service == "s3" and "origin" in x.request.headers:
        x.reply.headers.extend(x.world.parts["s3_edge"].headers(x.request, x.route.labels.get("Bucket", "")).items())


def _whole(x: Exchange) -> bytes:
    """A body that had to be read whole although it is large: refuse the absurd, then check its hash."""
    reader = sigv4.verified_body(x.request, x.request.body, x.verified)
    parts, size = [], 0
    while chunk := reader.read(1024 * 1024):
        parts.append(chunk)
        size += len(chunk)
        if size > _MOST:
            raise AwsError("RequestEntityTooLarge", "The request body is too large.", 413)
    return b"".join(parts)


def _gunzip(body: bytes) -> bytes:
    """PutMetricData and others may come compressed; refuse bombs and what is not gzip."""
    try:
        plain = gzip.GzipFile(fileobj=io.BytesIO(body)).read(_MOST + 1)
    except (OSError, EOFError, zlib.error):
        raise AwsError("SerializationException", "The request body is not valid gzip data.") from None
    if len(plain) > _MOST:
        raise AwsError("RequestEntityTooLarge", "The request body is too large.", 413)
    return plain


def _query_mode(x: Exchange) -> bool:
    return x.request.headers.get("x-amzn-query-mode") == "true"


def protocol_of_the_unknown(request: Request) -> str:
    """In which protocol to answer a request whose operation could not be found."""
    if request.headers.get("smithy-protocol"):
        return "smithy-rpc-v2-cbor"
    if request.headers.get("x-amz-target") or "json" in request.headers.get("content-type"):
        return "json"
    if "x-www-form-urlencoded" in request.headers.get("content-type"):
        return "query"
    signing = route.scope_of(request)[1]
    return "rest-json" if signing and signing != "s3" else "rest-xml"


