"""The AWS wire protocols, read backwards from the models: a request's bytes to params, a result to an HTTP answer.

Called by `chain`; dispatches to `wire_json`, `wire_cbor`, `wire_query`, `wire_rest` (+ `wire_xml`), `eventstream` and
`wire_errors`. Everything is compiled from the model once per operation, because it runs on every call.

Covered: JSON 1.0 and 1.1, REST-JSON, REST-XML, query (and EC2's dialect), RPC-v2-CBOR, event streams in answers,
services that speak several protocols. Times are aware datetimes in params; results may hold datetimes or epoch seconds.
Not covered: event streams sent by clients.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from sagewright.core.errors import AwsError
from sagewright.core.http import FileSlice, Reader, Reply, Request
from sagewright.core.model import OperationModel, ServiceModel, Shape
from sagewright.gateway import eventstream, wire_cbor, wire_json, wire_query, wire_rest, wire_scalars
from sagewright.gateway.wire_errors import request_id_headers, write_error
from sagewright.gateway.wire_scalars import BadArgument, Unreadable

__all__ = ["protocol_for", "read", "streams", "write", "write_error"]

CBOR = "smithy-rpc-v2-cbor"
_CHUNK = 256 * 1024
# What each protocol calls a request that cannot be read: code, and AWS's message where the fault has none of its own.
_UNREADABLE = {
    "query": ("ValidationError", "The request could not be read"),
    "ec2": ("ValidationError", "The request could not be read"),
    "rest-xml": ("MalformedXML",
                 "The XML you provided was not well-formed or did not validate against our published schema"),
}


def protocol_for(service_model: ServiceModel, request: Request) -> str:
    """The protocol that this request speaks, among those of the service."""
    spoken = service_model.metadata.get("protocols") or [service_model.metadata["protocol"]]
    if CBOR in spoken and request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return CBOR
    if "json" in spoken and "x-amz-target" in request.headers:
        return "json"
    form = request.headers.get("content-type").startswith("application/x-www-form-urlencoded")
    # Clients from before a query service moved to JSON still send forms.
    if (form or "Action=" in request.query) and ("query" in spoken or service_model.is_query_compatible):
        return "query"
    if len(spoken) > 1:
        return next(name for name in ("json", "query", spoken[0]) if name in spoken)
    return str(spoken[0])


@functools.cache
def streams(operation: OperationModel) -> bool:
    """Whether the request's body must be handed to `read` as a reader because it may be of any size."""
    shape = operation.input_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    return bool(payload and shape and shape.members[payload].serialization.get("streaming"))


def read(operation: OperationModel, protocol: str, request: Request, body: bytes | Reader,
         path_params: dict[str, str]) -> dict[str, Any]:
    """The params of a request; `AwsError` where it cannot be read."""
    try:
        if protocol in ("rest-json", "rest-xml"):
            return wire_rest.read(operation, protocol == "rest-xml", request, body, path_params)
        data = body if isinstance(body, bytes) else body.read()
        if protocol in ("query", "ec2"):
            return wire_query.read(operation, request.query, data, ec2=protocol == "ec2")
        return _read_rpc(operation, protocol, data)
    except Unreadable as broken:
        raise _refusal(protocol, broken) from None
    except RecursionError:
        raise _refusal(protocol, Unreadable("")) from None


def _refusal(protocol: str, broken: Unreadable) -> AwsError:
    if protocol == "rest-xml" and isinstance(broken, BadArgument):
        reason = "not an integer or within integer range" if "Integer" in str(broken) else "not valid"
        return AwsError("InvalidArgument", f"Provided {broken.name} {reason}",
                        fields={"ArgumentName": broken.name, "ArgumentValue": broken.value})
    code, message = _UNREADABLE.get(protocol, ("SerializationException", ""))
    return AwsError(code, message if code == "MalformedXML" else str(broken) or message)


def _read_rpc(operation: OperationModel, protocol: str, data: bytes) -> dict[str, Any]:
    shape, service = operation.input_shape, operation.service_model
    if protocol == CBOR:
        value = wire_cbor.parse(data) if data else {}
        return wire_cbor.trees(service).reader(shape)(value) if shape is not None else {}
    if shape is None:
        if data.strip():
            wire_json.parse_object(data)
        return {}
    return _json_reader(operation)(wire_json.parse_object(data))


@functools.cache
def _json_reader(operation: OperationModel) -> Any:
    return wire_json.trees(operation.service_model).reader(operation.input_shape)  # type: ignore[arg-type]


@functools.cache
def _json_writer(operation: OperationModel) -> Any:
    return wire_json.trees(operation.service_model).writer(operation.output_shape)  # type: ignore[arg-type]


def write(operation: OperationModel, protocol: str, result: dict[str, Any] | None, request_id: str, *,
          service_model: ServiceModel | None = None, query_mode: bool = False, raw_status: int | None = None) -> Reply:
    """The answer to a call that went well. `raw_status` replaces the modelled status (206, 304)."""
    service = service_model or operation.service_model
    result = result or {}
    headers = request_id_headers(service, protocol, request_id)
    if protocol in ("rest-json", "rest-xml"):
        return _write_rest(operation, protocol, result, headers, raw_status)
    shape, status = operation.output_shape, raw_status or 200
    if protocol in ("query", "ec2"):
        content = "text/xml" if protocol == "query" else "text/xml;charset=UTF-8"
        body = wire_query.write(operation, result, request_id, ec2=protocol == "ec2")
        return Reply(status, [("Content-Type", content), *headers], body)
    if shape is not None and (name := shape.event_stream_name):
        initial = {key: value for key, value in result.items() if key != name}
        frames = eventstream.stream(operation, protocol, shape.members[name], result.get(name) or (), initial)
        return Reply(status, [("Content-Type", eventstream.CONTENT_TYPE), *headers], frames)
    if protocol == CBOR:
        if shape is None:
            return Reply(status, headers, b"")
        body = wire_cbor.dump(wire_cbor.trees(service).writer(shape)(result))
        return Reply(status, [("Content-Type", "application/cbor"), *headers], body)
    content = f"application/x-amz-json-{service.metadata.get('jsonVersion', '1.1')}"
    if shape is None:
        return Reply(status, [("Content-Type", content), *headers], b"")
    return Reply(status, [("Content-Type", content), *headers], wire_json.dump(_json_writer(operation)(result)))


def _write_rest(operation: OperationModel, protocol: str, result: dict[str, Any], headers: list[tuple[str, str]],
                raw_status: int | None) -> Reply:
    shape = operation.output_shape
    status = raw_status or int(operation.http.get("responseCode") or 200)
    if shape is None:
        return Reply(status, headers, b"")
    plan = wire_rest.output_plan(shape)
    if plan.status and result.get(plan.status) is not None and raw_status is None:
        status = int(result[plan.status])
    headers = headers + wire_rest.headers(plan, result)
    if plan.payload and shape.members[plan.payload].serialization.get("eventstream"):
        member, events = shape.members[plan.payload], result.get(plan.payload) or ()
        frames = eventstream.stream(operation, protocol, member, events)
        return Reply(status, _typed(headers, eventstream.CONTENT_TYPE), frames)
    if plan.payload and (stream := _streamed(shape.members[plan.payload], result.get(plan.payload))) is not None:
        return Reply(status, _typed(headers, _blob_type(operation.service_model)), stream)
    if status in (204, 304):
        return Reply(status, headers, b"")
    content, body = wire_rest.body(operation, protocol == "rest-xml", shape, result)
    if content == "application/octet-stream":
        content = _blob_type(operation.service_model)
    return Reply(status, _typed(headers, content), body)


def _blob_type(service: ServiceModel) -> str:
    return "binary/octet-stream" if service.service_name == "s3" else "application/octet-stream"


def _typed(headers: list[tuple[str, str]], content: str) -> list[tuple[str, str]]:
    if not content or any(name.lower() == "content-type" for name, _ in headers):
        return headers
    return [("Content-Type", content), *headers]


def _streamed(shape: Shape, value: Any) -> FileSlice | Iterator[bytes] | None:
    """A blob that a handler gave as something other than bytes or text."""
    if shape.type_name != "blob" or value is None or isinstance(value, (bytes, bytearray, memoryview, str)):
        return None
    if isinstance(value, FileSlice):
        return value
    if hasattr(value, "read"):
        return _chunks(value)
    return (wire_scalars.as_bytes(part) for part in value)


def _chunks(source: Any) -> Iterator[bytes]:
    try:
        while chunk := source.read(_CHUNK):
            yield chunk
    finally:
        if hasattr(source, "close"):
            source.close()
