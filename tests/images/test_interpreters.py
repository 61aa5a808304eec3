"""Finding interpreters: real programs only, wherever they were installed, readable ones first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sagewright.images import interpreters

NOWHERE = {"PATH": "", "HOME": "/nowhere"}


def place(folder: Path, name: str) -> Path:
    """A file that looks like an interpreter from outside: an ELF program of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/true", folder / name)
    return folder / name


def test_the_interpreter_that_runs_this_is_found_and_starts() -> None:
    found = interpreters.find()[f"3.{sys.version_info.minor}"]
    answer = subprocess.run([found, "-c", "import sys; print('3.%d' % sys.version_info[1])"], capture_output=True,
                            text=True, check=True)
    assert answer.stdout.strip() == f"3.{sys.version_info.minor}"


@pytest.mark.parametrize("where", ["path", "pyenv", "uv"])
def test_path_pyenv_and_uv_are_looked_at(tmp_path: Path, where: str) -> None:
    folder = {"path": tmp_path / "bin", "pyenv": tmp_path / ".pyenv/versions/3.14.2/bin",
              "uv": tmp_path / ".local/share/uv/python/cpython-3.14.2-linux/bin"}[where]
    there = place(folder, "python3.14")
    found = dict(interpreters.candidates({"PATH": str(folder) if where == "path" else "", "HOME": str(tmp_path)}))
    assert found["3.14"] == str(there)


def test_the_newest_patch_release_is_taken(tmp_path: Path) -> None:
    for version in ("3.14.2", "3.14.10", "3.14.9"):
        place(tmp_path / ".pyenv/versions" / version / "bin", "python3.14")
    assert "3.14.10" in interpreters.find({"PATH": "", "HOME": str(tmp_path)})["3.14"]


def test_shims_virtual_environments_and_broken_links_are_passed_over(tmp_path: Path) -> None:
    shims, venv, links = tmp_path / "shims", tmp_path / "venv", tmp_path / "links"
    shims.mkdir()
    (shims / "python3.14").write_text("#!/bin/sh\n")
    (shims / "python3.14").chmod(0o755)
    place(venv / "bin", "python3.14")
    (venv / "pyvenv.cfg").touch()
    links.mkdir()
    (links / "python3.14").symlink_to("/gone")
    path = os.pathsep.join(map(str, (shims, venv / "bin", links)))
    assert "3.14" not in dict(interpreters.candidates({"PATH": path, "HOME": str(tmp_path)}))


def test_one_that_every_user_may_start_is_preferred() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        shared = Path(folder)
        shared.chmod(0o755)
        place(shared / "hidden" / "bin", "python3.14")
        there = place(shared / "public" / "bin", "python3.14")
        (shared / "hidden").chmod(0o700)
        (shared / "public").chmod(0o755)
        (shared / "public" / "bin").chmod(0o755)
        path = f"{shared}/hidden/bin{os.pathsep}{shared}/public/bin"
        assert interpreters.find({"PATH": path, "HOME": "/nowhere"})["3.14"] == str(there)


def test_minor_versions_come_in_order() -> None:
    found = list(interpreters.find())
    assert found == sorted(found, key=lambda minor: int(minor.split(".")[1]))
    assert interpreters.find(NOWHERE)           # at least the running one
