"""What the wire tests share: service models from vectors, requests from botocore's serialisers, generated values."""

from __future__ import annotations

import base64
import json
import math
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from botocore import parsers, serialize
from botocore.awsrequest import HeadersDict, prepare_request_dict
from botocore.model import OperationModel, Shape

from sagewright.core.http import FileSlice, Headers, Reply, Request

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical(shape: Shape | None, value: Any) -> Any:
    """A params or result value in the one form that two sides are compared in."""
    if value is None or shape is None:
        return value
    kind = shape.type_name
    if kind == "structure" and not shape.is_document_type:
        if not isinstance(value, dict):
            return [canonical_event(shape, event) for event in value]
        return {name: canonical(shape.members[name], item) for name, item in value.items()
                if name in shape.members and item is not None}
    if kind == "list":
        return [canonical(shape.member, item) for item in value]
    if kind == "map":
        return {key: canonical(shape.value, item) for key, item in value.items()}
    if kind == "timestamp":
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime) and value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        seconds = (value - EPOCH) / timedelta(seconds=1) if isinstance(value, datetime) else float(value)
        return round(seconds, 3)
    if kind == "blob":
        if hasattr(value, "read"):
            value = value.read()
        return value.encode() if isinstance(value, str) else bytes(value)
    if kind in ("float", "double"):
        return "NaN" if math.isnan(float(value)) else float(value)
    return value


def canonical_event(shape: Shape, event: dict[str, Any]) -> dict[str, Any]:
    """One event of a stream."""
    return {name: canonical(shape.members[name], item) for name, item in event.items()}


# -- requests ----------------------------------------------------------------------------------------------------------
def request_of(operation: OperationModel, protocol: str, params: dict[str, Any]) -> tuple[Request, bytes, dict]:
    """The request that botocore sends for these params, with the labels that a router finds in its path."""
    sent = serialize.create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    body = sent["body"]
    if isinstance(body, dict):
        body = urlencode(body, doseq=True).encode()
    template = operation.http.get("requestUri", "/")
    uri = sent["url_path"]
    prepare_request_dict(sent, "http://localhost", {})
    query = urlsplit(sent["url"]).query
    headers = Headers((name, str(value)) for name, value in sent["headers"].items())
    return (Request(sent["method"], urlsplit(uri).path, query, headers), body,
            labels(template, uri) if protocol.startswith("rest") else {})


def labels(template: str, uri: str) -> dict[str, str]:
    """The labels of a URI template in a path, decoded."""
    pattern = ""
    path = template.split("?")[0]
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, path = rest.partition("}")
        greedy = name.endswith("+")
        pattern += _quote(before) + f"(?P<{_group(name.rstrip('+'))}>{'.*' if greedy else '[^/]*'})"
    pattern += _quote(path)
    match = re.fullmatch(pattern, uri.split("?")[0])
    if match is None:
        return {}
    return {name.replace("_dash_", "-"): unquote(text) for name, text in match.groupdict().items()}


def _group(name: str) -> str:
    return name.replace("-", "_dash_")


def _quote(text: str) -> str:
    return re.escape(text)


# -- answers -----------------------------------------------------------------------------------------------------------
class Raw:
    """What botocore's event stream reads from."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def stream(self) -> Any:
        yield from self._chunks

    def close(self) -> None:
        self._chunks = []


def body_of(reply: Reply) -> bytes:
    """The whole body of an answer."""
    assert not isinstance(reply.body, FileSlice)
    return reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)


def parsed(operation: OperationModel, protocol: str, reply: Reply, shape: Shape | None = None) -> dict[str, Any]:
    """The answer as botocore's parser reads it."""

    shape = shape or operation.output_shape
    headers = HeadersDict()
    for name, value in reply.headers:
        headers[name] = value
    body: Any = body_of(reply)
    response = {"status_code": reply.status, "headers": headers, "body": body, "context": {}}
    streaming = operation.has_event_stream_output and reply.status < 300
    if streaming:
        response["body"] = Raw([body])
        response["context"] = {"operation_name": operation.name}
    elif reply.status < 300 and operation.get_streaming_output() is not None:
        response["body"] = _Stream(body)
    return parsers.create_parser(protocol).parse(response, shape)


class _Stream:
    """A body that the parser must leave alone: what botocore wraps in a StreamingBody."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


# -- generated values --------------------------------------------------------------------------------------------------
class Values:
    """Random values of a shape that its wire form can carry; constraints of the model are not looked at."""

    def __init__(self, seed: int, protocol: str) -> None:
        self._random = random.Random(seed)
        self._xml = protocol in ("rest-xml", "query")
        self._says_empty = protocol != "query"  # forms have no way to send a structure without members

    def of(self, shape: Shape, depth: int = 0, location: str = "") -> Any:
        """A value, or None where it would be nested too deeply."""
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, depth)
        if kind == "list":
            count = 1 if depth > 4 else self._random.randint(1, 3)
            items = [self.of(shape.member, depth + 1, location) for _ in range(count)]
            return [item for item in items if item is not None] or None
        if kind == "map":
            items = [self.of(shape.value, depth + 1, location) for _ in range(2)]
            keys = [self._key(shape.key, n, location) for n in range(2)]
            return {key: item for key, item in zip(keys, items) if item is not None} or None
        return self._scalar(shape, location)

    def _key(self, shape: Shape, n: int, location: str) -> str:
        if shape.enum:
            return str(shape.enum[n % len(shape.enum)])
        return f"key{n}" if location else f"key {n} \u00e9"

    def _structure(self, shape: Shape, depth: int) -> Any:
        if shape.is_document_type:
            return {"a": [1, None, {"b": "c"}]}
        if depth > 7:
            return None
        members = list(shape.members.items())
        if shape.is_tagged_union and members:
            members = [self._random.choice(members)]
        elif depth > 2:
            members = [item for item in members
                       if item[0] in shape.required_members or self._random.random() < 0.5]
        found = {name: self.of(member, depth + 1, member.serialization.get("location") or "")
                 for name, member in members if not member.serialization.get("eventstream")}
        said = {name: value for name, value in found.items() if value is not None}
        return said if said or self._says_empty else None

    def _scalar(self, shape: Shape, location: str) -> Any:
        chance = self._random
        kind = shape.type_name
        if kind in ("integer", "long"):
            return chance.choice([0, 1, 7, 2**31 - 1, -5])
        if kind in ("float", "double"):
            return chance.choice([0.0, 1.5, -2.25, 1e10])
        if kind == "boolean":
            return chance.random() < 0.5
        if kind == "timestamp":
            whole = 1_700_000_000 + chance.randint(0, 10**7)
            return EPOCH + timedelta(seconds=whole, milliseconds=0 if location or self._xml else chance.randint(0, 999))
        if kind == "blob":
            return bytes(chance.randrange(256) for _ in range(chance.randint(1, 20)))
        if shape.enum:
            return chance.choice(shape.enum)
        if shape.serialization.get("jsonvalue") and location == "header":
            return {"a": [1, "b"]}
        if location:
            return chance.choice(["plain", "with space", "a/b+c=d&e", "x"])
        return chance.choice(["plain", "", "with <tags> & \"quotes\"", "\u00fcn\u00efc\u00f6de \U0001f600", " padded ",
                              "line\nbreak"])


def from_base64(text: str) -> bytes:
    """Bytes of a vector's CBOR body."""
    return base64.b64decode(text)


def load(path: Any) -> Any:
    """A vector file."""
    return json.loads(path.read_text())
