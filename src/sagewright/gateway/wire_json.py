"""JSON bodies: JSON 1.0 and 1.1, REST-JSON, and the JSON payloads of event streams.

Called by `wire`, `wire_rest` and `eventstream`; calls `wire_tree`. Covered: documents, sparse lists and maps, the three
floats that JSON lacks. Every fault of a body is an `Unreadable` with AWS's words.
"""

from __future__ import annotations

import functools
import json
import math
from typing import Any

from sagewright.core.model import ServiceModel, Shape
from sagewright.gateway import wire_scalars as scalars
from sagewright.gateway.wire_scalars import Unreadable, wrong_type
from sagewright.gateway.wire_tree import Form, Trees, Turn, integer_reader, read_boolean, read_string, write_integer


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def parse(body: bytes) -> Any:
    """The JSON value in a body; AWS gives no reason when it cannot be parsed."""
    try:
        text = body.decode("utf-8-sig")
        value = _DECODER.decode(text)
        if "\\u" in text:
            # Half a surrogate pair can be parsed but never stored or sent; find it now.
            _dump(value).encode()
    except (ValueError, RecursionError) as broken:
        raise Unreadable("") from broken
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body."""
    value = parse(body)
    if type(value) is not dict:
        raise wrong_type(value, "structure") if type(value) is list else Unreadable("")
    return value


def dump(value: Any) -> bytes:
    """A JSON value as a body."""
    try:
        return _dump(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _float_reader(kind: str) -> Turn:
    def read_float(value: Any) -> float:
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is int and -1e308 < value < 1e308:
            return value
        if value in ("NaN", "Infinity", "-Infinity"):
            return scalars.read_float(value)
        raise wrong_type(value, kind)

    return read_float


def _read_time(value: Any) -> Any:
    if type(value) in (int, float):
        return scalars.from_epoch(value)
    raise wrong_type(value, "timestamp")


def _read_text_time(value: Any) -> Any:
    return scalars.read_time(value) if type(value) is str else _read_time(value)


def _reader(shape: Shape) -> Turn:
    kind = shape.type_name
    if kind in ("integer", "long"):
        return integer_reader(kind)
    if kind in ("float", "double"):
        return _float_reader(kind)
    if kind == "timestamp":
        form = str(shape.serialization.get("timestampFormat") or "unixTimestamp").lower()
        return _read_time if form == "unixtimestamp" else _read_text_time
    return {"boolean": read_boolean, "blob": scalars.read_base64}.get(kind, read_string)


def _writer(shape: Shape) -> Turn | None:
    kind = shape.type_name
    if kind == "timestamp":
        return scalars.time_writer(shape, "unixTimestamp")
    writers: dict[str, Turn] = {"float": scalars.write_float, "double": scalars.write_float,
                                "blob": scalars.write_base64, "integer": write_integer, "long": write_integer}
    return writers.get(kind)


@functools.cache
def trees(service_model: ServiceModel) -> Trees:
    """The compiled JSON codecs of a service."""
    return Trees(Form(_reader, _writer))
