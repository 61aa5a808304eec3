"""ECR: repositories, images under digests and tags, and passwords that can be checked."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sagewright.aws.ecr import tokens

MEDIA = "application/vnd.docker.distribution.manifest.v2+json"


def manifest(number: int) -> str:
    return json.dumps({"schemaVersion": 2, "mediaType": MEDIA, "layers": [{"size": number}], "config": {
        "size": 100, "digest": f"sha256:{number:064x}", "mediaType": "application/vnd.docker.container.image.v1+json"}})


@pytest.fixture
def ecr(desk):  # noqa: ANN001, ANN201
    return desk.ecr


@pytest.fixture
def repository(ecr) -> dict[str, Any]:  # noqa: ANN001
    return ecr("CreateRepository", repositoryName="team/train", tags=[{"Key": "a", "Value": "b"}])["repository"]


def put(ecr, number: int, **more: Any) -> str:  # noqa: ANN001
    made = ecr("PutImage", repositoryName="team/train", imageManifest=manifest(number), **more)
    return made["image"]["imageId"]["imageDigest"]


def test_a_repository_reads_as_it_was_made(desk, ecr, repository) -> None:  # noqa: ANN001
    assert repository["repositoryUri"] == "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/train"
    assert ecr("DescribeRepositories", repositoryNames=["team/train"])["repositories"] == [repository]
    assert ecr("ListTagsForResource", resourceArn=repository["repositoryArn"])["tags"] == [{"Key": "a", "Value": "b"}]
    assert desk.refused("ecr", "CreateRepository", repositoryName="team/train").message == \
        "The repository with name 'team/train' already exists in the registry with id '123456789012'"
    assert desk.refused("ecr", "DescribeRepositories", repositoryNames=["x"]).message == \
        "The repository with name 'x' does not exist in the registry with id '123456789012'"


def test_images_are_found_by_tag_and_digest(desk, ecr, repository) -> None:  # noqa: ANN001
    one, two = put(ecr, 1, imageTag="latest"), put(ecr, 2)
    ask = {"repositoryName": "team/train"}
    assert ecr("ListImages", **ask)["imageIds"] == [{"imageDigest": one, "imageTag": "latest"}, {"imageDigest": two}]
    assert ecr("ListImages", filter={"tagStatus": "UNTAGGED"}, **ask)["imageIds"] == [{"imageDigest": two}]
    detail = ecr("DescribeImages", imageIds=[{"imageTag": "latest"}], **ask)["imageDetails"][0]
    assert (detail["imageDigest"], detail["imageSizeInBytes"], detail["imageTags"]) == (one, 101, ["latest"])
    got = ecr("BatchGetImage", imageIds=[{"imageDigest": one}, {"imageTag": "none"}], **ask)
    assert [image["imageManifest"] for image in got["images"]] == [manifest(1)]
    assert [failure["failureCode"] for failure in got["failures"]] == ["ImageNotFound"]
    assert desk.refused("ecr", "DescribeImages", imageIds=[{"imageTag": "none"}], **ask).code == \
        "ImageNotFoundException"


def test_a_tag_moves_unless_it_is_immutable(desk, ecr, repository) -> None:  # noqa: ANN001
    ask = {"repositoryName": "team/train"}
    put(ecr, 1, imageTag="latest")
    two = put(ecr, 2, imageTag="latest")
    assert ecr("DescribeImages", imageIds=[{"imageTag": "latest"}], **ask)["imageDetails"][0]["imageDigest"] == two
    assert desk.refused("ecr", "PutImage", imageManifest=manifest(2), imageTag="latest", **ask).code == \
        "ImageAlreadyExistsException"
    ecr("PutImageTagMutability", imageTagMutability="IMMUTABLE", **ask)
    assert desk.refused("ecr", "PutImage", imageManifest=manifest(1), imageTag="latest", **ask).code == \
        "ImageTagAlreadyExistsException"
    ecr("PutImageTagMutability", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "lat*"}], **ask)
    put(ecr, 1, imageTag="latest")


def test_an_image_goes_with_its_last_tag(ecr, repository) -> None:  # noqa: ANN001
    ask = {"repositoryName": "team/train"}
    one = put(ecr, 1, imageTag="a")
    put(ecr, 1, imageTag="b")
    answer = ecr("BatchDeleteImage", **ask,
                 imageIds=[{"imageTag": "a"}, {"imageTag": "zz"}, {"imageDigest": "bad"}, {}])
    assert answer["imageIds"] == [{"imageDigest": one, "imageTag": "a"}]
    assert [failure["failureCode"] for failure in answer["failures"]] == \
        ["ImageNotFound", "InvalidImageDigest", "MissingDigestAndTag"]
    ecr("BatchDeleteImage", imageIds=[{"imageTag": "b"}], **ask)
    assert ecr("ListImages", **ask)["imageIds"] == []


def test_a_repository_with_images_goes_by_force_only(desk, ecr, repository) -> None:  # noqa: ANN001
    put(ecr, 1)
    assert desk.refused("ecr", "DeleteRepository", repositoryName="team/train").code == "RepositoryNotEmptyException"
    ecr("DeleteRepository", repositoryName="team/train", force=True)
    assert ecr("DescribeRepositories")["repositories"] == []


@pytest.mark.parametrize("bad", ["{", "[]", '{"layers": 3, "config": 4}', "[" * 100000])
def test_a_malformed_manifest_is_refused(desk, repository, bad: str) -> None:  # noqa: ANN001
    assert desk.refused("ecr", "PutImage", repositoryName="team/train", imageManifest=bad).code == \
        "InvalidParameterException"


@pytest.mark.parametrize("what, member, text, missing", [
    ("RepositoryPolicy", "policyText", '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}]}',
     "RepositoryPolicyNotFoundException"),
    ("LifecyclePolicy", "lifecyclePolicyText", json.dumps({"rules": [
        {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
         "action": {"type": "expire"}}]}), "LifecyclePolicyNotFoundException"),
])
def test_policies_are_kept(desk, ecr, repository, what, member, text, missing) -> None:  # noqa: ANN001
    ask, write = {"repositoryName": "team/train"}, "Set" if what.startswith("Repository") else "Put"
    assert desk.refused("ecr", f"Get{what}", **ask).code == missing
    assert desk.refused("ecr", f"{write}{what}", **ask, **{member: "{}"}).code == "InvalidParameterException"
    ecr(f"{write}{what}", **ask, **{member: text})
    assert ecr(f"Get{what}", **ask)[member] == text
    ecr(f"Delete{what}", **ask)
    assert desk.refused("ecr", f"Delete{what}", **ask).code == missing


def test_passwords_can_be_checked_until_they_expire(desk, ecr) -> None:  # noqa: ANN001
    data = ecr("GetAuthorizationToken")["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    claim = tokens.check(desk.world, password)
    assert (user, claim.account, claim.arn) == ("AWS", "123456789012", desk.principal.arn)
    for forged in (password[:-2], "x" + password, "", "a.b", "nonsense", password.split(".")[0] + ".AAAA"):
        assert tokens.check(desk.world, forged) is None
    desk.world.clock.sleep(tokens.SECONDS + 1)
    assert tokens.check(desk.world, password) is None


def test_lists_come_in_pages(ecr) -> None:  # noqa: ANN001
    for number in range(5):
        ecr("CreateRepository", repositoryName=f"r{number}")
    first = ecr("DescribeRepositories", maxResults=3)
    second = ecr("DescribeRepositories", maxResults=3, nextToken=first["nextToken"])
    assert [each["repositoryName"] for each in first["repositories"] + second["repositories"]] == \
        [f"r{n}" for n in range(5)]
    assert "nextToken" not in second
