"""A world with metrics in it, and a caller that goes through dispatch without the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.aws.cloudwatch.service import SERVICE, boot
from sagewright.core.client import Callers
from sagewright.core.clock import FakeClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch
from sagewright.core.store import Store
from sagewright.core.tables import METADATA
from sagewright.core.world import World

ACCOUNT, REGION = "123456789012", "us-west-2"


def make_world(folder: Path) -> World:
    clock = FakeClock(1_700_000_040.0)  # a whole minute
    store = Store(f"sqlite:///{folder / 'store.db'}", clock)
    METADATA.create_all(store.db.engine)
    world = World(Config(data_dir=folder), clock, store)
    boot(world)
    return world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path)
    yield world
    world.parts["metrics"].close()
    world.store.close()


@pytest.fixture
def ask(world: World) -> Callable[..., dict[str, Any]]:
    """`ask("PutMetricData", Namespace=...)`."""
    caller = Callers(world, Dispatch([SERVICE])).as_root(ACCOUNT, REGION)
    return lambda operation, **params: caller.call("cloudwatch", operation, **params)
