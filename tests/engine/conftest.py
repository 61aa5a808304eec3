"""Fixtures of the engine's tests; see `lab.py`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.lab import Lab
from tests.engine.tiny_aws import TinyAws


@pytest.fixture
def aws() -> Iterator[TinyAws]:
    server = TinyAws()
    yield server
    server.go_away()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory below one that only its owner can enter, as in a home directory."""
    top = Path(tempfile.mkdtemp(prefix="swengine"))
    yield top / "data"
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(params=["bwrap", "process"])
def lab(aws: TinyAws, data_dir: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """For every test of the engine: with both kinds of sandbox that need nothing but this machine."""
    if request.param == "bwrap" and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    made = Lab(aws, data_dir, request.param)
    yield made
    made.close()
