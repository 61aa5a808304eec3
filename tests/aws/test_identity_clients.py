"""IAM, STS, KMS and ECR through boto3 against a live server."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.sdk
ROOT = "arn:aws:iam::123456789012:root"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}]}


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def signed_by(live) -> Callable[..., Any]:  # noqa: ANN001
    """A client of a service, signed with the given credentials."""

    def make(service: str, keys: dict[str, str]) -> Any:
        return boto3.client(service, endpoint_url=live.url, region_name=live.region,
                            aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                            aws_session_token=keys.get("SessionToken"))

    return make


def test_a_user_signs_assumes_a_role_and_loses_its_key(live, name, signed_by) -> None:  # noqa: ANN001
    iam = live.client("iam")
    iam.create_user(UserName=name)
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    sts = signed_by("sts", keys)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::123456789012:user/{name}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"]
    assert signed_by("sts", session).get_caller_identity()["Arn"] == \
        f"arn:aws:sts::123456789012:assumed-role/{name}/s1"
    with pytest.raises(ClientError) as refused:
        signed_by("sts", {**session, "SessionToken": "wrong"}).get_caller_identity()
    assert refused.value.response["Error"]["Code"] in ("InvalidClientTokenId", "UnrecognizedClientException")
    iam.delete_access_key(UserName=name, AccessKeyId=keys["AccessKeyId"])
    with pytest.raises(ClientError) as gone:
        sts.get_caller_identity()
    assert gone.value.response["Error"]["Code"] == "InvalidClientTokenId"


def test_the_profile_key_is_a_session_of_the_execution_role(live, signed_by) -> None:  # noqa: ANN001
    access, secret = json.loads((live.data_dir / "credentials.json").read_text())["keys"]["role"]
    arn = signed_by("sts", {"AccessKeyId": access, "SecretAccessKey": secret}).get_caller_identity()["Arn"]
    assert arn == "arn:aws:sts::123456789012:assumed-role/SageMakerRole/sagewright"
    assert live.client("iam").get_role(RoleName=arn.split("/")[1])["Role"]["Arn"] == live.role_arn


def test_paginators_see_everything_once(live, name) -> None:  # noqa: ANN001
    iam = live.client("iam")
    made = [iam.create_user(UserName=f"{name}-{n}", Path=f"/{name}/")["User"]["UserName"] for n in range(7)]
    pages = iam.get_paginator("list_users").paginate(PathPrefix=f"/{name}/", PaginationConfig={"PageSize": 3})
    assert [user["UserName"] for page in pages for user in page["Users"]] == made


def test_the_sdk_can_simulate_the_execution_role(live) -> None:  # noqa: ANN001
    pages = live.client("iam").get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=live.role_arn, ActionNames=["s3:GetObject", "ec2:DescribeVpcs", "iam:CreateUser"])
    assert [each["EvalDecision"] for page in pages for each in page["EvaluationResults"]] == \
        ["allowed", "allowed", "implicitDeny"]


def test_errors_are_the_modelled_exceptions(live, name) -> None:  # noqa: ANN001
    iam, kms, ecr = live.client("iam"), live.client("kms"), live.client("ecr")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=f"alias/{name}")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.list_images(repositoryName=name)


def test_kms_round_trip_with_context(live, name) -> None:  # noqa: ANN001
    kms = live.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    blob = kms.encrypt(KeyId=f"alias/{name}", Plaintext=b"\x00\xff", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"\x00\xff"
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=blob)


def test_ecr_repository_with_an_image_and_a_login(live, name) -> None:  # noqa: ANN001
    ecr = live.client("ecr")
    ecr.create_repository(repositoryName=name, encryptionConfiguration={"encryptionType": "KMS"})
    text = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []})
    digest = ecr.put_image(repositoryName=name, imageManifest=text, imageTag="v1")["image"]["imageId"]["imageDigest"]
    assert ecr.describe_images(repositoryName=name)["imageDetails"][0]["imageDigest"] == digest
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert base64.b64decode(token).startswith(b"AWS:")
    ecr.delete_repository(repositoryName=name, force=True)
