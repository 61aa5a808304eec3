"""The five-minute guide of README.md, run as it stands there: SageMaker SDK and boto3, on a live server."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Live
from tests.sdk.clients import Client, python_environment

_PROGRAM = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.S)
PROGRAMS = dict(_PROGRAM.findall((ROOT / "README.md").read_text()))


@pytest.fixture
def guide(live: Live, tmp_path: Path) -> Client:
    """A directory like the reader's: the data, and each program under the name that README gives it."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "examples" / "data" / "spam7.csv", tmp_path)
    return Client(python_environment("examples"), live, tmp_path)


def test_the_guide_has_its_three_programs() -> None:
    assert sorted(PROGRAMS) == ["src/train.py", "with_boto3.py", "with_sdk.py"]


@pytest.mark.slow
@pytest.mark.sdk
@pytest.mark.parametrize("program", ["with_sdk.py", "with_boto3.py"])
def test_the_guide_trains_and_deploys(guide: Client, program: str) -> None:
    before = _endpoints(guide.live)
    assert "fraud? [1, 0]" in guide.script(guide.home / program, seconds=280)
    end = time.monotonic() + 60
    while not _endpoints(guide.live) <= before:  # a deleted endpoint takes a moment to go
        assert time.monotonic() < end, "the guide cleans up behind itself"
        time.sleep(0.1)


def _endpoints(live: Live) -> set[str]:
    return {endpoint["EndpointName"] for endpoint in live.client("sagemaker").list_endpoints()["Endpoints"]}
