"""The documents say what the code does: docstrings, settings, rooms, and the pages that are made from the code."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import re
from pathlib import Path

import pytest

from sagewright.core.config import Config
from tests.conftest import ROOT
from tests.shape import coverage
from tests.shape.test_sizes import SOURCES, _name

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
_VARIABLE = re.compile(r"\bSAGEWRIGHT_[A-Z0-9_]*[A-Z0-9]\b")
# Packages that hold nothing but rooms, each of which has its docstring. May only shrink.
_SILENT: set[str] = set()  # may only shrink
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", [path for path in SOURCES if _name(path) not in _SILENT], ids=_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    words = ast.get_docstring(ast.parse(path.read_text()))
    assert words and len(words) > 20, "a module docstring says what it is, who calls it, what it calls"


def test_every_room_has_a_docstring_that_says_what_it_covers() -> None:
    rooms = coverage.rooms()
    silent = [room for room, words in rooms.items() if not words]
    assert [room for room in silent if f"src/{room.replace('.', '/')}/__init__.py" not in _SILENT] == []
    services = [room for room in rooms if re.fullmatch(r"sagewright\.(sagemaker|aws)\.\w+|sagewright_kit\.\w+", room)]
    assert len(services) > 10
    silent = [room for room in services if "Covered:" not in rooms[room]]
    assert silent == []
    one_sided = [room for room in services if not re.search(r"Not covered|hosting ends Failed", rooms[room])]
    assert one_sided == [], "say what is left out too"


def test_every_room_stands_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [room for room in coverage.rooms() if room != "sagewright"]
    assert [room for room in rooms if f"`{room}`" not in page] == []


def test_the_seams_of_the_architecture_are_those_of_the_code() -> None:
    table = re.compile(r"^\| +`?(\w+)`? +\| +`?([A-Z]\w+)`? +\|", re.M)
    code = table.findall((ROOT / "src/sagewright/core/seams.py").read_text())
    shown = (ROOT / "docs" / "architecture.md").read_text()
    assert code and all(f"| `{part}` | `{protocol}` |" in shown for part, protocol in code if part != "part")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Config)])
def test_every_setting_is_documented(field: str) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert re.search(rf"^\| `{field}` \|", page, re.M)
    assert re.search(rf"\b{field}\b", Config.__doc__ or ""), "Config's docstring too"


def test_every_default_is_the_documented_one() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for field in dataclasses.fields(Config):
        if isinstance(field.default, str | float | int) and not isinstance(field.default, bool):
            row = re.search(rf"^\| `{field.name}` \|[^|]*\| ([^|]*) \|", page, re.M)
            assert row is not None and row.group(1) == (str(field.default) or "empty"), field.name


def test_every_environment_variable_is_documented_and_read() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    files = [path for folder in ("src", "scripts", "tests", "bench") for path in (ROOT / folder).rglob("*")
             if path.is_file() and path.suffix in ("", ".py", ".sh", ".mjs") and "__pycache__" not in path.parts]
    used = {name for path in files for name in _VARIABLE.findall(path.read_text(errors="ignore"))}
    assert len(used) > 5
    assert sorted(used - set(_VARIABLE.findall(page))) == []
    assert sorted(set(_VARIABLE.findall(page)) - used) == []


def test_the_coverage_page_is_current() -> None:
    assert coverage.COVERAGE.read_text() == coverage.coverage(), "run scripts/coverage"


def test_the_page_of_differences_is_current() -> None:
    page = coverage.DIFFERENCES.read_text()
    assert page == coverage.differences(page), "run scripts/coverage"
    assert page.count("###") >= 5


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = [target for target in _LINK.findall(path.read_text()) if "://" not in target]
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_instructions_for_programs_fit_on_a_page() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) <= 60


def test_every_dependency_of_the_server_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [re.split(r"[=<>\[; ]", text)[0] for text in project["dependencies"]]
    page = (ROOT / "docs" / "why" / "dependencies.md").read_text()
    assert [name for name in wanted if f"\n| {name} |" not in page] == []
    listed = re.findall(r"^\| ([a-z]\w+) \|", page, re.M)
    assert sorted(set(listed) - set(wanted) - {"package"}) == [], "no longer a dependency"


def test_every_chapter_is_under_the_contract_of_independence() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    listed = contracts["importlinter:contract:chapters"]["modules"].split()
    chapters = [f"sagewright.sagemaker.{path.parent.name}"
                for path in (ROOT / "src/sagewright/sagemaker").glob("*/__init__.py")]
    assert sorted(listed) == sorted(chapters)
