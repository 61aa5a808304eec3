"""Checking instance types as requests name them."""

from __future__ import annotations

from sagewright.core.errors import validation
from sagewright.engine import instances


def check(name: str) -> None:
    """Raise where the instance type is none that the engine knows."""
    if instances.find(name) is None:
        raise validation(f"The instance type {name} is not available.")
