"""RPC-v2-CBOR bodies: a small CBOR reader and writer, and the codecs of a service's shapes.

Called by `wire` and `eventstream`; calls `wire_tree`. Covered: everything the protocol uses (integers, floats of
16 to 64 bits, text, bytes, lists, maps, definite and indefinite length, tag 1 times). Not covered: big numbers.
"""

from __future__ import annotations

import functools
import struct
from typing import Any

from sagewright.core.model import ServiceModel, Shape
from sagewright.gateway import wire_scalars as scalars
from sagewright.gateway.wire_scalars import Unreadable, wrong_type
from sagewright.gateway.wire_tree import Form, Trees, Turn, integer_reader, read_boolean, read_string, write_integer

_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_BREAK = object()


class Time(float):
    """Epoch seconds that carry CBOR's tag 1."""


# -- reading -----------------------------------------------------------------------------------------------------------
def parse(body: bytes) -> Any:
    """The one CBOR item that a body holds."""
    try:
        value, end = _item(body, 0)
    except (IndexError, struct.error, UnicodeDecodeError, RecursionError, TypeError, OverflowError) as broken:
        raise Unreadable("") from broken
    if value is _BREAK or end != len(body):
        raise Unreadable("")
    return value


def _item(data: bytes, at: int) -> tuple[Any, int]:
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return _simple(data, at, info)
    if info == 31:
        if major not in (2, 3, 4, 5):
            raise Unreadable("")
        return _endless(data, at, major)
    size, at = _argument(data, at, info)
    if major == 0:
        return size, at
    if major == 1:
        return -1 - size, at
    if major in (2, 3):
        if size > len(data) - at:
            raise Unreadable("")
        chunk = data[at:at + size]
        return (chunk if major == 2 else chunk.decode()), at + size
    if major == 6:
        return _tagged(data, at, size)
    if size > len(data) - at:  # each item takes a byte at least: a lying length must not make us loop
        raise Unreadable("")
    return _counted(data, at, major, size)


def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at
    if info > 27:
        raise Unreadable("")
    width = 1 << (info - 24)
    if at + width > len(data):
        raise Unreadable("")
    return int.from_bytes(data[at:at + width], "big"), at + width


def _simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in _SIMPLE:
        return _SIMPLE[info], at
    if info == 31:
        return _BREAK, at
    if info not in _FLOATS:
        raise Unreadable("")
    return struct.unpack_from(_FLOATS[info], data, at)[0], at + (1 << (info - 24))


def _tagged(data: bytes, at: int, tag: int) -> tuple[Any, int]:
    value, at = _item(data, at)
    if tag != 1 or type(value) not in (int, float):
        raise Unreadable("")
    return Time(value), at


def _counted(data: bytes, at: int, major: int, size: int) -> tuple[Any, int]:
    if major == 4:
        items = []
        for _ in range(size):
            value, at = _item(data, at)
            items.append(value)
        return items, at
    pairs = {}
    for _ in range(size):
        key, at = _item(data, at)
        pairs[key], at = _item(data, at)
    return pairs, at


def _endless(data: bytes, at: int, major: int) -> tuple[Any, int]:
    parts: list[Any] = []
    while True:
        value, at = _item(data, at)
        if value is _BREAK:
            break
        parts.append(value)
    if major == 2:
        return b"".join(parts), at
    if major == 3:
        return "".join(parts), at
    return (parts if major == 4 else dict(zip(parts[::2], parts[1::2]))), at


# -- writing -----------------------------------------------------------------------------------------------------------
def dump(value: Any) -> bytes:
    """A tree as one CBOR item."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _head(out: bytearray, major: int, size: int) -> None:
    if size < 24:
        out.append(major << 5 | size)
        return
    info = 24 if size < 1 << 8 else 25 if size < 1 << 16 else 26 if size < 1 << 32 else 27
    out.append(major << 5 | info)
    out += size.to_bytes(1 << (info - 24), "big")


def _write(out: bytearray, value: Any) -> None:
    if value is None or value is True or value is False:
        out.append(0xE0 | {None: 22, True: 21, False: 20}[value])
    elif isinstance(value, float):
        if isinstance(value, Time):
            out.append(0xC1)
        out.append(0xFB)
        out += struct.pack(">d", value)
    elif isinstance(value, int):
        _head(out, 0 if value >= 0 else 1, value if value >= 0 else -1 - value)
    elif isinstance(value, str):
        data = value.encode("utf-8", "replace")
        _head(out, 3, len(data))
        out += data
    elif isinstance(value, (bytes, bytearray)):
        _head(out, 2, len(value))
        out += value
    elif isinstance(value, dict):
        _head(out, 5, len(value))
        for key, item in value.items():
            _write(out, key)
            _write(out, item)
    else:
        _head(out, 4, len(value))
        for item in value:
            _write(out, item)


# -- shapes ------------------------------------------------------------------------------------------------------------
def _read_blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise wrong_type(value, "blob")
    return value


def _read_time(value: Any) -> Any:
    if type(value) not in (Time, int, float):
        raise wrong_type(value, "timestamp")
    return scalars.from_epoch(value)


def _read_float(value: Any) -> float:
    if type(value) not in (int, float):
        raise wrong_type(value, "double")
    return float(value)


def _reader(shape: Shape) -> Turn:
    kind = shape.type_name
    if kind in ("integer", "long"):
        return integer_reader(kind)
    return {"float": _read_float, "double": _read_float, "boolean": read_boolean, "blob": _read_blob,
            "timestamp": _read_time}.get(kind, read_string)


def _writer(shape: Shape) -> Turn | None:
    writers: dict[str, Turn] = {"float": float, "double": float, "blob": scalars.as_bytes,
                                "integer": write_integer, "long": write_integer,
                                "timestamp": lambda value: Time(scalars.write_number_time(value))}
    return writers.get(shape.type_name)


@functools.cache
def trees(service_model: ServiceModel) -> Trees:
    """The compiled CBOR codecs of a service."""
    return Trees(Form(_reader, _writer, renamed=False))
