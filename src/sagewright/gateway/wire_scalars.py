"""Scalar values on the wire: times, numbers, blobs, and what AWS says when one has the wrong type.

Called by the `wire_*` files and `eventstream`; calls nothing of ours. Readers raise `Unreadable`, which `wire.read`
turns into the error code that the protocol uses for it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from sagewright.core.model import Shape

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Integer members are 32 bits wide, long members 64: AWS reads a larger number as one that its range check refuses.
LIMITS = {"integer": 2**31 - 1, "long": 2**63 - 1}
_ARTICLES = {"integer": "an Integer", "long": "a Long", "float": "a Float", "double": "a Double",
             "boolean": "a Boolean", "string": "a String", "character": "a String", "blob": "a Blob",
             "timestamp": "milliseconds since epoch", "bigdecimal": "a BigDecimal"}
_NAMED_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Unreadable(Exception):
    """The request's body or a value in it cannot be read as what the model says; the text is AWS's, or empty."""


class BadArgument(Unreadable):
    """A query parameter or header that cannot be read as what the model says."""

    def __init__(self, reason: str, name: str, value: str) -> None:
        super().__init__(reason)
        self.name = name
        self.value = value


def wrong_type(value: Any, wanted: str) -> Unreadable:
    """AWS's words for a value of another JSON type than the member has."""
    if isinstance(value, dict):
        return Unreadable("Start of structure or map found where not expected.")
    if isinstance(value, (list, tuple)):
        return Unreadable("Start of list found where not expected")
    if wanted in ("list", "map", "structure"):
        return Unreadable("Expected null" if wanted == "structure" else f"Expected {wanted} or null")
    token = {str: "STRING_VALUE", bool: f"{str(value).upper()}_VALUE", bytes: "BLOB_VALUE"}.get(
        type(value), "NUMBER_VALUE")
    return Unreadable(f"{token} can not be converted to {_ARTICLES.get(wanted, 'a String')}")


# -- times -------------------------------------------------------------------------------------------------------
def from_epoch(seconds: float) -> datetime:
    """An aware UTC datetime."""
    try:
        return EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError) as broken:
        raise Unreadable("NUMBER_VALUE can not be converted to milliseconds since epoch") from broken


def to_epoch(value: Any) -> float:
    """Seconds since the epoch of a datetime or a number."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - EPOCH) / timedelta(seconds=1)
    return float(value)


def read_time(text: str) -> datetime:
    """A time in any of the three formats; clients disagree with the model often enough that AWS reads them all."""
    try:
        return from_epoch(float(text))
    except ValueError:
        pass
    try:
        if text[:1].isdigit():
            parsed = datetime.fromisoformat(text)
        else:
            parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError) as broken:
        raise Unreadable(f"{text!r} is not a timestamp") from broken
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as broken:
        raise Unreadable(f"{text!r} is not a timestamp") from broken


def write_number_time(value: Any) -> int | float:
    """Epoch seconds to the millisecond, whole where they are whole."""
    seconds = round(to_epoch(value), 3)
    whole = int(seconds)
    return whole if whole == seconds else seconds


@functools.lru_cache(maxsize=16384)
def _iso_seconds(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def write_iso(value: Any, always_millis: bool = False) -> str:
    """ISO 8601 in UTC, with milliseconds where there are any."""
    seconds, millis = divmod(round(to_epoch(value) * 1000), 1000)
    fraction = f".{millis:03d}" if always_millis or millis else ""
    return f"{_iso_seconds(seconds)}{fraction}Z"


def write_http_date(value: Any) -> str:
    """RFC 822 in GMT, whole seconds: what HTTP headers carry."""
    return _http_date(math.floor(to_epoch(value)))


@functools.lru_cache(maxsize=16384)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def time_writer(shape: Shape, default: str, always_millis: bool = False) -> Callable[[Any], Any]:
    """How this shape's times are written: by its `timestampFormat`, else the protocol's default."""
    form = str(shape.serialization.get("timestampFormat") or default).lower()
    if form == "unixtimestamp":
        return write_number_time
    if form == "rfc822":
        return write_http_date
    return functools.partial(write_iso, always_millis=always_millis)


# -- blobs and numbers -------------------------------------------------------------------------------------------
def read_base64(value: Any) -> bytes:
    """A blob from its base64 text."""
    if not isinstance(value, str):
        raise wrong_type(value, "blob")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as broken:
        raise Unreadable(f"'{value[:100]}' can not be converted to a Blob: it is not Base64") from broken


def as_bytes(value: Any) -> bytes:
    """A blob that a handler gave as bytes or text."""
    return value.encode() if isinstance(value, str) else bytes(value)


def write_base64(value: Any) -> str:
    """The base64 text of a blob."""
    return base64.b64encode(as_bytes(value)).decode("ascii")


def clamp(value: int, kind: str) -> int:
    """The number, or the largest (smallest) that its type holds."""
    limit = LIMITS.get(kind, LIMITS["long"])
    return value if -limit - 1 <= value <= limit else (limit if value > 0 else -limit - 1)


def write_float(value: Any) -> Any:
    """A float as JSON can say it: the three that JSON lacks become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


# -- scalars as text (query strings, headers, labels, XML, form bodies) -----------------------------------------------
def _read_integer(text: str, kind: str) -> int:
    if len(text) > 40:
        raise wrong_type(text, kind)
    try:
        return clamp(int(text), kind)
    except ValueError as broken:
        raise wrong_type(text, kind) from broken


def read_float(text: str) -> float:
    """A float, with the three named ones."""
    if text in _NAMED_FLOATS:
        return _NAMED_FLOATS[text]
    try:
        number = float(text)
    except ValueError as broken:
        raise wrong_type(text, "double") from broken
    if not math.isfinite(number):
        raise wrong_type(text, "double")
    return number


def _read_boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower not in ("true", "false"):
        raise wrong_type(text, "boolean")
    return lower == "true"


def text_reader(shape: Shape) -> Callable[[str], Any]:
    """The function that reads this scalar shape from text."""
    kind = shape.type_name
    if kind in ("integer", "long"):
        return lambda text: _read_integer(text.strip(), kind)
    readers: dict[str, Callable[[str], Any]] = {
        "boolean": _read_boolean, "float": read_float, "double": read_float, "timestamp": read_time,
        "blob": read_base64}
    return readers.get(kind, str)


def text_writer(shape: Shape, time_format: str, always_millis: bool = False) -> Callable[[Any], str]:
    """The function that writes this scalar shape as text."""
    kind = shape.type_name
    if kind == "timestamp":
        write = time_writer(shape, time_format, always_millis)
        return lambda value: str(write(value))
    writers: dict[str, Callable[[Any], str]] = {
        "boolean": lambda value: "true" if value else "false",
        "float": lambda value: str(write_float(value)), "double": lambda value: str(write_float(value)),
        "blob": write_base64, "integer": lambda value: str(int(value)), "long": lambda value: str(int(value))}
    return writers.get(kind, str)


def read_json_value(text: str) -> Any:
    """A `jsonvalue` header: JSON in base64."""
    try:
        return json.loads(read_base64(text))
    except (ValueError, RecursionError) as broken:
        raise Unreadable("the header does not hold JSON in Base64") from broken


def write_json_value(value: Any) -> str:
    """JSON in base64, as a `jsonvalue` header carries it."""
    return write_base64(json.dumps(value, separators=(",", ":")))
