"""The SageMaker SDK 2 against a live server: unmodified scripts that would run on AWS."""

from __future__ import annotations

import os
import re

import pytest

from tests.conftest import ROOT
from tests.sdk.clients import Client

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("sdk2")]


def test_the_fraud_detection_example(sdk2: Client) -> None:
    said = sdk2.script(ROOT / "examples" / "fraud_detection.py")
    accuracy = re.search(r"accuracy (0\.\d+), plain xgboost (0\.\d+)", said)
    assert accuracy and accuracy[1] == accuracy[2] and float(accuracy[1]) > 0.8
    assert "#011train-auc:" in said or "\ttrain-auc:" in said, said
    assert "deleted" in said


def test_script_mode_from_source_directory_to_prediction(sdk2: Client) -> None:
    said = sdk2.script("sklearn_estimator.py")
    assert "script mode works" in said
    assert "note is 'with spaces'" in said and "train_accuracy=" in said, said
    assert "inflection" in said and "Training job completed" in said, said


def test_xgboost_in_script_mode(sdk2: Client) -> None:
    said = sdk2.script("xgboost_estimator.py")
    assert "xgboost script mode works" in said and "trees: 12" in said


def test_session_roles_and_buckets(sdk2: Client) -> None:
    assert "session works" in sdk2.script("session_and_buckets.py")


def test_a_model_from_an_archive_and_its_update(sdk2: Client) -> None:
    assert "model works" in sdk2.script("sklearn_model.py")


def test_stopped_and_failing_jobs(sdk2: Client) -> None:
    said = sdk2.script("stop_and_failure.py")
    assert "stop and failure work" in said and "KeyError" in said


@pytest.mark.slow
@pytest.mark.skipif("SAGEWRIGHT_TEST_PYTORCH" not in os.environ, reason="its environment is large; set "
                    "SAGEWRIGHT_TEST_PYTORCH=1 to build and test it")
@pytest.mark.timeout(1200)
def test_pytorch_trains_and_serves_torchscript(sdk2: Client) -> None:
    said = sdk2.script("pytorch_estimator.py", seconds=1100)
    assert "pytorch works" in said and "loss=0.0" in said
