"""Access keys, sessions and what an account is born with."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sagewright.aws.iam import accounts
from sagewright.core.errors import AwsError
from sagewright.core.world import World

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def test_an_account_is_born_with_root_key_role_and_profile_key(open_world: Callable[..., World]) -> None:
    world = open_world()
    keys = accounts.credentials(world)
    secret, root, temporary = world.parts["identities"].lookup(keys["root"][0])
    assert (secret, temporary, root.arn) == (keys["root"][1], None, "arn:aws:iam::123456789012:root")
    _, session, _ = world.parts["identities"].lookup(keys["role"][0])
    assert session.arn == "arn:aws:sts::123456789012:assumed-role/SageMakerRole/sagewright"
    assert session.policy_arn == world.config.role_arn
    assert session.user_id.endswith(":sagewright")


def test_keys_and_sessions_survive_a_restart(open_world: Callable[..., World]) -> None:
    world = open_world()
    keys = accounts.credentials(world)
    made = world.parts["identities"].assume(world.config.role_arn, "job", service="sagemaker.amazonaws.com")
    world.store.close()
    again = open_world()
    assert accounts.credentials(again) == keys
    secret, principal, temporary = again.parts["identities"].lookup(made.access_key)
    assert (secret, temporary) == (made.secret_key, made)
    assert principal.arn == "arn:aws:sts::123456789012:assumed-role/SageMakerRole/job"


def test_emptying_the_account_keeps_its_keys(open_world: Callable[..., World]) -> None:
    world = open_world()
    keys = accounts.credentials(world)
    world.store.clear(world.config.account)
    accounts.reset(world)
    identities = world.parts["identities"]
    assert identities.lookup(keys["root"][0])[0] == keys["root"][1]
    assert identities.lookup(keys["role"][0])[1].arn.endswith("assumed-role/SageMakerRole/sagewright")
    with pytest.raises(AwsError):
        identities.assume(world.config.role_arn, "job")
    assert accounts.credentials(world) == keys


def test_configured_keys_act_as_root_of_their_account(open_world: Callable[..., World]) -> None:
    world = open_world(allow_access_keys=("test:test", "OTHER:sec:ret:111111111111"))
    identities = world.parts["identities"]
    assert identities.lookup("test")[0] == "test"
    secret, principal, _ = identities.lookup("OTHER")
    assert (secret, principal.arn) == ("sec:ret", "arn:aws:iam::111111111111:root")


def test_other_accounts_have_their_own_root(open_world: Callable[..., World]) -> None:
    world = open_world()
    key, secret = accounts.create_account_root(world, "111111111111")
    assert accounts.create_account_root(world, "111111111111") == (key, secret)
    assert world.parts["identities"].lookup(key)[1].account == "111111111111"


def test_a_role_is_assumed_by_services_it_trusts(desk) -> None:  # noqa: ANN001
    identities = desk.world.parts["identities"]
    arn = desk.iam("CreateRole", RoleName="train", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    made = identities.assume(arn, "job-1", 900, "sagemaker.amazonaws.com")
    assert made.expires == int(desk.world.clock.now()) + 900
    for role, service in ((arn, "glue.amazonaws.com"), (arn + "x", "sagemaker.amazonaws.com")):
        with pytest.raises(AwsError, match=f"Could not assume role {role}. Please ensure that the role exists"):
            identities.assume(role, "job-1", service=service)


def test_keys_of_a_user_work_until_deactivated(desk) -> None:  # noqa: ANN001
    desk.iam("CreateUser", UserName="ann", Path="/lab/")
    key = desk.iam("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    identities = desk.world.parts["identities"]
    assert identities.lookup(key)[1].arn == "arn:aws:iam::123456789012:user/lab/ann"
    desk.iam("UpdateAccessKey", UserName="ann", AccessKeyId=key, Status="Inactive")
    assert identities.lookup(key) is None
    desk.iam("UpdateAccessKey", UserName="ann", AccessKeyId=key, Status="Active")
    desk.iam("UpdateUser", UserName="ann", NewUserName="anna")
    assert identities.lookup(key)[1].arn == "arn:aws:iam::123456789012:user/lab/anna"
    desk.iam("DeleteAccessKey", UserName="anna", AccessKeyId=key)
    assert identities.lookup(key) is None


def test_sessions_end_with_their_role(desk) -> None:  # noqa: ANN001
    identities = desk.world.parts["identities"]
    arn = desk.iam("CreateRole", RoleName="train", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    made = identities.assume(arn, "job-1")
    assert identities.lookup(made.access_key) is not None
    desk.iam("DeleteRole", RoleName="train")
    assert identities.lookup(made.access_key) is None


def test_sessions_that_ended_long_ago_are_swept(desk) -> None:  # noqa: ANN001
    identities = desk.world.parts["identities"]
    old = identities.assume(desk.world.config.role_arn, "old")
    desk.world.clock.sleep(40 * 3600)
    new = identities.assume(desk.world.config.role_arn, "new")
    identities.sweep()
    identities.forget()
    assert identities.lookup(old.access_key) is None
    assert identities.lookup(new.access_key) is not None


def test_the_last_use_of_a_key_is_recorded(desk) -> None:  # noqa: ANN001
    desk.iam("CreateUser", UserName="ann")
    key = desk.iam("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    assert desk.iam("GetAccessKeyLastUsed", AccessKeyId=key)["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    desk.world.parts["identities"].used(key, "s3", "us-west-2")
    used = desk.iam("GetAccessKeyLastUsed", AccessKeyId=key)["AccessKeyLastUsed"]
    assert used == {"LastUsedDate": int(desk.world.clock.now()), "ServiceName": "s3", "Region": "us-west-2"}
