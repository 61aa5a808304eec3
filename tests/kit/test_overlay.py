"""The writable environment over a read-only one, as a command for bootstraps that are not ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.kit.conftest import clean_environ, environment

MODULE = ("-m", "sagewright_kit.contract.overlay")


@pytest.fixture
def python() -> Path:
    return environment("sklearn-1.2-1")


def run(python: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = clean_environ(tmp_path, TMPDIR=str(tmp_path), PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0")
    command = [str(python), *MODULE, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def test_a_bootstrap_runs_inside_and_its_pip_installs_there(python: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='mine-own', py_modules=['mine_own'])"
    )
    (tmp_path / "mine" / "mine_own.py").write_text("WORD = 'installed'")
    script = (
        f"set -e; command -v python3; command -v pip3; pip3 install -q {tmp_path}/mine; "
        "python3 -c 'import mine_own, sklearn, sys; print(mine_own.WORD, mine_own.__file__, sys.prefix)'; exit 3"
    )
    done = run(python, tmp_path, "--", "/bin/sh", "-c", script)
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith(str(tmp_path)) for line in lines[:2])
    word, file, prefix = lines[-1].split()
    assert word == "installed" and file.startswith(prefix) and prefix.startswith(str(tmp_path))


def test_an_overlay_inside_an_overlay_is_the_same_one(python: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sagewright_kit.contract.overlay import Overlay\n"
        "print(Overlay().create().directory, sys.prefix)"
    )
    made, prefix = run(python, tmp_path, "--", "python", "-c", code).stdout.split()
    assert made == prefix
    assert len(list(tmp_path.glob("sagewright-env-*"))) == 1


def test_a_command_that_is_not_there_says_so(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "--", "/no/such/command")
    assert done.returncode == 127 and "/no/such/command" in done.stderr


def test_without_a_command_the_variables_are_printed(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, str(tmp_path / "here"))
    assert f"export VIRTUAL_ENV={tmp_path}/here" in done.stdout and done.returncode == 0
