"""A call: one request on its way through the chain, and who makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sagewright.core.http import Request

if TYPE_CHECKING:
    from sagewright.core.world import World


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed the request.

    `arn` is what GetCallerIdentity answers (`arn:aws:iam::A:root`, `...:user/NAME`,
    `arn:aws:sts::A:assumed-role/ROLE/SESSION`); `user_id` its unique id; `access_key` the key id that signed.
    `policy_arn` is the identity whose policies count (the role's ARN for an assumed role).
    """

    account: str
    arn: str
    user_id: str
    access_key: str = ""
    policy_arn: str = ""
    session: dict[str, Any] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")


ANONYMOUS = Principal(account="anonymous", arn="anonymous", user_id="anonymous")


@dataclass(slots=True)
class Call:
    """One operation asked for by one principal.

    `params` is the request with AWS's own names. `http` is the raw request (streaming bodies arrive in `params`).
    A handler may set `reply_status` or add to `reply_headers` where the model cannot say it (304, 206, redirects).
    `hold` = (arn, status, moving states) lets the gateway hold the answer until that resource has moved on.
    """

    world: World
    service: str
    operation: str
    region: str
    account: str
    principal: Principal
    params: dict[str, Any]
    request_id: str = ""
    http: Request | None = None
    reply_status: int | None = None
    reply_headers: dict[str, str] = field(default_factory=dict)
    hold: tuple[str, str, frozenset[str]] | None = None

    @property
    def store(self):  # noqa: ANN201 - Store lives in core.store, imported lazily to keep this module a leaf
        return self.world.store

    @property
    def now(self) -> float:
        return self.world.clock.now()
