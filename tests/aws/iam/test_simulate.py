"""Simulations: identity policies, groups, boundaries, resource policies and context."""

from __future__ import annotations

import json
from typing import Any

import pytest

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
S3_READ = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def document(effect: str, action: str, resource: str = "*", **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Action": action, "Resource": resource, **more}]})


def decisions(answer: dict[str, Any]) -> list[str]:
    return [result["EvalDecision"] for result in answer["EvaluationResults"]]


def test_the_execution_role_may_do_what_a_job_needs(desk) -> None:  # noqa: ANN001
    actions = ["sagemaker:CreateTrainingJob", "sagemaker:AddTags", "s3:GetObject", "s3:PutObject", "s3:ListBucket",
               "logs:CreateLogStream", "logs:PutLogEvents", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken",
               "ecr:BatchGetImage"]
    answer = desk.iam("SimulatePrincipalPolicy", PolicySourceArn=desk.world.config.role_arn, ActionNames=actions)
    assert [each["EvalActionName"] for each in answer["EvaluationResults"]] == actions
    assert decisions(answer) == ["allowed"] * len(actions)
    network = [f"ec2:{verb}NetworkInterface{what}" for verb in ("Create", "Delete") for what in ("", "Permission")]
    sdk = [*network, "ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "glue:GetTable",
           "glue:GetDatabase", "glue:GetPartitions"]
    answer = desk.iam("SimulatePrincipalPolicy", PolicySourceArn=desk.world.config.role_arn, ActionNames=sdk)
    assert decisions(answer) == ["allowed"] * len(sdk)
    refused = desk.iam("SimulatePrincipalPolicy", PolicySourceArn=desk.world.config.role_arn,
                       ActionNames=["iam:CreateUser", "kms:Decrypt"])
    assert decisions(refused) == ["implicitDeny"] * 2


def test_passing_a_role_depends_on_the_context(desk) -> None:  # noqa: ANN001
    role = desk.world.config.role_arn
    ask = {"PolicySourceArn": role, "ActionNames": ["iam:PassRole"], "ResourceArns": [role]}
    bare = desk.iam("SimulatePrincipalPolicy", **ask)
    assert decisions(bare) == ["implicitDeny"]
    assert bare["EvaluationResults"][0]["MissingContextValues"] == ["iam:PassedToService"]
    told = desk.iam("SimulatePrincipalPolicy", **ask, ContextEntries=[
        {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": ["sagemaker.amazonaws.com"],
         "ContextKeyType": "string"}])
    assert decisions(told) == ["allowed"]


def test_a_user_has_what_its_groups_have_and_deny_wins(desk) -> None:  # noqa: ANN001
    arn = desk.iam("CreateUser", UserName="ann")["User"]["Arn"]
    desk.iam("CreateGroup", GroupName="lab")
    desk.iam("AttachGroupPolicy", GroupName="lab", PolicyArn=S3_READ)
    ask = {"PolicySourceArn": arn, "ActionNames": ["s3:GetObject"],
           "ResourceArns": ["arn:aws:s3:::a/1", "arn:aws:s3:::b/1"]}
    assert decisions(desk.iam("SimulatePrincipalPolicy", **ask)) == ["implicitDeny"] * 2
    desk.iam("AddUserToGroup", UserName="ann", GroupName="lab")
    desk.iam("PutUserPolicy", UserName="ann", PolicyName="no",
             PolicyDocument=document("Deny", "s3:*", "arn:aws:s3:::b/*"))
    answer = desk.iam("SimulatePrincipalPolicy", **ask)
    assert decisions(answer) == ["allowed", "explicitDeny"]
    matched = [result["MatchedStatements"] for result in answer["EvaluationResults"]]
    assert matched == [[{"SourcePolicyId": "AmazonS3ReadOnlyAccess", "SourcePolicyType": "aws-managed"}],
                       [{"SourcePolicyId": "user_ann_no", "SourcePolicyType": "user"}]]


def test_a_boundary_limits_what_policies_allow(desk) -> None:  # noqa: ANN001
    role = desk.iam("CreateRole", RoleName="train", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=S3_READ)["Role"]
    desk.iam("PutRolePolicy", RoleName="train", PolicyName="all", PolicyDocument=document("Allow", "*"))
    answer = desk.iam("SimulatePrincipalPolicy", PolicySourceArn=role["Arn"],
                      ActionNames=["s3:GetObject", "s3:PutObject"])
    assert decisions(answer) == ["allowed", "implicitDeny"]
    assert [each["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
            for each in answer["EvaluationResults"]] == [True, False]


def test_custom_policies_and_resource_policies(desk) -> None:  # noqa: ANN001
    bucket = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/ann"}, "Action": "s3:PutObject",
         "Resource": "*"}]})
    answer = desk.iam("SimulateCustomPolicy", PolicyInputList=[document("Allow", "s3:Get*")], ResourcePolicy=bucket,
                      CallerArn="arn:aws:iam::123456789012:user/ann",
                      ActionNames=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
    assert decisions(answer) == ["allowed", "allowed", "implicitDeny"]


def test_results_come_in_pages(desk) -> None:  # noqa: ANN001
    ask = {"PolicyInputList": [document("Allow", "s3:Get*")], "ActionNames": ["s3:GetObject", "s3:PutObject"],
           "MaxItems": 1}
    first = desk.iam("SimulateCustomPolicy", **ask)
    second = desk.iam("SimulateCustomPolicy", **ask, Marker=first["Marker"])
    assert decisions(first) + decisions(second) == ["allowed", "implicitDeny"]


def test_context_keys_are_found_in_conditions_and_variables(desk) -> None:  # noqa: ANN001
    policy = document("Allow", "s3:*", "arn:aws:s3:::b/${aws:username}/*",
                      Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    answer = desk.iam("GetContextKeysForCustomPolicy", PolicyInputList=[policy])
    assert answer["ContextKeyNames"] == ["aws:MultiFactorAuthPresent", "aws:username"]


@pytest.mark.parametrize("source, code", [
    ("arn:aws:iam::123456789012:role/none", "NoSuchEntity"), ("arn:aws:iam::123456789012:root", "InvalidInput"),
    ("arn:aws:s3:::a-bucket-name", "InvalidInput"), ("twenty characters and more", "InvalidInput"),
])
def test_a_source_that_is_no_entity_is_refused(desk, source: str, code: str) -> None:  # noqa: ANN001
    assert desk.refused("iam", "SimulatePrincipalPolicy", PolicySourceArn=source, ActionNames=["s3:Get"]).code == code


@pytest.mark.parametrize("bad", ["{", "[]", "[" * 100000])
def test_a_malformed_policy_is_refused(desk, bad: str) -> None:  # noqa: ANN001
    assert desk.refused("iam", "SimulateCustomPolicy", PolicyInputList=[bad], ActionNames=["s3:Get"]).code == \
        "InvalidInput"
