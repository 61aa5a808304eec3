"""The composition root: the one place that imports every room and wires the tables together.

`build(config)` makes a server that is not listening yet; `Server.serve` listens until it is told to stop. Used by
`cli/serve.py` (the process that `sagewright up` starts), by tests and by benches.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagewright.core import arns, log
from sagewright.core.client import Callers
from sagewright.core.clock import Clock, SystemClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch
from sagewright.core.loop import Loop
from sagewright.core.migrate import migrate
from sagewright.core.nouns import Noun
from sagewright.core.seams import Credentials
from sagewright.core.service import Service
from sagewright.core.store import Row, Store
from sagewright.core.world import World
from sagewright.gateway.app import App
from sagewright.gateway.audit import CallLog
from sagewright.gateway.router import EndpointRouter
from sagewright.sagemaker import unsupported


def services() -> tuple[Service, ...]:
    """Every room, in the order in which they boot: identities first, since others create things as somebody."""
    from sagewright.aws.cloudwatch.service import SERVICE as CLOUDWATCH
    from sagewright.aws.ecr.service import SERVICE as ECR
    from sagewright.aws.iam.service import SERVICE as IAM
    from sagewright.aws.kms.service import SERVICE as KMS
    from sagewright.aws.logs.service import SERVICE as LOGS
    from sagewright.aws.s3.service import SERVICE as S3
    from sagewright.aws.sts.service import SERVICE as STS
    from sagewright.sagemaker import tags
    from sagewright.sagemaker.endpoints.service import SERVICE as ENDPOINTS
    from sagewright.sagemaker.training.service import SERVICE as TRAINING

    return (IAM, STS, S3, CLOUDWATCH, LOGS, KMS, ECR, TRAINING, ENDPOINTS, tags.SERVICE)


@dataclass
class Server:
    """A wired server. `close` stops the loop and flushes what is buffered; jobs and endpoints go on without it."""

    config: Config
    world: World
    dispatch: Dispatch
    loop: Loop
    app: App
    closing: list[Callable[[], None]] = field(default_factory=list)

    def serve(self, ready: Callable[[], None] = lambda: None, sockets: Any = None) -> None:
        """Listen until SIGTERM or SIGINT."""
        from sagewright.gateway.server import serve

        try:
            serve(self.app, self.config, ready, front=self.world.parts.get("front"), sockets=sockets)
        finally:
            self.close()

    def close(self) -> None:
        """Stop the loop, flush logs and metrics, close the store."""
        self.loop.stop()
        for name in ("engine", "metrics", "logs", "call_log"):
            close = getattr(self.world.parts.get(name), "close", None)
            if close is not None:
                close()
        self.world.store.close()


def build(config: Config, clock: Clock | None = None) -> Server:
    """Open the data directory, migrate, boot every room and start the loop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    config.data_dir.chmod(0o700)  # keys, objects and the database are nobody else's business
    clock = clock or SystemClock()
    rooms = services()
    store = Store(config.database_url or f"sqlite:///{config.data_dir / 'sagewright.db'}", clock)
    migrate(store.db)
    world = World(config, clock, store)
    dispatch = Dispatch(rooms, {"sagemaker": unsupported.unsupported})
    world.aws = Callers(world, dispatch)
    world.parts.update(router=EndpointRouter(), call_log=CallLog(config.data_dir / "calls"))
    for room in rooms:
        if room.boot is not None:
            room.boot(world)
    _equip(world)
    controllers = {kind: reconcile for room in rooms for kind, reconcile in room.controllers.items()}
    nouns = {noun.name: noun for room in rooms for noun in room.nouns}
    loop = Loop(world, controllers, _failing(nouns))
    _watch_engine(world, loop)
    loop.start()
    return Server(config, world, dispatch, loop, App(world, dispatch, _resetting(world, rooms)))


def _equip(world: World) -> None:
    """Images, engine and the TLS and CONNECT front."""
    from sagewright.engine.local import LocalEngine
    from sagewright.gateway.certificates import proxy_environment
    from sagewright.gateway.proxy import front_for
    from sagewright.images.shelf import Shelf

    config, identities = world.config, world.parts["identities"]
    cache = Path(os.environ.get("SAGEWRIGHT_ENV_CACHE") or config.data_dir / "envs")
    shelf = Shelf(cache, config.image_policy)

    def credentials_for(role_arn: str) -> Credentials:
        found: Credentials = identities.assume(role_arn or config.role_arn, "SageMaker", 12 * 3600,
                                               "sagemaker.amazonaws.com")
        return found

    front = front_for(config)
    job_environment = proxy_environment(config.data_dir, front.url)
    world.parts.update(images=shelf, front=front, engine=LocalEngine(
        config.data_dir, config, world.clock, shelf, credentials_for, job_environment))


def _failing(nouns: dict[str, Noun]) -> Callable[[Row, World, str], None]:
    """How a row ends whose controller raised `Failed`."""

    def fail(row: Row, world: World, reason: str) -> None:
        terminal = "Failed" in nouns[row.kind].terminal
        world.store.update(row.with_(status="Failed", terminal=terminal, body={"FailureReason": reason[:1024]}))

    return fail


def _watch_engine(world: World, loop: Loop) -> None:
    """A sandbox's change wakes the job or endpoint that it belongs to (the first two parts of its plan's name)."""
    engine = world.parts.get("engine")
    if engine is None:
        return

    def changed(plan_arn: str) -> None:
        arn = arns.parse(plan_arn)
        owner = "/".join(arn.resource.split("/")[:2])
        loop.wake(arns.make(arn.service, arn.region, arn.account, owner))

    engine.watch(changed)


def _resetting(world: World, rooms: tuple[Service, ...]) -> Callable[[bool], None]:
    """The test hook that empties an account: what runs is stopped, what is stored is gone.

    What an account is born with is made again, unless `bare`: some suites count every role.
    """
    from sagewright.aws.iam import accounts

    def reset(bare: bool = False) -> None:
        engine = world.parts.get("engine")
        if engine is not None:
            engine.reset()
        world.store.clear(world.config.account)
        for room in rooms:
            if room.reset is not None:
                room.reset(world)
        for room in rooms:
            if room.boot is not None and room.reset is None:
                room.boot(world)
        if not bare:
            accounts.credentials(world)
        log.say("account emptied", account=world.config.account)

    return reset
