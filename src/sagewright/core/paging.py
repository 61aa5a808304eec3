"""Opaque page tokens: the sort value and id of the last row, so that a page costs the same wherever it lies."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from sagewright.core.errors import AwsError


def encode(*values: Any) -> str:
    """A token that `decode` turns back into these values."""
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(token: str, kind: type | tuple[type, ...] = (str, int, float)) -> Any:
    """The values of a token whose first is of that kind; ValidationException for one that we did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or len(values) != 2 or not isinstance(values[0], kind) \
            or not all(_storable(value) for value in values) or type(values[1]) is not int:
        raise AwsError("ValidationException", "Invalid NextToken.")
    return tuple(values)


def _storable(value: Any) -> bool:
    """Whether a database can compare with it: hostile tokens hold numbers and texts that none can."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return type(value) in (int, float) and abs(value) < 2**63
