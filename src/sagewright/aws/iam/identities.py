"""Who is behind an access key, and temporary credentials: implements `core.seams.Identities`.

The gateway calls `lookup` for every signed request, so what it found stays in memory until a key, user or role changes.
Temporary credentials are rows: they survive a restart, can be withdrawn with their role, and cost one dictionary
lookup to verify. Called by the gateway, STS, the engine and this room's operations; calls the store.
"""

from __future__ import annotations

import base64
import secrets
import threading
from dataclasses import asdict, replace
from typing import Any

from sagewright.aws.iam import records
from sagewright.core import ids, policy
from sagewright.core.call import Principal
from sagewright.core.errors import AwsError, Conflict, validation
from sagewright.core.seams import Credentials
from sagewright.core.store import Row
from sagewright.core.tables import RESOURCES
from sagewright.core.world import World

SESSION = "iam:Session"
_LONGEST_SESSION = 36 * 3600
_MOST_REMEMBERED = 20_000
_SWEEP_EVERY = 256  # sessions issued between two removals of those that ended long ago
_USE_RECORDED_EVERY = 900.0

Known = tuple[str, Principal, Credentials | None]


def key_arn(access_key: str) -> str:
    """The name under which any access key is found, whatever account it belongs to."""
    return f"arn:aws:iam:::access-key/{access_key}"


def new_secret() -> str:
    """Forty characters, as AWS's secret access keys."""
    return base64.b64encode(secrets.token_bytes(30)).decode()


class Identities:
    """Access keys and sessions over the store, with the keys that the configuration allows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[str, Known] = {}
        self._generation = 0
        self._lock = threading.Lock()
        self._issued = 0
        self._used: dict[str, tuple[float, str, str]] = {}
        self._recorded: dict[str, float] = {}
        self._configured = dict(_configured(world))

    # -- access keys ------------------------------------------------------------------------------------------------
    def lookup(self, access_key: str) -> Known | None:
        """Secret, principal and, for temporary keys, the credentials (token and expiry); None for an unknown key."""
        known = self._known.get(access_key)
        if known is not None:
            return known
        generation = self._generation
        known = self._configured.get(access_key) or self._read(access_key)
        if known is not None:
            with self._lock:
                if generation == self._generation:
                    if len(self._known) >= _MOST_REMEMBERED:
                        self._known.clear()
                    self._known[access_key] = known
        return known

    def forget(self) -> None:
        """Read every key anew: called after any change of a key, user or role."""
        with self._lock:
            self._generation += 1
            self._known.clear()

    def used(self, access_key: str, service: str, region: str) -> None:
        """Remember a use of a long-term key for GetAccessKeyLastUsed; stored at most every 15 minutes."""
        if access_key.startswith("ASIA") or access_key in self._configured:
            return
        now = self._world.clock.now()
        self._used[access_key] = (now, service, region)
        if now - self._recorded.get(access_key, 0.0) < _USE_RECORDED_EVERY:
            return
        self._recorded[access_key] = now
        row = self._world.store.by_arn(key_arn(access_key))
        if row is None or row.kind != records.KEY:
            return
        try:
            self._world.store.update(row.with_(work={"LastUsed": self.last_use(access_key)}), durable=False)
        except Conflict:
            pass  # the key is being changed; a later use is recorded

    def last_use(self, access_key: str) -> dict[str, Any] | None:
        """The last use since the server started, as GetAccessKeyLastUsed answers it."""
        if access_key not in self._used:
            return None
        at, service, region = self._used[access_key]
        return {"LastUsedDate": int(at), "ServiceName": service, "Region": region}

    def _read(self, access_key: str) -> Known | None:
        row = self._world.store.by_arn(key_arn(access_key))
        if row is None:
            return None
        if row.kind == SESSION:
            principal = Principal(**{**row.body, "access_key": access_key})
            temporary = Credentials(access_key, row.work["secret"], row.work["token"], row.work["expires"])
            return temporary.secret_key, principal, temporary
        if row.kind != records.KEY or row.body["Status"] != "Active":
            return None
        owner = self._long_term(row)
        return (row.work["secret"], owner, None) if owner is not None else None

    def _long_term(self, row: Row) -> Principal | None:
        """Whom a long-term key stands for: an account root, a user, or the role of the profile that `up` writes."""
        account = row.work["account"]
        if row.work["as"] == "root":
            return root_of(self._world, account, row.name)
        entity = self._world.store.by_arn(row.owner)
        if row.work["as"] == "role":
            role_id = entity.body["RoleId"] if entity is not None else row.work["role_id"]
            return session_of(row.owner, role_id, row.work["session"], row.name)
        if entity is None:
            return None
        return Principal(account, entity.arn, entity.body["UserId"], row.name, entity.arn)

    # -- temporary credentials --------------------------------------------------------------------------------------
    def assume(self, role_arn: str, session_name: str, seconds: int = 3600, service: str = "") -> Credentials:
        """Credentials of a role for a service principal such as sagemaker.amazonaws.com.

        Raises ValidationException "Could not assume role ..." if the role is missing or does not trust it. Without a
        service the platform acts for the role itself, and only its existence is asked for.
        """
        role = self._world.store.by_arn(role_arn)
        if role is None or role.kind != records.ROLE.kind or (service and not _trusts(role, service)):
            raise validation(f"Could not assume role {role_arn}. Please ensure that the role exists and allows "
                             f"principal '{service or 'sagemaker.amazonaws.com'}' to assume the role.")
        return self.issue(session_of(role.arn, role.body["RoleId"], session_name), seconds)

    def issue(self, principal: Principal, seconds: int) -> Credentials:
        """Temporary credentials that stand for this principal, already authorised by the caller."""
        self._issued += 1
        if self._issued % _SWEEP_EVERY == 0:
            self.sweep()
        made = Credentials(ids.iam_id("ASIA"), new_secret(), base64.b64encode(secrets.token_bytes(150)).decode(),
                           float(int(self._world.clock.now()) + seconds))
        body = asdict(replace(principal, access_key=""))
        work = {"secret": made.secret_key, "token": made.token, "expires": made.expires}
        self._world.store.insert(Row(SESSION, "", "", made.access_key, key_arn(made.access_key), body,
                                     owner=principal.policy_arn or principal.arn, work=work))
        return made

    def withdraw(self, owner: str) -> None:
        """End every session of a role or user that is gone."""
        gone = RESOURCES.delete().where(RESOURCES.c.kind == SESSION, RESOURCES.c.owner == owner)
        self._world.store.write(lambda tx: tx.execute(gone))
        self.forget()

    def sweep(self) -> None:
        """Remove sessions older than the longest that can be asked for."""
        before = self._world.clock.now() - _LONGEST_SESSION
        ended = RESOURCES.delete().where(RESOURCES.c.kind == SESSION, RESOURCES.c.created < before)
        self._world.store.write(lambda tx: tx.execute(ended), durable=False)


def root_of(world: World, account: str, access_key: str = "") -> Principal:
    """The root principal of an account."""
    arn = f"arn:{world.config.partition}:iam::{account}:root"
    return Principal(account, arn, account, access_key, arn)


def session_of(role_arn: str, role_id: str, session_name: str, access_key: str = "",
               session: dict[str, Any] | None = None) -> Principal:
    """The principal of a role session."""
    _, partition, _, _, account, resource = role_arn.split(":", 5)
    name = resource.rsplit("/", 1)[-1]
    arn = f"arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}"
    return Principal(account, arn, f"{role_id}:{session_name}", access_key, role_arn, session or {})


def _trusts(role: Row, service: str) -> bool:
    try:
        trust = policy.statements(role.body["AssumeRolePolicyDocument"])
    except ValueError:
        return False
    context = {"aws:SourceAccount": role.account, "aws:PrincipalServiceName": service,
               "aws:PrincipalIsAWSService": True}
    return policy.evaluate(trust, "sts:AssumeRole", role.arn, context, policy.service(service)) == policy.ALLOW


def _configured(world: World) -> list[tuple[str, Known]]:
    """The `key:secret` or `key:secret:account` entries of the configuration, which act as root."""
    found = []
    for entry in world.config.allow_access_keys:
        key, _, secret = entry.partition(":")
        account = world.config.account
        if len(parts := secret.rsplit(":", 1)) == 2 and len(parts[1]) == 12 and parts[1].isdecimal():
            secret, account = parts
        if not key or not secret:
            raise AwsError("ValidationError", "allow_access_keys wants key:secret or key:secret:account entries")
        known: Known = (secret, root_of(world, account, key), None)
        found.append((key, known))
    return found
