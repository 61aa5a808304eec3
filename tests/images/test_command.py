"""`python -m sagewright.images`, as `make setup` uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.images import __main__ as command
from sagewright.images import shelf


@pytest.mark.parametrize(("asked", "meant"), [
    ("xgboost-1.7", "xgboost-1.7-1"), ("sklearn-1.2", "sklearn-1.2-1"), ("pytorch-2.8", "pytorch-2.8.0"),
    ("xgboost-0.90-2", "xgboost-0.90-2"), ("nothing", "nothing"),
])
def test_a_name_may_be_the_beginning_of_an_environments(tmp_path: Path, asked: str, meant: str) -> None:
    assert command.full_name(shelf.Shelf(tmp_path), asked) == meant


def test_an_environment_that_does_not_exist_is_an_error_and_no_traceback(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["build", "nothing-1.0", "--cache", str(tmp_path)]) == 1
    assert "nothing-1.0" in capsys.readouterr().err


def test_list_names_every_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["list", "--cache", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("xgboost-0.90-1", "sklearn-1.4-2", "pytorch-1.0.0"))
