"""IAM's records: what is made can be read, what is used cannot be deleted, and errors use AWS's words."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
READ = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}]})
S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


@pytest.fixture
def iam(desk):  # noqa: ANN001, ANN201
    return desk.iam


@pytest.fixture
def role(iam) -> dict[str, Any]:  # noqa: ANN001
    return iam("CreateRole", RoleName="train", Path="/ml/", AssumeRolePolicyDocument=TRUST, Description="trains",
               Tags=[{"Key": "team", "Value": "a"}])["Role"]


def test_a_role_reads_as_it_was_written(iam, role) -> None:  # noqa: ANN001
    assert iam("GetRole", RoleName="train")["Role"] == role
    assert role["Arn"] == "arn:aws:iam::123456789012:role/ml/train"
    assert unquote(role["AssumeRolePolicyDocument"]) == TRUST
    assert (role["MaxSessionDuration"], role["Description"]) == (3600, "trains")
    assert role["Tags"] == [{"Key": "team", "Value": "a"}]
    assert "PermissionsBoundary" not in role


def test_a_role_changes(iam, role) -> None:  # noqa: ANN001
    iam("UpdateRole", RoleName="train", MaxSessionDuration=7200)
    trust = TRUST.replace("sagemaker", "glue")
    iam("UpdateAssumeRolePolicy", RoleName="train", PolicyDocument=trust)
    iam("PutRolePermissionsBoundary", RoleName="train", PermissionsBoundary=S3_FULL)
    iam("TagRole", RoleName="train", Tags=[{"Key": "x", "Value": "1"}])
    iam("UntagRole", RoleName="train", TagKeys=["team"])
    found = iam("GetRole", RoleName="train")["Role"]
    assert (found["MaxSessionDuration"], found["Description"]) == (7200, "trains")
    assert unquote(found["AssumeRolePolicyDocument"]) == trust
    assert found["PermissionsBoundary"] == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": S3_FULL}
    assert found["Tags"] == [{"Key": "x", "Value": "1"}]
    iam("DeleteRolePermissionsBoundary", RoleName="train")
    assert "PermissionsBoundary" not in iam("GetRole", RoleName="train")["Role"]


@pytest.mark.parametrize("operation, params, code, status, message", [
    ("GetRole", {"RoleName": "x"}, "NoSuchEntity", 404, "The role with name x cannot be found."),
    ("GetUser", {"UserName": "x"}, "NoSuchEntity", 404, "The user with name x cannot be found."),
    ("GetGroup", {"GroupName": "x"}, "NoSuchEntity", 404, "The group with name x cannot be found."),
    ("GetInstanceProfile", {"InstanceProfileName": "x"}, "NoSuchEntity", 404, "Instance Profile x cannot be found."),
    ("GetPolicy", {"PolicyArn": S3_FULL + "x"}, "NoSuchEntity", 404, f"Policy {S3_FULL}x was not found."),
    ("GetRolePolicy", {"RoleName": "train", "PolicyName": "x"}, "NoSuchEntity", 404,
     "The role policy with name x cannot be found."),
    ("CreateRole", {"RoleName": "train", "AssumeRolePolicyDocument": TRUST}, "EntityAlreadyExists", 409,
     "Role with name train already exists."),
    ("AttachRolePolicy", {"RoleName": "train", "PolicyArn": S3_FULL + "x"}, "NoSuchEntity", 404,
     f"Policy {S3_FULL}x does not exist or is not attachable."),
    ("DetachRolePolicy", {"RoleName": "train", "PolicyArn": S3_FULL}, "NoSuchEntity", 404,
     f"Policy {S3_FULL} was not found."),
    ("CreateRole", {"RoleName": "y", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument", 400,
     "This policy contains invalid Json"),
    ("PutRolePolicy", {"RoleName": "train", "PolicyName": "x", "PolicyDocument": "{"}, "MalformedPolicyDocument", 400,
     "Syntax errors in policy."),
    ("ListRoles", {"Marker": "nonsense"}, "ValidationError", 400, "Invalid Marker."),
    ("TagRole", {"RoleName": "train", "Tags": [{"Key": "A", "Value": ""}, {"Key": "a", "Value": ""}]}, "InvalidInput",
     400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
    ("UpdateAccessKey", {"AccessKeyId": "AKIANONE000000000000", "Status": "Active"}, "NoSuchEntity", 404,
     "The Access Key with id AKIANONE000000000000 cannot be found."),
    ("DeletePolicy", {"PolicyArn": S3_FULL}, "AccessDenied", 403, None),
])
def test_errors_use_the_words_of_aws(desk, role, operation, params, code, status, message) -> None:  # noqa: ANN001
    error = desk.refused("iam", operation, **params)
    assert (error.code, error.status) == (code, status)
    assert message is None or error.message == message


def test_what_is_used_cannot_be_deleted(desk, iam, role) -> None:  # noqa: ANN001
    ask = {"RoleName": "train"}
    iam("AttachRolePolicy", PolicyArn=S3_FULL, **ask)
    iam("PutRolePolicy", PolicyName="read", PolicyDocument=READ, **ask)
    iam("CreateInstanceProfile", InstanceProfileName="box")
    iam("AddRoleToInstanceProfile", InstanceProfileName="box", **ask)
    for undo, more in (("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "box"}),
                       ("DetachRolePolicy", {"PolicyArn": S3_FULL}), ("DeleteRolePolicy", {"PolicyName": "read"})):
        assert desk.refused("iam", "DeleteRole", **ask).code == "DeleteConflict"
        iam(undo, **ask, **more)
    iam("DeleteRole", **ask)
    assert desk.refused("iam", "GetRole", **ask).code == "NoSuchEntity"


@pytest.mark.parametrize("kind", ["User", "Role", "Group"])
def test_policies_hang_on_every_kind_of_entity(iam, kind: str) -> None:  # noqa: ANN001
    ask = {f"{kind}Name": "one"}
    iam(f"Create{kind}", **ask, **({"AssumeRolePolicyDocument": TRUST} if kind == "Role" else {}))
    iam(f"Attach{kind}Policy", PolicyArn=S3_FULL, **ask)
    iam(f"Attach{kind}Policy", PolicyArn=S3_FULL, **ask)
    iam(f"Put{kind}Policy", PolicyName="read", PolicyDocument=READ, **ask)
    assert iam(f"ListAttached{kind}Policies", **ask)["AttachedPolicies"] == [
        {"PolicyName": "AmazonS3FullAccess", "PolicyArn": S3_FULL}]
    assert iam(f"List{kind}Policies", **ask)["PolicyNames"] == ["read"]
    assert unquote(iam(f"Get{kind}Policy", PolicyName="read", **ask)["PolicyDocument"]) == READ
    found = iam("ListEntitiesForPolicy", PolicyArn=S3_FULL, EntityFilter=kind)[f"Policy{kind}s"]
    assert "one" in [each[f"{kind}Name"] for each in found]
    iam(f"Detach{kind}Policy", PolicyArn=S3_FULL, **ask)
    iam(f"Delete{kind}Policy", PolicyName="read", **ask)
    iam(f"Delete{kind}", **ask)


def test_managed_policies_have_versions(desk, iam) -> None:  # noqa: ANN001
    arn = iam("CreatePolicy", PolicyName="read", PolicyDocument=READ)["Policy"]["Arn"]
    wider = READ.replace("data", "all")
    for number in range(2, 6):
        made = iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=wider, SetAsDefault=number == 3)
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    assert desk.refused("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=READ).code == "LimitExceeded"
    assert iam("GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    assert desk.refused("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId="v3").code == "DeleteConflict"
    assert desk.refused("iam", "DeletePolicy", PolicyArn=arn).code == "DeleteConflict"
    iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    for number in range(2, 6):
        iam("DeletePolicyVersion", PolicyArn=arn, VersionId=f"v{number}")
    assert unquote(iam("GetPolicyVersion", PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]) == READ
    assert iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=READ)["PolicyVersion"]["VersionId"] == "v6"
    iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v6")
    iam("DeletePolicy", PolicyArn=arn)


def test_attachments_are_counted(desk, iam, role) -> None:  # noqa: ANN001
    arn = iam("CreatePolicy", PolicyName="read", PolicyDocument=READ)["Policy"]["Arn"]
    iam("AttachRolePolicy", RoleName="train", PolicyArn=arn)
    iam("CreateUser", UserName="ann", PermissionsBoundary=arn)
    found = iam("GetPolicy", PolicyArn=arn)["Policy"]
    assert (found["AttachmentCount"], found["PermissionsBoundaryUsageCount"]) == (1, 1)
    assert [each["PolicyName"] for each in iam("ListPolicies", Scope="Local")["Policies"]] == ["read"]
    attached = {each["PolicyName"] for each in iam("ListPolicies", OnlyAttached=True)["Policies"]}
    assert attached == {"read", "AmazonS3FullAccess", "AmazonSageMakerFullAccess"}
    assert desk.refused("iam", "DeletePolicy", PolicyArn=arn).message == \
        "Cannot delete a policy attached to entities."


def test_lists_come_in_pages(iam) -> None:  # noqa: ANN001
    for number in range(5):
        iam("CreateUser", UserName=f"user-{number}", Path="/a/" if number else "/b/")
    first = iam("ListUsers", PathPrefix="/a/", MaxItems=3)
    assert first["IsTruncated"] and len(first["Users"]) == 3
    rest = iam("ListUsers", PathPrefix="/a/", MaxItems=3, Marker=first["Marker"])
    assert not rest["IsTruncated"] and "Marker" not in rest
    assert [user["UserName"] for user in first["Users"] + rest["Users"]] == [f"user-{n}" for n in range(1, 5)]


def test_groups_hold_users(desk, iam) -> None:  # noqa: ANN001
    iam("CreateUser", UserName="ann")
    iam("CreateGroup", GroupName="lab")
    iam("AddUserToGroup", UserName="ann", GroupName="lab")
    iam("UpdateGroup", GroupName="lab", NewGroupName="labs")
    assert [user["UserName"] for user in iam("GetGroup", GroupName="labs")["Users"]] == ["ann"]
    assert [group["GroupName"] for group in iam("ListGroupsForUser", UserName="ann")["Groups"]] == ["labs"]
    assert desk.refused("iam", "DeleteUser", UserName="ann").code == "DeleteConflict"
    assert desk.refused("iam", "DeleteGroup", GroupName="labs").code == "DeleteConflict"
    iam("RemoveUserFromGroup", UserName="ann", GroupName="labs")
    iam("DeleteGroup", GroupName="labs")
    iam("DeleteUser", UserName="ann")


def test_a_user_has_two_keys_at_most(desk, iam) -> None:  # noqa: ANN001
    iam("CreateUser", UserName="ann")
    made = [iam("CreateAccessKey", UserName="ann")["AccessKey"] for _ in range(2)]
    assert desk.refused("iam", "CreateAccessKey", UserName="ann").message == \
        "Cannot exceed quota for AccessKeysPerUser: 2"
    ann = desk.as_key(made[0]["AccessKeyId"])
    assert [key["AccessKeyId"] for key in ann.iam("ListAccessKeys")["AccessKeyMetadata"]] == \
        [key["AccessKeyId"] for key in made]
    assert all("SecretAccessKey" not in key for key in ann.iam("ListAccessKeys")["AccessKeyMetadata"])
    assert ann.iam("GetUser")["User"]["UserName"] == "ann"


def test_renaming_a_user_keeps_tags_and_refuses_a_taken_name(desk, iam) -> None:  # noqa: ANN001
    iam("CreateUser", UserName="ann", Tags=[{"Key": "k", "Value": "v"}])
    iam("CreateUser", UserName="bob")
    assert desk.refused("iam", "UpdateUser", UserName="ann", NewUserName="bob").code == "EntityAlreadyExists"
    iam("UpdateUser", UserName="ann", NewUserName="eve", NewPath="/x/")
    assert iam("GetUser", UserName="eve")["User"]["Tags"] == [{"Key": "k", "Value": "v"}]
    assert iam("GetUser", UserName="eve")["User"]["Arn"] == "arn:aws:iam::123456789012:user/x/eve"


def test_service_linked_roles_belong_to_their_service(desk, iam) -> None:  # noqa: ANN001
    made = iam("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x")["Role"]
    ask = {"RoleName": made["RoleName"]}
    assert made["RoleName"] == "AWSServiceRoleForAutoScaling_x"
    assert desk.refused("iam", "DeleteRole", **ask).code == "UnmodifiableEntity"
    assert desk.refused("iam", "AttachRolePolicy", PolicyArn=S3_FULL, **ask).code == "UnmodifiableEntity"
    task = iam("DeleteServiceLinkedRole", **ask)["DeletionTaskId"]
    assert iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert desk.refused("iam", "GetRole", **ask).code == "NoSuchEntity"


def test_authorization_details_tell_everything(iam, role) -> None:  # noqa: ANN001
    iam("PutRolePolicy", RoleName="train", PolicyName="read", PolicyDocument=READ)
    found = iam("GetAccountAuthorizationDetails")
    train = next(each for each in found["RoleDetailList"] if each["RoleName"] == "train")
    assert [each["PolicyName"] for each in train["RolePolicyList"]] == ["read"]
    assert {each["PolicyName"] for each in found["Policies"]} == {"AmazonS3FullAccess", "AmazonSageMakerFullAccess"}
    assert iam("GetAccountAuthorizationDetails", Filter=["User"])["RoleDetailList"] == []


def test_the_summary_counts(iam, role) -> None:  # noqa: ANN001
    found = iam("GetAccountSummary")["SummaryMap"]
    assert (found["Roles"], found["Users"], found["AccountAccessKeysPresent"]) == (2, 0, 1)


def test_an_account_has_one_alias(iam) -> None:  # noqa: ANN001
    for alias in ("one", "two"):
        iam("CreateAccountAlias", AccountAlias=alias)
    assert iam("ListAccountAliases")["AccountAliases"] == ["two"]
    iam("DeleteAccountAlias", AccountAlias="two")
    assert iam("ListAccountAliases")["AccountAliases"] == []


def test_accounts_do_not_see_each_other(desk, role) -> None:  # noqa: ANN001
    from sagewright.aws.iam import accounts

    other = desk.as_key(accounts.create_account_root(desk.world, "111111111111")[0])
    assert other.refused("iam", "GetRole", RoleName="train").code == "NoSuchEntity"
    assert other.iam("ListRoles")["Roles"] == []


def test_lists_and_creations_show_less_than_gets(iam) -> None:  # noqa: ANN001
    """Which members AWS leaves out where, as seen on AWS."""
    more = {"PermissionsBoundary": S3_FULL, "Tags": [{"Key": "a", "Value": "b"}]}
    made = iam("CreateRole", RoleName="r", Path="/x/", AssumeRolePolicyDocument=TRUST, **more)["Role"]
    assert set(made) >= {"PermissionsBoundary", "Tags"}
    listed = iam("ListRoles", PathPrefix="/x/")["Roles"][0]
    assert not set(listed) & {"PermissionsBoundary", "Tags"}
    policy = iam("CreatePolicy", PolicyName="p", Path="/x/", PolicyDocument=READ, Description="d")["Policy"]
    assert not set(policy) & {"Description", "Tags"}
    got = iam("GetPolicy", PolicyArn=policy["Arn"])["Policy"]
    assert (got["Description"], got["Tags"]) == ("d", [])
    assert not set(iam("ListPolicies", PathPrefix="/x/")["Policies"][0]) & {"Description", "Tags"}
