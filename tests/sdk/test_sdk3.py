"""The SageMaker SDK 3 against a live server: unmodified scripts that would run on AWS."""

from __future__ import annotations

import pytest

from tests.sdk.clients import Client

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("sdk3")]


def test_model_trainer_and_core_resources(sdk3: Client) -> None:
    said = sdk3.script("v3_model_trainer.py")
    assert "sdk 3 works" in said
    assert "Final Score of ['a', 'b']: score=0.9" in said and '"inverse-strength":2.5' in said.replace(" ", ""), said


def test_model_builder_deploys_source_code_beside_an_archive(sdk3: Client) -> None:
    assert "model builder works" in sdk3.script("v3_model_builder.py")
