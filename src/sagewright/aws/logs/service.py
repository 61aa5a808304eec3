"""CloudWatch Logs as the composition root sees it."""

from __future__ import annotations

from sagewright.aws.logs import evaluation, event_operations, filter_operations, operations, record_operations
from sagewright.aws.logs.part import Logs
from sagewright.core.service import Service, handlers
from sagewright.core.world import World


def boot(world: World) -> None:
    """Open the logs and publish them to the other rooms."""
    world.parts["logs"] = Logs(world, evaluation.to_metrics(world))


def reset(world: World) -> None:
    """Forget all streams and events."""
    world.parts["logs"].clear()


SERVICE = Service(
    aws="logs",
    operations=handlers(operations, event_operations, filter_operations, record_operations),
    boot=boot,
    reset=reset,
)
