"""The committed locks: one for every environment and Python of the catalogue, exact pins, the promised version."""

from __future__ import annotations

import re

import pytest

from sagewright.images import lock, uris
from sagewright.images.catalogue import BY_NAME, ENVIRONMENTS, PREFIXES, Environment, named

EVERY = [(environment, python) for environment in ENVIRONMENTS for python in environment.pythons]
IDS = [environment.lock_name(python) for environment, python in EVERY]


@pytest.mark.parametrize(("environment", "python"), EVERY, ids=IDS)
def test_a_lock_pins_the_library_and_everything_that_the_catalogue_asks_for(
        environment: Environment, python: str) -> None:
    text = lock.read(environment, python)
    pinned = {name.lower(): version for name, version in lock.pins(text).items()}
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(pinned)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    assert pinned[environment.library] == environment.version
    for requirement in environment.pythons[python]:
        name, _, version = requirement.partition("==")
        name = re.split(r"[<>=]", name)[0].lower()
        assert pinned[name] == version if version else name in pinned


def test_no_lock_is_left_over() -> None:
    assert {path.name for path in lock.LOCKS.iterdir()} == set(IDS)


def test_no_lock_names_a_host_or_a_path() -> None:
    for environment, python in EVERY:
        assert not re.search(r"https?:|file:|--index|--find-links|@", lock.read(environment, python))


@pytest.mark.parametrize("repository", list(PREFIXES))
def test_every_version_that_aws_publishes_for_python_3_has_an_environment(repository: str) -> None:
    for version in {details["is"] for details in uris.registries()["repositories"][repository]["versions"].values()}:
        if (repository, version) != ("sagemaker-pytorch", "0.4.0"):         # on no index for Python 3.7 or newer
            assert named(repository, version) in BY_NAME


def test_the_cpu_variant_drops_cuda_and_keeps_the_rest() -> None:
    text = "numpy==1.26.4\nnvidia-cublas==1.0\ntorch==2.13.0\ntorchvision==0.28.0\ntriton==3.7.1\ncuda-toolkit==13\n"
    assert lock.cpu(text) == "numpy==1.26.4\ntorch==2.13.0+cpu\n"
    assert lock.cpu(text, keep_vision=True) == "numpy==1.26.4\ntorch==2.13.0+cpu\ntorchvision==0.28.0+cpu\n"


def test_old_xgboosts_do_not_pull_in_nccl() -> None:
    for environment, python in EVERY:
        if environment.name.startswith("xgboost"):
            assert not any(name.startswith("nvidia") for name in lock.pins(lock.read(environment, python)))
