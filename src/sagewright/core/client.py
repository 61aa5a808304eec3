"""Calling AWS operations from inside: how chapters create each other's resources, as the caller's role.

The call takes the same handlers as one that came over the wire, without the wire.
"""

from __future__ import annotations

from typing import Any

from sagewright.core import ids
from sagewright.core.arns import parse
from sagewright.core.call import Call, Principal
from sagewright.core.dispatch import Dispatch
from sagewright.core.world import World


class Direct:
    """A `Caller` in this process."""

    def __init__(self, world: World, dispatch: Dispatch, principal: Principal, region: str) -> None:
        self.world, self.dispatch, self.principal, self.region = world, dispatch, principal, region

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation by its model name, e.g. `call("s3", "HeadObject", Bucket=..., Key=...)`."""
        call = Call(world=self.world, service=service, operation=operation, region=self.region,
                    account=self.principal.account, principal=self.principal, params=params,
                    request_id=ids.request_id())
        return self.dispatch.invoke(call)


class Callers:
    """The `CallerFactory` of one server."""

    def __init__(self, world: World, dispatch: Dispatch) -> None:
        self.world, self.dispatch = world, dispatch

    def as_root(self, account: str, region: str) -> Direct:
        """Calls as the account's root."""
        arn = f"arn:{self.world.config.partition}:iam::{account}:root"
        return Direct(self.world, self.dispatch, Principal(account, arn, account), region)

    def as_role(self, role_arn: str, region: str, session_name: str = "SageMaker") -> Direct:
        """Calls as a role's session."""
        role = parse(role_arn)
        name = role.resource.rsplit("/", 1)[-1]
        arn = f"arn:{role.partition}:sts::{role.account}:assumed-role/{name}/{session_name}"
        principal = Principal(role.account, arn, f"{name}:{session_name}", policy_arn=role_arn)
        return Direct(self.world, self.dispatch, principal, region)
