"""Random identifiers in the shapes AWS uses."""

from __future__ import annotations

import secrets
import uuid

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"


def request_id() -> str:
    """A request id as the JSON services send it."""
    return str(uuid.uuid4())


def iam_id(prefix: str) -> str:
    """An IAM unique id: AIDA..., AROA..., AKIA..., ASIA... (prefix plus 16 or 17 characters)."""
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(20 - len(prefix)))


def short(length: int = 12) -> str:
    """Lower-case letters and digits, as in domain and instance ids."""
    return "".join(secrets.choice(_LOWER) for _ in range(length))
