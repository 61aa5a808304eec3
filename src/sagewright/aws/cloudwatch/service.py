"""CloudWatch as the composition root sees it."""

from __future__ import annotations

from sagewright.aws.cloudwatch import data_operations, query_operations, record_operations
from sagewright.aws.cloudwatch.part import Metrics
from sagewright.core.service import Service, handlers
from sagewright.core.world import World


def boot(world: World) -> None:
    """Open the metrics and publish them to the other rooms."""
    world.parts["metrics"] = Metrics(world)


def reset(world: World) -> None:
    """Forget all metrics."""
    world.parts["metrics"].clear()


SERVICE = Service(
    aws="cloudwatch",
    operations=handlers(data_operations, query_operations, record_operations),
    boot=boot,
    reset=reset,
)
