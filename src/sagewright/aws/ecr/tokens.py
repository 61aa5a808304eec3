"""Registry passwords: what GetAuthorizationToken gives out and a registry can check without asking anybody.

A password is a claim (who, which account, until when) and a signature over it under a secret of this server, kept in
the store. Called by operations.py (`issue`) and by a registry (`check`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from sagewright.core.call import Principal
from sagewright.core.errors import Conflict
from sagewright.core.store import Row
from sagewright.core.world import World

SECONDS = 12 * 3600
_SECRET = "ecr:TokenSecret"


@dataclass(frozen=True)
class Claim:
    """Whom a password stands for, and until when (seconds since the epoch)."""

    account: str
    arn: str
    expires: int


def issue(world: World, principal: Principal) -> tuple[str, int]:
    """(password, expiry) for the user name AWS."""
    expires = int(world.clock.now()) + SECONDS
    claim = json.dumps([principal.account, principal.arn, expires], separators=(",", ":")).encode()
    return f"{_text(claim)}.{_text(_sign(world, claim))}", expires


def check(world: World, password: str) -> Claim | None:
    """The claim of a password that is ours and has not expired, or None."""
    try:
        claim, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in password.split("."))
    except ValueError:
        return None
    if not hmac.compare_digest(_sign(world, claim), signature):
        return None
    found = Claim(*json.loads(claim))
    return found if found.expires > world.clock.now() else None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(world: World, claim: bytes) -> bytes:
    return hmac.digest(_secret(world), claim, hashlib.sha256)


def _secret(world: World) -> bytes:
    """The server's secret, made on first use; it belongs to no account."""
    row = world.store.get(_SECRET, "", "", "tokens")
    if row is None:
        made = Row(_SECRET, "", "", "tokens", "arn:aws:ecr:::token-secret", {}, work={"secret": secrets.token_hex(32)})
        try:
            row = world.store.insert(made)
        except Conflict:
            return _secret(world)
    return bytes.fromhex(row.work["secret"])
