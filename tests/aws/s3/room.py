"""Opens an S3 room on a directory and calls its handlers as some account; used by fixtures and by killed processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagewright.aws.s3.service import SERVICE
from sagewright.core.call import Call, Principal
from sagewright.core.clock import SystemClock
from sagewright.core.config import Config
from sagewright.core.store import Store
from sagewright.core.tables import METADATA
from sagewright.core.world import World

ACCOUNT = "123456789012"


def open_world(folder: Path, url: str = "") -> World:
    """A world with nothing but S3 in it, on SQLite or the database of that URL."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(url or f"sqlite:///{folder / 'sagewright.db'}", SystemClock())
    METADATA.create_all(store.db.engine)
    world = World(Config(data_dir=folder), SystemClock(), store)
    assert SERVICE.boot is not None
    SERVICE.boot(world)
    return world


@dataclass
class Room:
    """`room.put_object(Bucket=..., Key=..., Body=...)`; `last` is the call that was made last."""

    world: World
    account: str = ACCOUNT
    last: Call | None = None

    def __getattr__(self, operation: str) -> Any:
        handler = SERVICE.operations[operation]

        def ask(**params: Any) -> dict[str, Any]:
            arn = f"arn:aws:iam::{self.account}:root" if self.account.isdigit() else self.account
            who = Principal(self.account, arn, self.account)
            name = "".join(part.capitalize() for part in operation.split("_"))
            self.last = Call(self.world, "s3", name, "us-east-1", self.account, who, params)
            return handler(self.last) or {}

        return ask

    def body(self, **params: Any) -> bytes:
        """The bytes of an object."""
        found = self.get_object(**params)["Body"]
        return found if isinstance(found, bytes) else b"".join(found)
