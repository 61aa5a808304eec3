"""The SM_* variables and script arguments equal those that sagemaker-training 5.1.4 computed (goldens)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright_kit.contract.environment import Training
from sagewright_kit.contract.errors import ClientError
from sagewright_kit.contract.paths import Paths

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "training_environment.json").read_text())
ENV = ("SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY", "SAGEMAKER_TRAINING_MODULE", "TRAINING_JOB_NAME")


def read(case: dict[str, Any], base: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    (base / "input" / "config").mkdir(parents=True)
    for name in ("hyperparameters", "inputdataconfig", "resourceconfig"):
        (base / "input" / "config" / f"{name}.json").write_text(json.dumps(case[name]))
    for name in ENV:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_DEFAULT_REGION": "eu-west-1", "SAGEWRIGHT_NUM_CPUS": "2", **case["env"]}.items():
        monkeypatch.setenv(name, value)
    return Training(Paths(str(base)))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_variables_and_arguments_equal_those_of_the_toolkit(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = read(case, tmp_path, monkeypatch)
    variables = {name: value.replace(str(tmp_path), "{BASE}") for name, value in training.variables().items()}
    assert variables == case["expect"]["vars"]
    assert training.arguments() == case["expect"]["args"]
    assert training.process_variables() == case["expect"]["process"]


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_configuration_file_that_is_no_object_is_a_client_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "input" / "config").mkdir(parents=True)
    (tmp_path / "input" / "config" / "hyperparameters.json").write_text(text)
    with pytest.raises(ClientError, match=r"hyperparameters\.json"):
        Training(Paths(str(tmp_path)))
