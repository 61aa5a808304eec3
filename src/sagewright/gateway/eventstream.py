"""`application/vnd.amazon.eventstream`: the frames of streaming answers, made one by one from a handler's iterable.

Called by `wire`; calls the body codecs. A handler yields `{"EventName": {...}}`; an `AwsError` raised while it yields
becomes an exception frame (modelled) or an error frame. Not covered: streams sent by the client.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from sagewright.core.errors import AwsError
from sagewright.core.model import OperationModel, Shape
from sagewright.gateway import wire_cbor, wire_json, wire_scalars
from sagewright.gateway.wire_xml import xml

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_BODY_TYPES = {"smithy-rpc-v2-cbor": "application/cbor", "rest-xml": "text/xml"}
_INTEGERS = {"byte": (2, ">b"), "short": (3, ">h"), "integer": (4, ">i"), "long": (5, ">q")}


def frame(headers: dict[str, bytes], payload: bytes) -> bytes:
    """One message: header values are already typed (see `text_header`)."""
    packed = b"".join(bytes([len(name)]) + name.encode() + value for name, value in headers.items())
    prelude = struct.pack(">II", len(packed) + len(payload) + 16, len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))


def text_header(value: str) -> bytes:
    """A header value of type string."""
    data = value.encode("utf-8", "replace")[:32767]
    return b"\x07" + struct.pack(">H", len(data)) + data


def _header(shape: Shape, value: Any) -> bytes:
    kind = shape.type_name
    if kind == "boolean":
        return b"\x00" if value else b"\x01"
    if kind in _INTEGERS:
        code, form = _INTEGERS[kind]
        return bytes([code]) + struct.pack(form, int(value))
    if kind == "blob":
        data = wire_scalars.as_bytes(value)
        return b"\x06" + struct.pack(">H", len(data)) + data
    if kind == "timestamp":
        return b"\x08" + struct.pack(">q", round(wire_scalars.to_epoch(value) * 1000))
    return text_header(str(value))


def stream(operation: OperationModel, protocol: str, shape: Shape, events: Iterable[dict[str, Any]],
           initial: dict[str, Any] | None = None) -> Iterator[bytes]:
    """Frames, one per event; RPC protocols start with the answer's other members (`initial`)."""
    encoder = _Encoder(operation, protocol)
    source = iter(events)
    try:
        if initial is not None:
            yield encoder.initial(initial)
        for event in source:
            for name, value in event.items():
                if name in shape.members:
                    yield encoder.event(name, shape.members[name], value or {})
    except AwsError as error:
        yield encoder.error(shape, error)
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


class _Encoder:
    """Makes the frames of one operation's stream."""

    def __init__(self, operation: OperationModel, protocol: str) -> None:
        self._service = operation.service_model
        self._output = operation.output_shape
        self._protocol = protocol
        self._type = _BODY_TYPES.get(protocol)
        if self._type is None:
            self._type = "application/x-amz-json-1.1" if protocol == "json" else "application/json"

    def _body(self, shape: Shape, value: Any) -> bytes:
        if self._protocol == "smithy-rpc-v2-cbor":
            return wire_cbor.dump(wire_cbor.trees(self._service).writer(shape)(value))
        if self._protocol == "rest-xml":
            out: list[str] = []
            xml(self._service).writer(shape)(out, str(shape.serialization.get("name") or shape.name), value)
            return "".join(out).encode()
        return wire_json.dump(wire_json.trees(self._service).writer(shape)(value))

    def initial(self, members: dict[str, Any]) -> bytes:
        """The `initial-response` event."""
        headers = {":message-type": "event", ":event-type": "initial-response", ":content-type": self._type or ""}
        return frame({name: text_header(value) for name, value in headers.items()},
                     self._body(self._output, members))  # type: ignore[arg-type]

    def event(self, name: str, shape: Shape, value: dict[str, Any]) -> bytes:
        """One event, or the exception that the handler yielded by name."""
        if shape.metadata.get("exception"):
            return self._exception(name, shape, value)
        members = shape.members
        headers = {":message-type": text_header("event"), ":event-type": text_header(name)}
        typed = {key: _header(member, value[key]) for key, member in members.items()
                 if member.serialization.get("eventheader") and value.get(key) is not None}
        payload = next((key for key, member in members.items() if member.serialization.get("eventpayload")), None)
        if payload is None:
            rest = {key: item for key, item in value.items() if key not in typed}
            empty = not any(not member.serialization.get("eventheader") for member in members.values())
            content, body = (None, b"") if empty else (self._type, self._body(shape, rest))
        elif value.get(payload) is None:
            content, body = None, b""
        else:
            content, body = self._payload(members[payload], value[payload])
        if content:
            headers[":content-type"] = text_header(content)
        return frame(headers | typed, body)

    def _payload(self, shape: Shape, value: Any) -> tuple[str | None, bytes]:
        if shape.type_name == "blob":
            return "application/octet-stream", wire_scalars.as_bytes(value)
        if shape.type_name == "string":
            return "text/plain", str(value).encode("utf-8", "replace")
        return self._type, self._body(shape, value)

    def _exception(self, name: str, shape: Shape, value: dict[str, Any]) -> bytes:
        headers = {":message-type": "exception", ":exception-type": name, ":content-type": self._type or ""}
        return frame({key: text_header(text) for key, text in headers.items()}, self._body(shape, value))

    def error(self, shape: Shape, error: AwsError) -> bytes:
        """The frame of an error that ended the stream."""
        for name, member in shape.members.items():
            if member.metadata.get("exception") and error.code in (name, member.name):
                key = next((key for key in member.members if key.lower() == "message"), "message")
                return self._exception(name, member, {key: error.message, **error.fields})
        headers = {":message-type": "error", ":error-code": error.code, ":error-message": error.message}
        return frame({key: text_header(text) for key, text in headers.items()}, b"")
