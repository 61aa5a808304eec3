"""Page tokens. GetLogEvents has two, `f/` and `b/` with 56 digits, which name a place between two events of a stream.

A client has reached an end when the token it gets back equals the one it sent, so a token is a function of the place
alone. Called by the operations.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from sagewright.aws.logs.events import TAIL, Event, Gap
from sagewright.core.errors import AwsError


def invalid() -> AwsError:
    """What AWS answers to a token that it did not give."""
    return AwsError("InvalidParameterException", "The specified nextToken is invalid.")


def digits(ts: int, seq: int, stream: int) -> str:
    """56 digits that name one event of the whole log: an event id."""
    return f"{ts:020d}{seq:018d}{stream:018d}"


def place(gap: Gap, forward: bool, stream: int) -> str:
    """The token of a place in a stream."""
    body = f"{gap[0] + 1:020d}{gap[1]:018d}{stream:010d}"
    return f"{'f' if forward else 'b'}/{body}{_check(body):08d}"


def parse_place(token: str, stream: int) -> tuple[Gap, bool]:
    """The place that a token names and whether it points forward; refuses a token of another stream."""
    way, _, body = token.partition("/")
    if way not in ("f", "b") or len(body) != 56 or not (body.isascii() and body.isdigit()):
        raise invalid()
    if int(body[48:]) != _check(body[:48]) or int(body[38:48]) != stream:
        raise invalid()
    return (int(body[:20]) - 1, int(body[20:38])), way == "f"


def around(events: list[Event], gap: Gap) -> tuple[Gap, Gap]:
    """The places before and after a page in time order; both are `gap` where the page is empty."""
    if not events:
        return gap, gap
    return (events[0].ts, events[0].seq), (events[-1].ts, events[-1].seq + 1)


def start_gap(from_head: bool, start: int) -> Gap:
    """Where a reader without a token begins."""
    return (start, 0) if from_head else TAIL


def opaque(question: Any, position: Any) -> str:
    """A token for every other listing: a position, and a check that the question stays the same."""
    text = json.dumps([_check(json.dumps(question, sort_keys=True)), position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def parse_opaque(token: str | None, question: Any) -> Any:
    """The position in a token made by `opaque` for the same question; None where there is no token."""
    if token is None:
        return None
    try:
        check, position = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise invalid() from None
    if check != _check(json.dumps(question, sort_keys=True)):
        raise invalid()
    return position


def _check(text: str) -> int:
    return zlib.crc32(text.encode()) % 10**8
