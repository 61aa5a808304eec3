"""An account without a gateway: the services' own handlers over a store in a temporary directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sagewright.aws.ecr.service import SERVICE as ECR
from sagewright.aws.iam.service import SERVICE as IAM
from sagewright.aws.kms.service import SERVICE as KMS
from sagewright.aws.sts.service import SERVICE as STS
from sagewright.core import model
from sagewright.core.call import Call, Principal
from sagewright.core.clock import FakeClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch
from sagewright.core.errors import AwsError
from sagewright.core.store import Store
from sagewright.core.tables import METADATA
from sagewright.core.world import World

ACCOUNT = "123456789012"
SERVICES = (IAM, STS, KMS, ECR)


@dataclass
class Desk:
    """Calls operations as one principal: `desk.iam("CreateUser", UserName="ann")`."""

    world: World
    dispatch: Dispatch
    principal: Principal
    region: str = "us-west-2"

    def __getattr__(self, service: str) -> Callable[..., dict[str, Any]]:
        def ask(operation: str, **params: Any) -> dict[str, Any]:
            model.operation(service, operation)
            call = Call(self.world, service, operation, self.region, self.principal.account, self.principal, params)
            return self.dispatch.invoke(call)

        return ask

    def refused(self, service: str, operation: str, **params: Any) -> AwsError:
        """The error that the operation must answer with."""
        with pytest.raises(AwsError) as caught:
            getattr(self, service)(operation, **params)
        return caught.value

    def as_key(self, access_key: str) -> Desk:
        """The same desk, signed with another key."""
        known = self.world.parts["identities"].lookup(access_key)
        assert known is not None, f"{access_key} is unknown"
        return Desk(self.world, self.dispatch, known[1], self.region)


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Opens (again) a world over the same data directory."""
    opened: list[World] = []

    def open_(**settings: Any) -> World:
        clock = FakeClock()
        store = Store(f"sqlite:///{tmp_path}/store.db", clock)
        store.write(lambda tx: METADATA.create_all(tx))
        world = World(Config(data_dir=tmp_path, account=ACCOUNT, **settings), clock, store)
        opened.append(world)
        for service in SERVICES:
            if service.boot is not None:
                service.boot(world)
        return world

    yield open_
    for world in opened:
        world.store.close()


@pytest.fixture
def desk(open_world: Callable[..., World]) -> Desk:
    """The account's root at its desk."""
    world = open_world()
    return Desk(world, Dispatch(SERVICES), Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT))
