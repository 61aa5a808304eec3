"""The seam: URIs to images to environments, on the real catalogue and on a tiny one that is really built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sagewright.core.config import Config
from sagewright.core.errors import AwsError
from sagewright.core.seams import Image
from sagewright.images import catalogue, choose, kit, lock, shelf, uris

OURS = "246618743249.dkr.ecr.us-west-2.amazonaws.com"
DEEP = "763104351884.dkr.ecr.us-west-2.amazonaws.com"
EVERY_PYTHON = ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def a_shelf(path: Path, pythons: tuple[str, ...] = EVERY_PYTHON, policy: str = "nearest") -> shelf.Shelf:
    made = shelf.Shelf(path, policy)
    made.__dict__["machine"] = choose.Machine(pythons)      # the cached property, as another machine would have it
    return made


@pytest.mark.parametrize(("uri", "environment", "capabilities"), [
    ("433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1", "xgboost-0.72", ()),
    (f"{OURS}/sagemaker-xgboost:0.90-2-cpu-py3", "xgboost-0.90-2", ("multi-models", "accept-bind-to-port")),
    (f"{OURS}/sagemaker-xgboost:1.2-2", "xgboost-1.2-1", ("multi-models", "accept-bind-to-port")),
    (f"{OURS}/sagemaker-xgboost:1.7-1", "xgboost-1.7-1", ("multi-models", "accept-bind-to-port")),
    (f"{OURS}/sagemaker-scikit-learn:1.2-1-cpu-py3", "sklearn-1.2-1", ("multi-models", "accept-bind-to-port")),
    (f"{DEEP}/pytorch-training:2.8.0-cpu-py312", "pytorch-2.8.0", ()),
    (f"{DEEP}/pytorch-inference:1.12-cpu-py38", "pytorch-1.12.1", ("multi-models", "accept-bind-to-port")),
])
def test_an_image_of_awss_resolves_to_its_own_environment(
        tmp_path: Path, uri: str, environment: str, capabilities: tuple[str, ...]) -> None:
    image = a_shelf(tmp_path).resolve(uri)
    assert (image.uri, image.kind, image.environment, image.note) == (uri, "environment", environment, "")
    assert image.capabilities == capabilities


@pytest.mark.parametrize(("uri", "words"), [
    (f"{DEEP}/pytorch-training:2.8.0-gpu-py312", "GPU image"),
    (f"{OURS}/sagemaker-xgboost:1.5-1-arm64", "arm64"),
    ("520713654638.dkr.ecr.us-west-2.amazonaws.com/sagemaker-pytorch:0.4.0-cpu-py3", "torch 1.0.0"),
])
def test_a_note_says_where_the_environment_is_not_what_the_tag_names(tmp_path: Path, uri: str, words: str) -> None:
    assert words in a_shelf(tmp_path).resolve(uri).note


@pytest.mark.parametrize(("uri", "message"), [
    ("123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1",
     "Cannot find repository: mine in registry ID: 123456789012"),
    (f"{OURS}/sagemaker-xgboost:9.9-1", f"Requested image {OURS}/sagemaker-xgboost:9.9-1 not found."),
    (f"{OURS}/sagemaker-xgboost@sha256:{'0' * 64}", "not found."),
    ("520713654638.dkr.ecr.us-west-2.amazonaws.com/sagemaker-pytorch:1.0.0-cpu-py2", "not found."),
    (f"{DEEP}/tensorflow-training:99.0-cpu-py312", "not found."),
    ("python:3.11", "Using non-ECR image"),
])
def test_an_unknown_image_is_refused_as_aws_refuses_it(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(AwsError) as refused:
        a_shelf(tmp_path).resolve(uri)
    assert refused.value.code == "ValidationException"
    assert message in refused.value.message


@pytest.mark.parametrize("image", [
    f"{DEEP}/tensorflow-training:2.19-cpu-py312",
    f"{DEEP}/huggingface-pytorch-training:2.8.0-transformers4.56.2-gpu-py312-cu129-ubuntu22.04",
    f"{DEEP}/djl-inference:0.23.0-deepspeed0.9.5-cu118",
    "174872318107.dkr.ecr.us-west-2.amazonaws.com/linear-learner:1",
    "306415355426.dkr.ecr.us-west-2.amazonaws.com/sagemaker-clarify-processing:1.0",
    "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer",
    "520713654638.dkr.ecr.us-west-2.amazonaws.com/sagemaker-rl-mxnet:coach0.11.0-cpu-py3",
    "462105765813.dkr.ecr.us-west-2.amazonaws.com/sagemaker-rl-ray-container:ray-1.6.0-tf-cpu-py37",
    f"542918446943.dkr.ecr.us-west-2.amazonaws.com/sagemaker-distribution-prod@sha256:{'b' * 64}",
    "236514542706.dkr.ecr.us-west-2.amazonaws.com/sagemaker-base-python-310:1.0",
])
def test_an_image_of_awss_that_cannot_run_yet_is_known_and_says_so(tmp_path: Path, image: str) -> None:
    found = a_shelf(tmp_path).resolve(image)
    assert (found.kind, found.environment) == ("unavailable", "")
    assert "Available: pytorch-inference" in found.note


def test_every_first_party_image_resolves_in_every_region_with_and_without_notes(tmp_path: Path) -> None:
    shelf_here = a_shelf(tmp_path)
    for repository in catalogue.PREFIXES:
        for region, accounts in uris.accounts(repository).items():
            for version in uris.registries()["repositories"][repository]["versions"]:
                host = f"{accounts[0]}.dkr.ecr.{region}.{uris.suffix(region)}"
                image = shelf_here.resolve(f"{host}/{repository}:{version}")
                assert image.family == repository
                assert image.environment in catalogue.BY_NAME


def test_many_different_tags_do_not_fill_the_memory(tmp_path: Path) -> None:
    shelf_here = a_shelf(tmp_path)
    for number in range(10_050):
        shelf_here.resolve(f"{DEEP}/pytorch-training:2.8.0-cpu-py312-x{number}")
    assert len(shelf_here._images) < 10_002


def test_the_exact_policy_refuses_what_the_nearest_policy_replaces(tmp_path: Path) -> None:
    uri = f"{OURS}/sagemaker-scikit-learn:0.23-1-cpu-py3"
    assert a_shelf(tmp_path, ("3.11",)).resolve(uri).environment == "sklearn-1.2-1"
    with pytest.raises(AwsError, match="this machine has 3.11"):
        a_shelf(tmp_path, ("3.11",), "exact").resolve(uri)


def test_an_unknown_policy_is_a_mistake_at_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whatever"):
        shelf.Shelf(tmp_path, "whatever")


def test_the_cache_is_in_the_data_directory_unless_the_environment_names_another(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGEWRIGHT_ENV_CACHE", raising=False)
    assert shelf.cache_of(Config(tmp_path)) == tmp_path / "envs"
    monkeypatch.setenv("SAGEWRIGHT_ENV_CACHE", str(tmp_path / "shared"))
    assert shelf.cache_of(Config(tmp_path)) == tmp_path / "shared"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[shelf.Shelf, Image]:
    """A shelf whose only environment holds six, and an image that stands for it."""
    python = f"3.{sys.version_info.minor}"
    environment = catalogue.Environment("six-1", "six", "1.17.0", {python: ("six",)})
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / environment.lock_name(python)).write_text("six==1.17.0\n")
    monkeypatch.setattr(lock, "LOCKS", tmp_path / "locks")
    return (shelf.Shelf(tmp_path / "envs", environments=(environment,)),
            Image("uri", "environment", "six", "1", "six-1", "said first"))


def test_not_ready_then_built_then_ready_for_every_shelf_on_that_cache(tiny: tuple[shelf.Shelf, Image]) -> None:
    here, image = tiny
    said: list[str] = []
    assert here.ready(image) is None
    built = here.build(image, said.append)
    assert said[0] == "said first"
    assert said[1].startswith("Downloading the training image")
    assert here.ready(image) == built == here.build(image, said.append)
    assert shelf.Shelf(here.cache, environments=here.environments).ready(image) == built
    assert here.packages(image) == {"six": "1.17.0"}


def test_a_changed_kit_reaches_an_environment_that_was_built_before(
        tiny: tuple[shelf.Shelf, Image], tmp_path: Path) -> None:
    here, image = tiny
    built = here.build(image, lambda line: None)
    changed = tmp_path / "new" / "sagewright_kit"
    changed.mkdir(parents=True)
    (changed / "__init__.py").write_text("WORD = 'changed'\n")
    kit.refresh(Path(built.prefix), changed)
    done = subprocess.run([built.python, "-c", "import sagewright_kit; print(sagewright_kit.WORD)"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "changed"
    shelf.Shelf(here.cache, environments=here.environments).ready(image)
    done = subprocess.run([built.python, "-c", "import sagewright_kit; print(hasattr(sagewright_kit, 'WORD'))"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_prune_keeps_what_the_catalogue_can_ask_for(tiny: tuple[shelf.Shelf, Image]) -> None:
    here, image = tiny
    built = here.build(image, lambda line: None)
    old = here.cache / "old-1"
    old.mkdir()
    (old / "complete.json").write_text("{}")
    assert here.prune() == ["old-1"]
    assert Path(built.python).exists()
