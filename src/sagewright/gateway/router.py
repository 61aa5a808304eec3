"""The endpoint router: which replica answers an invocation. Implements `core.seams.Router`; used by `invocations.py`.

Weights choose the variant per request; RANDOM or LEAST_OUTSTANDING_REQUESTS the replica. Every replica takes at most
`concurrency * QUEUE` requests at a time; beyond that callers get 503 at once instead of growing a queue without end.
A replica that refuses a connection is passed over for the next one.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from sagewright.core.errors import AwsError
from sagewright.core.seams import Target, Variant
from sagewright.gateway.upstream import Pool

QUEUE = 64


@dataclass
class Replica:
    """One target with its connections and the number of requests it is answering."""

    target: Target
    pool: Pool
    outstanding: int = 0

    @property
    def full(self) -> bool:
        return self.outstanding >= self.target.concurrency * QUEUE


@dataclass
class Group:
    """A variant with its replicas."""

    variant: Variant
    replicas: list[Replica] = field(default_factory=list)


class EndpointRouter:
    """Routes by endpoint ARN. `set` and `remove` come from controller threads, the rest from the event loop."""

    def __init__(self) -> None:
        self._groups: dict[str, list[Group]] = {}
        self._outstanding: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    # -- seams.Router -----------------------------------------------------------------------------------------
    def set(self, endpoint_arn: str, variants: Sequence[Variant]) -> None:
        """Route to these variants from now on; replicas that stay keep their connections and counts."""
        with self._lock:
            known = {r.target.replica: r for group in self._groups.get(endpoint_arn, ()) for r in group.replicas}
            self._groups[endpoint_arn] = [
                Group(variant, [self._replica(target, known.get(target.replica)) for target in variant.targets])
                for variant in variants]

    def remove(self, endpoint_arn: str) -> None:
        """Take the endpoint out."""
        with self._lock:
            self._groups.pop(endpoint_arn, None)

    def busy(self, endpoint_arn: str, replica: str) -> int:
        """Requests under way at that replica (also after it was taken out of a variant)."""
        return self._outstanding.get((endpoint_arn, replica), 0)

    # -- choosing -----------------------------------------------------------------------------------------------
    def choose(self, endpoint_arn: str, target_variant: str = "") -> Group:
        """The variant that answers this request; ValidationError for a variant or endpoint that is not there."""
        groups = self._groups.get(endpoint_arn)
        if not groups:
            raise KeyError(endpoint_arn)
        if target_variant:
            for group in groups:
                if group.variant.name == target_variant:
                    return group
            raise AwsError("ValidationError", f"Variant {target_variant} not found in endpoint "
                           f"{endpoint_arn.rsplit('/', 1)[-1]}.")
        if len(groups) == 1:
            return groups[0]
        total = sum(group.variant.weight for group in groups)
        if total <= 0:
            return random.choice(groups)
        return random.choices(groups, [group.variant.weight for group in groups])[0]

    def candidates(self, group: Group) -> list[Replica]:
        """Replicas with room, the preferred one first; ServiceUnavailable if all are full or none is there."""
        free = [replica for replica in group.replicas if not replica.full]
        if not free:
            raise AwsError("ServiceUnavailable", "The service is currently unavailable: every model server is busy.",
                           503)
        if group.variant.strategy == "LEAST_OUTSTANDING_REQUESTS":
            return sorted(free, key=lambda replica: replica.outstanding / replica.target.concurrency)
        if len(free) > 1:
            random.shuffle(free)
        return free

    def begin(self, endpoint_arn: str, replica: Replica) -> None:
        """Count a request in."""
        replica.outstanding += 1
        key = (endpoint_arn, replica.target.replica)
        self._outstanding[key] = self._outstanding.get(key, 0) + 1

    def end(self, endpoint_arn: str, replica: Replica) -> None:
        """Count a request out."""
        replica.outstanding -= 1
        key = (endpoint_arn, replica.target.replica)
        left = self._outstanding[key] - 1
        if left:
            self._outstanding[key] = left
        else:
            del self._outstanding[key]

    def _replica(self, target: Target, known: Replica | None) -> Replica:
        if known is not None and known.target.address == target.address:
            known.target = target
            return known
        return Replica(target, Pool(str(target.address["unix"])))
