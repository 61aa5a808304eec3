"""Every command that the documents show exists, with those flags."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sagewright.cli.main import parser
from tests.conftest import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md")]
_BLOCK = re.compile(r"```sh\n(.*?)```|((?:^    .+\n)+)", re.S | re.M)
_SCRIPT = re.compile(r"(?<![\w/])scripts/(\w+)")
_MAKE = re.compile(r"\bmake (\w+)")


def _lines(page: Path) -> list[str]:
    blocks = ["".join(found) for found in _BLOCK.findall(page.read_text())]
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def _ours(line: str) -> list[str] | None:
    """The arguments of the `sagewright` command on that line."""
    found = re.search(r"(?:^|[\s/(])sagewright ((?:up|down|status|env|run|logs|ops|doctor)\b[^)\"]*)", line)
    return shlex.split(re.split(r"\s{2,}", found.group(1), maxsplit=1)[0]) if found else None


COMMANDS = [(page.name, arguments) for page in PAGES for line in _lines(page) if (arguments := _ours(line))]


def test_the_guide_shows_every_command() -> None:
    shown = {arguments[0] for page, arguments in COMMANDS if page == "README.md"}
    assert shown == {"up", "down", "status", "env", "run", "logs", "ops", "doctor"}


@pytest.mark.parametrize(("page", "arguments"), COMMANDS, ids=lambda value: " ".join(value) if value else "")
def test_a_command_of_the_documents_is_understood(page: str, arguments: list[str]) -> None:
    assert parser().parse_args(arguments).command == arguments[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_and_make_targets_exist(page: Path) -> None:
    text = page.read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.M))
    assert {name for name in _SCRIPT.findall(text) if not (ROOT / "scripts" / name).exists()} == set()
    assert {name for name in _MAKE.findall(text) if name in ("demo", "test", "check")} <= targets


def test_every_script_says_how_it_is_used() -> None:
    for script in (ROOT / "scripts").iterdir():
        assert "Usage: scripts/" in script.read_text(), script.name
        assert script.stat().st_mode & 0o111, f"{script.name} cannot be run"
