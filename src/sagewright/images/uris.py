"""Image URIs, as pure functions: taking one apart, and saying whether it is one of AWS's own images.

`shelf.py` calls `parse`, `is_aws`, then `identify`. The facts come from `registries.json` (see `generate.py`): every
repository that the tables of AWS's SDKs name, the account that owns it in each region, and the versions known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sagewright.core.errors import AwsError, validation

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?P<fips>-fips)?\.(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+)\.(?P<suffix>[a-z0-9.-]+)"
    r"/(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
# What may follow the version in a tag: nothing, "-cpu-py3", "-gpu-py312-cu129-ubuntu22.04-sagemaker", "-arm64", ...
_REST = re.compile(
    r"(?P<arm>-arm64|-aarch64)?(?:-(?P<processor>cpu|gpu)(?:-(?P<python>py\d+))?(?P<more>(?:-[\w.]+)*))?")


@dataclass(frozen=True)
class Reference:
    """An image URI taken apart; `tag` is "latest" where the URI names neither tag nor digest."""

    uri: str
    account: str
    region: str
    repository: str
    tag: str
    digest: str = ""


@dataclass(frozen=True)
class FirstParty:
    """One of AWS's own images: `version` in full (aliases resolved), `processor` "cpu", "gpu" or "", `arm` if built
    for arm64, `python` such as "py312" or ""."""

    repository: str
    version: str
    processor: str = ""
    python: str = ""
    arm: bool = False


def parse(uri: str) -> Reference:
    """Take an ECR image URI apart; ValidationException in AWS's words for anything else."""
    found = _URI.fullmatch(uri) if len(uri) <= 255 else None
    if found is None or found["suffix"] != suffix(found["region"]):
        raise validation(f'Using non-ECR image "{uri[:255]}" without Vpc repository access mode is not supported.')
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return Reference(uri, found["account"], found["region"], found["repository"], tag, found["digest"] or "")


def is_aws(reference: Reference) -> bool:
    """Whether AWS's tables name that repository under that account in that region."""
    repository = reference.repository
    return (repository in registries()["repositories"]
            and reference.account in accounts(repository).get(reference.region, ()))


def identify(reference: Reference) -> FirstParty:
    """Which version of one of AWS's images that is; "Requested image ... not found." for a tag that AWS has not."""
    known = registries()["repositories"][reference.repository]
    for version in _candidates(known["versions"], reference.tag):
        rest = _REST.fullmatch(reference.tag[len(version):])
        if rest is not None and _plausible(known["versions"][version], rest):
            return FirstParty(reference.repository, known["versions"][version]["is"], rest["processor"] or "",
                              rest["python"] or "",
                              bool(rest["arm"]) or reference.repository.endswith(("-arm64", "-graviton")))
    raise not_found(reference)


def check_tag(reference: Reference) -> None:
    """Refuse a tag that names no version of a repository whose tags are built by rules of their own.

    Hugging Face's begin with another version, Clarify's and RL's with a word, the monitor's image has none: one of the
    known versions anywhere in the tag is enough. Digests cannot be checked.
    """
    versions = registries()["repositories"][reference.repository]["versions"]
    if reference.digest or reference.tag == "latest":
        return
    if not any(re.search(rf"(?<![\d.]){re.escape(version)}(?!\d|\.\d)", reference.tag) for version in versions):
        raise not_found(reference)


def not_found(reference: Reference) -> AwsError:
    """What CreateModel and CreateTrainingJob answer for an image that the registry does not hold."""
    return validation(f"Requested image {reference.uri} not found.")


def no_repository(reference: Reference) -> AwsError:
    """What CreateTrainingJob answers for a repository that does not exist."""
    return validation(
        f"Cannot find repository: {reference.repository} in registry ID: {reference.account} Please check if your ECR "
        "repository exists and the execution role has proper pull permissions for SageMaker: "
        "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer")


def suffix(region: str) -> str:
    """The domain of a region's partition: amazonaws.com, amazonaws.com.cn, ..."""
    table: Mapping[str, str] = registries()["suffixes"]
    return next((name for start, name in table.items() if start and region.startswith(start)), table[""])


def accounts(repository: str) -> Mapping[str, list[str]]:
    """Region -> account ids that own that repository of AWS's."""
    data = registries()
    return data["accounts"][data["repositories"][repository]["accounts"]]


@lru_cache(maxsize=1)
def registries() -> dict[str, Any]:
    """The content of registries.json, read once."""
    return json.loads(Path(__file__).with_name("registries.json").read_text())


def _candidates(versions: Mapping[str, Any], tag: str) -> Iterator[str]:
    """Known versions that the tag may begin with, longest first ("1.4-2-py312" before "1.4-2")."""
    starts = [version for version in versions if tag == version or tag.startswith(version + "-")]
    return iter(sorted(starts, key=len, reverse=True))


def _plausible(version: Mapping[str, Any], rest: re.Match[str]) -> bool:
    """Whether AWS publishes that version for that processor and Python."""
    processors, pythons = version["processors"], version["pythons"]
    return ((not rest["processor"] or not processors or rest["processor"] in processors)
            and (not rest["python"] or rest["python"] in (pythons or ("py3",))))
