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


def decode(token: str) -> Any:
    """The values of a token, or ValidationException for one that we did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if not isinstance(values, list) or len(values) != 2 or not isinstance(values[1], int) \
            or not isinstance(values[0], (str, int, float)):
        raise AwsError("ValidationException", "Invalid NextToken.")
    return tuple(values)
