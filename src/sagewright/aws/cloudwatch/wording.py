"""CloudWatch's errors in its own words, and its times. Called by the operation modules."""

from __future__ import annotations

from typing import Any

from sagewright.core.errors import AwsError


def invalid_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


def validation_error(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def seconds(value: Any) -> float:
    """A time of a request as seconds since the epoch."""
    return float(value.timestamp()) if hasattr(value, "timestamp") else float(value)
