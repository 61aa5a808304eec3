"""The policy language: what applies, what wins, and what fails closed."""

from __future__ import annotations

import json

import pytest

from sagewright.core import conditions, policy, wildcards
from sagewright.core.call import ANONYMOUS, Principal

ARN = "arn:aws:s3:::data/team-a/part 1.csv"
ROLE = Principal("123456789012", "arn:aws:sts::123456789012:assumed-role/Train/job-1", "AROA1:job-1",
                 policy_arn="arn:aws:iam::123456789012:role/deep/Train")


def statement(effect: str = "Allow", action: object = "s3:GetObject", resource: object = "*", **more: object) -> dict:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize("pattern, text, fits", [
    ("*", "", True), ("", "", True), ("", "a", False), ("a*", "a", True), ("a*b*c", "a-b-b-c", True),
    ("a*b", "ab-c", False), ("*a*", "bab", True), ("a?c", "abc", True), ("a?c", "ac", False), ("?*?", "ab", True),
    ("?*?", "a", False), ("a.c", "abc", False), ("ab*ba", "aba", False), ("*aa", "aaa", True), ("a**b", "ab", True),
])
def test_wildcards_match_the_whole_text(pattern: str, text: str, fits: bool) -> None:
    assert wildcards.matches(pattern, text) is fits


def test_a_hostile_pattern_costs_no_exponential_time() -> None:
    assert not wildcards.matches("*a" * 2000 + "b", "a" * 20000)


@pytest.mark.parametrize("statements, answer", [
    ([], "implicit"),
    ([statement()], "allow"),
    ([statement(), statement("Deny")], "deny"),
    ([statement("Deny", "s3:Put*"), statement()], "allow"),
    ([statement(action="S3:getobject")], "allow"),
    ([statement(action=["s3:Put*", "s3:Get*"])], "allow"),
    ([statement(resource="arn:aws:s3:::data/*")], "allow"),
    ([statement(resource="arn:aws:s3:::DATA/*")], "implicit"),
    ([{"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}], "allow"),
    ([{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}], "implicit"),
    ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::data/*"}], "implicit"),
    ([statement(resource="arn:aws:s3:::data/${aws:PrincipalTag/team}/*")], "allow"),
    ([statement(resource="arn:aws:s3:::data/${aws:username}/*")], "implicit"),
    ([statement(resource="arn:aws:s3:::data/${aws:username, 'team-a'}/*")], "allow"),
])
def test_statements_decide(statements: list, answer: str) -> None:
    context = {"aws:PrincipalTag/team": "team-a"}
    assert policy.evaluate(statements, "s3:GetObject", ARN, context) == answer


def test_a_variable_cannot_smuggle_in_a_wildcard() -> None:
    found = policy.evaluate([statement(resource="arn:aws:s3:::data/${aws:username}/*")], "s3:GetObject", ARN,
                            {"aws:username": "*"})
    assert found == "implicit"


@pytest.mark.parametrize("block, holds", [
    ({"StringEquals": {"aws:username": "ann"}}, True),
    ({"StringEquals": {"AWS:UserName": ["bob", "ann"]}}, True),
    ({"StringEquals": {"aws:username": "Ann"}}, False),
    ({"StringEqualsIgnoreCase": {"aws:username": "Ann"}}, True),
    ({"StringNotEquals": {"aws:username": ["bob", "ann"]}}, False),
    ({"StringLike": {"aws:username": "a*"}}, True),
    ({"StringNotLike": {"aws:username": "b*"}}, True),
    ({"StringEquals": {"aws:missing": "x"}}, False),
    ({"StringNotEquals": {"aws:missing": "x"}}, True),
    ({"StringEqualsIfExists": {"aws:missing": "x"}}, True),
    ({"Null": {"aws:missing": "true", "aws:username": "false"}}, True),
    ({"Null": {"aws:username": "true"}}, False),
    ({"NumericLessThan": {"n": "10"}}, True),
    ({"NumericGreaterThanEquals": {"n": "9.5"}}, False),
    ({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, True),
    ({"Bool": {"aws:SecureTransport": "false"}}, True),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
    ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1/128"]}}, False),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*:1:training-job/*"}}, True),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:*:training-job/a"}}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}, True),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, False),
    ({"ForAllValues:StringEquals": {"aws:missing": ["a"]}}, True),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["b", "z"]}}, True),
    ({"ForAnyValue:StringEquals": {"aws:missing": ["a"]}}, False),
    ({"StringEquals": {"aws:username": "ann"}, "Bool": {"aws:SecureTransport": "true"}}, False),
])
def test_condition_operators(block: dict, holds: bool) -> None:
    context = {"aws:username": "ann", "n": 9, "aws:currenttime": "2026-01-01T00:00:00Z", "aws:sourceip": "10.1.2.3",
               "aws:securetransport": False, "aws:tagkeys": ["a", "b"],
               "aws:sourcearn": "arn:aws:sagemaker:eu-west-1:1:training-job/a"}
    assert conditions.hold(block, context) is holds


@pytest.mark.parametrize("block", [{"StringSounds": {"a": "x"}}, {"NumericEquals": {"a": "x"}},
                                   {"IpAddress": {"a": "everywhere"}}, {"DateEquals": {"a": "soon"}}, {"Bool": "x"}])
def test_a_condition_that_cannot_be_evaluated_fails_closed(block: dict) -> None:
    context = {"a": "y"}
    assert policy.evaluate([statement(Condition=block)], "s3:GetObject", ARN, context) == "implicit"
    assert policy.evaluate([statement("Deny", Condition=block)], "s3:GetObject", ARN, context) == "deny"


@pytest.mark.parametrize("element, named", [
    ("*", True), ({"AWS": "*"}, True), ({"AWS": "123456789012"}, True),
    ({"AWS": ["arn:aws:iam::123456789012:root"]}, True), ({"AWS": ROLE.policy_arn}, True), ({"AWS": ROLE.arn}, True),
    ({"AWS": "arn:aws:iam::111111111111:root"}, False), ({"Service": "sagemaker.amazonaws.com"}, False),
])
def test_a_principal_goes_by_several_names(element: object, named: bool) -> None:
    trust = [{"Effect": "Allow", "Principal": element, "Action": "sts:AssumeRole"}]
    answer = policy.evaluate(trust, "sts:AssumeRole", "role", {}, policy.names(ROLE))
    assert (answer == "allow") is named


def test_anonymous_is_named_by_a_star_only() -> None:
    for element, answer in (("*", "allow"), ({"AWS": "123456789012"}, "implicit")):
        trust = [{"Effect": "Allow", "Principal": element, "Action": "*"}]
        assert policy.evaluate(trust, "s3:GetObject", ARN, {}, policy.names(ANONYMOUS)) == answer


def test_not_principal_means_everyone_else() -> None:
    keep_out = [{"Effect": "Deny", "NotPrincipal": {"AWS": ROLE.policy_arn}, "Action": "*"}]
    assert policy.evaluate(keep_out, "s3:GetObject", ARN, {}, policy.names(ROLE)) == "implicit"
    assert policy.evaluate(keep_out, "s3:GetObject", ARN, {}, policy.service("logs.amazonaws.com")) == "deny"


def test_missing_context_keys_are_reported() -> None:
    found = policy.decide([statement(Condition={"StringEquals": {"aws:username": "a"}})], "s3:GetObject", ARN, {})
    assert found.missing == {"aws:username"}


@pytest.mark.parametrize("document", ["[]", "3", '{"Statement": "x"}', "{", '{"Statement": [1]}'])
def test_a_document_that_is_none_is_refused(document: str) -> None:
    with pytest.raises(ValueError):
        policy.statements(document)
    assert policy.statements(json.dumps({"Statement": statement()})) == [statement()]
