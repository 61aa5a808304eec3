"""The client environments, for every test of this folder."""

from __future__ import annotations

from tests.sdk.clients import cli, home, sdk2, sdk3

__all__ = ["cli", "home", "sdk2", "sdk3"]
