"""Image URIs: taken apart, recognised in every region, refused in AWS's words."""

from __future__ import annotations

import pytest

from sagewright.core.errors import AwsError
from sagewright.images import catalogue, uris

DIGEST = "sha256:" + "0" * 64
US_WEST_2 = "246618743249.dkr.ecr.us-west-2.amazonaws.com"


def tags(repository: str) -> list[str]:
    """Every tag of a repository that image_uris.retrieve can yield for the families we run."""
    found = []
    for version, details in uris.registries()["repositories"][repository]["versions"].items():
        found.append(version)
        for processor in details["processors"]:
            found += [f"{version}-{processor}-{python}" for python in details["pythons"]]
    return found


EVERY_URI = [
    (f"{account}.dkr.ecr{fips}.{region}.{uris.suffix(region)}/{repository}", region, account, repository)
    for repository in catalogue.PREFIXES
    for region, accounts in uris.accounts(repository).items()
    for account in accounts
    for fips in ("", "-fips")
]


def test_every_repository_in_every_region_is_recognised_as_awss_own() -> None:
    assert len({region for _, region, _, _ in EVERY_URI}) > 35
    for uri, region, account, repository in EVERY_URI:
        reference = uris.parse(uri + ":1")
        assert (reference.region, reference.account, reference.repository) == (region, account, repository)
        assert uris.is_aws(reference), uri


@pytest.mark.parametrize("repository", list(catalogue.PREFIXES))
def test_every_tag_that_the_sdk_yields_is_identified(repository: str) -> None:
    region, (account, *_) = next(iter(uris.accounts(repository).items()))
    versions = uris.registries()["repositories"][repository]["versions"]
    for tag in tags(repository):
        found = uris.identify(uris.parse(f"{account}.dkr.ecr.{region}.{uris.suffix(region)}/{repository}:{tag}"))
        assert tag.startswith(found.version) or any(v["is"] == found.version and tag.startswith(alias)
                                                    for alias, v in versions.items())
        assert catalogue.named(repository, found.version).startswith(catalogue.PREFIXES[repository])


@pytest.mark.parametrize(("tag", "version", "processor", "python", "arm"), [
    ("sagemaker-xgboost:1.7-1", "1.7-1", "", "", False),
    ("sagemaker-xgboost:1.7-1-cpu-py3", "1.7-1", "cpu", "py3", False),
    ("sagemaker-xgboost:1.5-1-arm64", "1.5-1", "", "", True),
    ("sagemaker-scikit-learn:1.0-1-arm64-cpu-py3", "1.0-1", "cpu", "py3", True),
    ("sagemaker-scikit-learn:1.4-2-cpu-py3", "1.4-2", "cpu", "py3", False),
    ("sagemaker-scikit-learn:1.4-2-py312-cpu-py3", "1.4-2-py312", "cpu", "py3", False),
])
def test_a_tag_says_version_processor_python_and_architecture(
        tag: str, version: str, processor: str, python: str, arm: bool) -> None:
    found = uris.identify(uris.parse(f"{US_WEST_2}/{tag}"))
    assert (found.version, found.processor, found.python, found.arm) == (version, processor, python, arm)


@pytest.mark.parametrize(("tag", "version"), [
    ("2.8-cpu-py312", "2.8.0"), ("1.10-gpu-py38", "1.10.2"), ("1.10.0-gpu-py38", "1.10.0"),
    ("2.8.0-gpu-py312-cu129-ubuntu22.04-sagemaker", "2.8.0"),
])
def test_aliases_and_build_suffixes_of_pytorch_tags_are_understood(tag: str, version: str) -> None:
    found = uris.identify(uris.parse(f"763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:{tag}"))
    assert found.version == version


def test_no_tag_means_latest() -> None:
    reference = uris.parse("433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost")
    assert reference.tag == "latest"
    assert uris.identify(reference).version == "1"


def test_a_digest_takes_the_place_of_a_tag() -> None:
    reference = uris.parse(f"{US_WEST_2}/sagemaker-xgboost@{DIGEST}")
    assert (reference.tag, reference.digest) == ("", DIGEST)
    assert uris.parse(f"{US_WEST_2}/sagemaker-xgboost:1.7-1@{DIGEST}").tag == "1.7-1"


@pytest.mark.parametrize("tag", ["9.9-1", "1.7", "1.7-10", "1.7-1-cpu-py2", "1.7-1-nonsense!", "1.7-1-nonsense",
                                 "0.90-1-gpu-py3", "latest"])
def test_a_tag_that_aws_does_not_publish_is_not_found(tag: str) -> None:
    uri = f"{US_WEST_2}/sagemaker-xgboost:{tag}"
    with pytest.raises(AwsError) as refused:
        uris.identify(uris.parse(uri))
    assert refused.value.code == "ValidationException"
    assert uri in refused.value.message


@pytest.mark.parametrize("uri", [
    "", "nginx", "nginx:latest", "docker.io/library/nginx:1",
    f"{US_WEST_2}/", f"{US_WEST_2}/Upper:1", f"{US_WEST_2}/a:",
    "12345.dkr.ecr.us-west-2.amazonaws.com/a:1", "246618743249.dkr.ecr.us-west-2.amazonaws.com.cn/a:1",
    "246618743249.dkr.ecr.us-west-2.evil.example/a:1", f"{US_WEST_2}/a@sha256:00", f"{US_WEST_2}/../etc:1",
    f"{US_WEST_2}/a:1\n", f"{US_WEST_2}/" + "a" * 300, "x" * 100_000,
])
def test_what_is_no_ecr_uri_is_refused_in_awss_words(uri: str) -> None:
    with pytest.raises(AwsError) as refused:
        uris.parse(uri)
    assert refused.value.code == "ValidationException"
    assert "Using non-ECR image" in refused.value.message
    assert len(refused.value.message) < 400


@pytest.mark.parametrize(("region", "suffix"), [
    ("us-west-2", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn"), ("us-iso-east-1", "c2s.ic.gov"),
    ("us-isob-east-1", "sc2s.sgov.gov"), ("us-gov-west-1", "amazonaws.com"),
    ("eusc-de-east-1", "amazonaws.eu"),
])
def test_each_partition_has_its_domain(region: str, suffix: str) -> None:
    assert uris.suffix(region) == suffix


@pytest.mark.parametrize("uri", [
    "111122223333.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",       # somebody else's account
    "246618743249.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",       # AWS's account of another region
    f"{US_WEST_2}/my-own-model:1",
])
def test_an_account_that_is_not_awss_for_that_repository_is_not_first_party(uri: str) -> None:
    assert not uris.is_aws(uris.parse(uri))


def test_the_tables_name_their_source_and_licence() -> None:
    data = uris.registries()
    assert data["LICENSE"] == "Apache-2.0"
    assert "sagemaker 2." in data["SOURCE"]
