"""An S3 room without a gateway, and buckets of their own for tests over the gateway."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.aws.s3 import content
from sagewright.core.world import World

from .room import Room, open_world

_numbers = itertools.count()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Handlers called directly, as the account that owns everything."""
    world = open_world(tmp_path)
    yield Room(world)
    world.store.close()


@pytest.fixture
def blobs(room: Room) -> Callable[[], set[str]]:
    """The names of all blob files on disk."""
    return lambda: files_on_disk(room.world)


def files_on_disk(world: World) -> set[str]:
    """The names of all blob files of a world."""
    return {path.name for path in content.files(world).root.glob("*/*")}


@pytest.fixture
def s3(live: Any) -> Any:
    """A boto3 client over the gateway."""
    return live.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new bucket."""
    name = f"test-bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    return name
