"""The one error type. Its words are API: clients match codes and messages, so both come from AWS.

Handlers raise `AwsError`; controllers raise `Retry` or `Failed`; the store raises `Conflict` and friends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An error as AWS sends it: code, message, HTTP status, further members and headers."""

    def __init__(
        self,
        code: str,
        message: str = "",
        status: int = 400,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


def validation(message: str) -> AwsError:
    """A `ValidationException` with this message."""
    return AwsError("ValidationException", message)


class Retry(Exception):
    """Raised by a controller: the step could not be done now; try again after `after` seconds."""

    def __init__(self, reason: str, after: float = 1.0) -> None:
        super().__init__(reason)
        self.after = after


class Failed(Exception):
    """Raised by a controller: the resource can never reach its goal. The text becomes `FailureReason`."""


class Conflict(Exception):
    """The row changed since it was read, or a row of that name exists; read again and decide again."""


class Terminal(Exception):
    """A terminal row was about to change status; the store refuses that."""
