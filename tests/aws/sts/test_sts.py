"""STS: who calls, who may assume what, and for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROOT = "arn:aws:iam::123456789012:root"


def trust(principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"], **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def ann(desk):  # noqa: ANN001, ANN201
    desk.iam("CreateUser", UserName="ann")
    return desk.as_key(desk.iam("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"])


def make_role(desk, document: str, **more: Any) -> str:  # noqa: ANN001
    return desk.iam("CreateRole", RoleName="train", AssumeRolePolicyDocument=document, **more)["Role"]["Arn"]


def test_a_role_session_is_who_it_says(desk, ann) -> None:  # noqa: ANN001
    arn = make_role(desk, trust({"AWS": ROOT}))
    answer = ann.sts("AssumeRole", RoleArn=arn, RoleSessionName="s1")
    session = ann.as_key(answer["Credentials"]["AccessKeyId"])
    who = session.sts("GetCallerIdentity")
    assert who == {"Account": "123456789012", "Arn": answer["AssumedRoleUser"]["Arn"],
                   "UserId": answer["AssumedRoleUser"]["AssumedRoleId"]}
    assert who["Arn"] == "arn:aws:sts::123456789012:assumed-role/train/s1"


@pytest.mark.parametrize("document, more, allowed", [
    (trust({"AWS": ROOT}), {}, True),
    (trust({"AWS": "arn:aws:iam::123456789012:user/ann"}), {}, True),
    (trust({"AWS": "arn:aws:iam::123456789012:user/bob"}), {}, False),
    (trust({"Service": "sagemaker.amazonaws.com"}), {}, False),
    (trust({"AWS": ROOT}, Condition={"StringEquals": {"sts:ExternalId": "x1"}}), {"ExternalId": "x1"}, True),
    (trust({"AWS": ROOT}, Condition={"StringEquals": {"sts:ExternalId": "x1"}}), {"ExternalId": "x2"}, False),
    (trust({"AWS": ROOT}, Condition={"StringEquals": {"sts:ExternalId": "x1"}}), {}, False),
    (trust({"AWS": ROOT}), {"SourceIdentity": "ann"}, False),
    (trust({"AWS": ROOT}), {"Tags": [{"Key": "team", "Value": "a"}]}, True),
    (trust({"AWS": ROOT}, Condition={"StringEquals": {"aws:RequestTag/team": "a"}}),
     {"Tags": [{"Key": "team", "Value": "b"}]}, False),
])
def test_the_trust_policy_decides(desk, ann, document: str, more: dict, allowed: bool) -> None:  # noqa: ANN001
    arn = make_role(desk, document)
    if allowed:
        assert ann.sts("AssumeRole", RoleArn=arn, RoleSessionName="session", **more)["Credentials"]["SessionToken"]
    else:
        error = ann.refused("sts", "AssumeRole", RoleArn=arn, RoleSessionName="session", **more)
        assert (error.code, error.status) == ("AccessDenied", 403)
        assert error.message == ("User: arn:aws:iam::123456789012:user/ann is not authorized to perform: "
                                 f"sts:AssumeRole on resource: {arn}")


def test_a_missing_role_reads_like_a_forbidden_one(ann) -> None:  # noqa: ANN001
    arn = "arn:aws:iam::123456789012:role/none"
    assert ann.refused("sts", "AssumeRole", RoleArn=arn, RoleSessionName="s1").code == "AccessDenied"


def test_durations_are_limited_by_role_and_by_chaining(desk, ann) -> None:  # noqa: ANN001
    arn = make_role(desk, trust({"AWS": ROOT}), MaxSessionDuration=7200)
    ask = {"RoleArn": arn, "RoleSessionName": "s1"}
    assert "MaxSessionDuration" in ann.refused("sts", "AssumeRole", DurationSeconds=7201, **ask).message
    made = ann.sts("AssumeRole", DurationSeconds=7200, **ask)["Credentials"]
    assert made["Expiration"] == int(desk.world.clock.now()) + 7200
    chained = ann.as_key(made["AccessKeyId"])
    assert "role chaining" in chained.refused("sts", "AssumeRole", DurationSeconds=7200, **ask).message
    chained.sts("AssumeRole", DurationSeconds=3600, **ask)


def test_sessions_cannot_ask_for_session_tokens(desk, ann) -> None:  # noqa: ANN001
    session = ann.as_key(ann.sts("GetSessionToken")["Credentials"]["AccessKeyId"])
    assert session.sts("GetCallerIdentity")["Arn"] == "arn:aws:iam::123456789012:user/ann"
    assert session.refused("sts", "GetSessionToken").message == "Cannot call GetSessionToken with session credentials"
    assert session.refused("sts", "GetFederationToken", Name="bob").code == "AccessDenied"


def test_a_federated_user_has_a_name_of_its_own(ann) -> None:  # noqa: ANN001
    answer = ann.sts("GetFederationToken", Name="bob", Policy='{"Statement":[]}')
    who = ann.as_key(answer["Credentials"]["AccessKeyId"]).sts("GetCallerIdentity")
    assert who["Arn"] == answer["FederatedUser"]["Arn"] == "arn:aws:sts::123456789012:federated-user/bob"
    assert answer["PackedPolicySize"] > 0


def test_the_profile_of_the_execution_role_can_assume_it(desk) -> None:  # noqa: ANN001
    from sagewright.aws.iam import accounts

    profile = desk.as_key(accounts.credentials(desk.world)["role"][0])
    assert profile.sts("AssumeRole", RoleArn=desk.world.config.role_arn, RoleSessionName="s1")["Credentials"]


def test_transitive_tags_stay_in_the_chain(desk, ann) -> None:  # noqa: ANN001
    arn = make_role(desk, trust({"AWS": ROOT}))
    ask = {"RoleArn": arn, "RoleSessionName": "s1"}
    made = ann.sts("AssumeRole", Tags=[{"Key": "team", "Value": "a"}], TransitiveTagKeys=["team"], **ask)
    first = ann.as_key(made["Credentials"]["AccessKeyId"])
    second = first.as_key(first.sts("AssumeRole", **ask)["Credentials"]["AccessKeyId"])
    assert second.principal.session["tags"] == {"team": "a"}
    error = first.refused("sts", "AssumeRole", Tags=[{"Key": "team", "Value": "b"}], **ask)
    assert "transitive" in error.message


def test_keys_tell_their_account(desk, ann) -> None:  # noqa: ANN001
    assert desk.sts("GetAccessKeyInfo", AccessKeyId=ann.principal.access_key) == {"Account": "123456789012"}
    assert desk.refused("sts", "GetAccessKeyInfo", AccessKeyId="AKIANOBODYKNOWSTHIS1").code == "ValidationError"


@pytest.mark.parametrize("operation, params, code", [
    ("AssumeRoleWithWebIdentity", {"RoleArn": "r", "RoleSessionName": "s", "WebIdentityToken": "x"},
     "InvalidIdentityToken"),
    ("AssumeRoleWithSAML", {"RoleArn": "r", "PrincipalArn": "p", "SAMLAssertion": "x"}, "InvalidIdentityToken"),
    ("DecodeAuthorizationMessage", {"EncodedMessage": "x"}, "InvalidAuthorizationMessageException"),
])
def test_what_cannot_be_is_refused(desk, operation: str, params: dict, code: str) -> None:  # noqa: ANN001
    assert desk.refused("sts", operation, **params).code == code
