"""A world with the logs in it, and a caller that goes through dispatch without the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.aws.logs.service import SERVICE, boot
from sagewright.core.client import Callers
from sagewright.core.clock import FakeClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch
from sagewright.core.store import Store
from sagewright.core.tables import METADATA
from sagewright.core.world import World

Ask = Callable[..., dict[str, Any]]


def make_world(folder: Path, clock: FakeClock | None = None) -> World:
    clock = clock or FakeClock()
    store = Store(f"sqlite:///{folder / 'store.db'}", clock)
    METADATA.create_all(store.db.engine)
    world = World(Config(data_dir=folder), clock, store)
    boot(world)
    return world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path)
    yield world
    world.parts["logs"].close()
    world.store.close()


@pytest.fixture
def ask(world: World) -> Ask:
    """`ask("PutLogEvents", logGroupName=...)`."""
    caller = Callers(world, Dispatch([SERVICE])).as_root("123456789012", "us-west-2")
    return lambda operation, **params: caller.call("logs", operation, **params)


@pytest.fixture
def stream(ask: Ask) -> dict[str, str]:
    """The names of a group and a stream that exist."""
    ask("CreateLogGroup", logGroupName="group")
    ask("CreateLogStream", logGroupName="group", logStreamName="stream")
    return {"logGroupName": "group", "logStreamName": "stream"}
