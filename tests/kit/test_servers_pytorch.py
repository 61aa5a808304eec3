"""The PyTorch image's server: TorchScript by default, and the inference toolkit's answers to errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.conftest import environment, run_python

JSON, CSV = "application/json", "text/csv"
SAVE = """
import sys, torch
class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2
torch.jit.trace(Double(), torch.ones(1, 2)).save(sys.argv[1])
"""


@pytest.fixture
def python() -> Path:
    return environment("pytorch-2.13.0")


def test_a_torchscript_model_needs_no_code(serve: Any, python: Path, tmp_path: Path) -> None:
    run_python(python, SAVE, str(tmp_path / "model.pt"))
    server = serve(python, {"model.pt": (tmp_path / "model.pt").read_bytes()})
    assert json.loads(server.request("GET", "/ping")[2]) == {"status": "Healthy"}
    assert json.loads(server.invoke("[[1, 2.5]]", Content_Type=JSON)[2]) == [[2.0, 5.0]]
    assert server.invoke("1,2\n3,4", Content_Type=CSV, Accept=CSV)[2] == b"2.0,4.0\n6.0,8.0\n"
    for headers in ({"Content_Type": "a/b"}, {"Content_Type": JSON, "Accept": "a/b"}):
        status, _, answer = server.invoke("[1]", **headers)
        assert status == 500 and b"is not supported by this framework" in answer


def test_an_exception_may_state_its_own_status(serve: Any, python: Path) -> None:
    code = (
        "class Mine(Exception):\n    status_code, message, phrase = 422, 'too long', 'x'\n"
        "def model_fn(d):\n    return 1\ndef predict_fn(data, model):\n    raise Mine()\n"
    )
    server = serve(python, {"code/inference.py": code})
    status, _, answer = server.invoke("[1]", Content_Type=JSON)
    assert status == 422 and answer.startswith(b"too long\nTraceback")


@pytest.mark.parametrize("files", [{}, {"a.pt": b"x", "b.pth": b"x"}, {"model.pt": b"junk"}])
def test_a_model_directory_without_one_model_ends_the_server(serve: Any, python: Path, files: dict[str, bytes]) -> None:
    server = serve(python, files, ready=False)
    assert server.process.wait(90) == 1
    assert "Traceback" in server.log.read_text()
