"""Everything a handler or controller may reach, in one value, so that nothing is threaded by hand.

Only `cli/assembly.py` (and tests) build a World.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sagewright.core.clock import Clock
from sagewright.core.config import Config

if TYPE_CHECKING:
    from sagewright.core.store import Store


class Caller(Protocol):
    """Calls AWS operations by boto3 method name, as some principal: chapters compose through this, as AWS does."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]: ...


class CallerFactory(Protocol):
    """Gives a `Caller` that acts as the account's root or as a role of the account."""

    def as_root(self, account: str, region: str) -> Caller: ...
    def as_role(self, role_arn: str, region: str, session_name: str = "SageMaker") -> Caller: ...


@dataclass
class World:
    """config, clock, store, aws (callers), and the rooms' shared objects by name (engine, images, blobs, logs...).

    `parts` holds what a room publishes for others through the composition root, under the room's name; its type is
    a Protocol in core (core/seams.py), so that rooms never import one another.
    """

    config: Config
    clock: Clock
    store: Store
    aws: CallerFactory | None = None
    parts: dict[str, Any] = field(default_factory=dict)
