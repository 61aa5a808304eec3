"""What an account is born with: root keys, the execution role, and the key of the profile that `up` writes.

Called at boot through `service.py`, by the command line (`credentials`) and by test hooks (`create_account_root`);
calls the store and publishes `world.parts["identities"]`.

A deliberate difference from AWS: the profile's key pair stands for a session of the execution role, yet never expires
and needs no session token, so that `sagemaker.get_execution_role()` finds its role on a fresh machine.
"""

from __future__ import annotations

import json
from typing import Any

from sagewright.aws.iam import identities, records
from sagewright.core import ids
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row
from sagewright.core.world import World

SESSION_NAME = "sagewright"
_INLINE = "FeatureStore"  # reading the offline store's tables, which SageMaker's SDK asks of a role
_POLICIES = ("AmazonSageMakerFullAccess", "AmazonS3FullAccess")


def boot(world: World) -> None:
    """Publish the identities and make what must exist: root key, execution role, profile key."""
    world.parts["identities"] = identities.Identities(world)
    credentials(world)


def reset(world: World) -> None:
    """Forget what is remembered of an account that is being emptied; its root and profile keys stay valid."""
    found = world.parts.get("identities")
    if found is not None:
        found.forget()


def credentials(world: World) -> dict[str, tuple[str, str]]:
    """(access key, secret) of the account's "root" and of the execution "role", made where missing."""
    config = world.config
    role = execution_role(world)
    return {"root": create_account_root(world, config.account),
            "role": _key(world, {"as": "role", "account": config.account, "session": SESSION_NAME,
                                 "role_id": role.body["RoleId"]}, owner=config.role_arn)}


def create_account_root(world: World, account: str) -> tuple[str, str]:
    """(access key, secret) of an account's root, made where missing: how further accounts come into being."""
    return _key(world, {"as": "root", "account": account}, owner=identities.root_of(world, account).arn)


def _key(world: World, work: dict[str, Any], owner: str) -> tuple[str, str]:
    """A key of the server itself: its row belongs to no account, so that emptying an account leaves it."""
    for row in world.store.children(owner, records.KEY):
        if row.account == "":
            return row.name, row.work["secret"]
    name, secret = ids.iam_id("AKIA"), identities.new_secret()
    body = {"AccessKeyId": name, "Status": "Active", "CreateDate": int(world.clock.now())}
    world.store.insert(Row(records.KEY, "", "", name, identities.key_arn(name), body, owner=owner,
                           work={**work, "secret": secret}))
    return name, secret


def execution_role(world: World) -> Row:
    """The execution role, made where missing."""
    config = world.config
    found = world.store.by_arn(config.role_arn)
    if found is not None:
        return found
    call = Call(world, "iam", "CreateRole", "", config.account, identities.root_of(world, config.account),
                {"Path": "/service-role/"})
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["sagemaker.amazonaws.com", "scheduler.amazonaws.com"]},
         "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": f"arn:{config.partition}:iam::{config.account}:root"},
         "Action": "sts:AssumeRole"}]}
    name = config.role_arn.rsplit("/", 1)[-1]
    members = {"AssumeRolePolicyDocument": json.dumps(trust), "MaxSessionDuration": 43200,
               "Description": "SageMaker execution role, created by sagewright up"}
    inline = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["glue:Get*", "athena:*"], "Resource": "*"}]}
    attached = [f"arn:{config.partition}:iam::aws:policy/{policy}" for policy in _POLICIES]
    try:
        return records.create(call, records.ROLE, name, members, {"attached": attached,
                                                                    "inline": {_INLINE: json.dumps(inline)}})
    except AwsError:  # a role of that name under another path: the user's own
        return records.find(call, records.ROLE, name)
