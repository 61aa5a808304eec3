"""Functions of up to 40 lines and files of up to 400. The tables of exceptions may only shrink."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FUNCTION, FILE = 40, 400
# What is allowed to be longer, and why: "path" -> (lines, reason), "path:function" -> (lines, reason).
LONG_FILES: dict[str, tuple[int, str]] = {}
LONG_FUNCTIONS: dict[str, tuple[int, str]] = {}

SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if "__pycache__" not in path.parts)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{_name(path)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_there_is_something_to_measure() -> None:
    assert len(SOURCES) > 150 and sum(1 for path in SOURCES for _ in _functions(path)) > 1500


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_files_and_functions_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONG_FILES.get(_name(path), (FILE,))[0], f"{_name(path)} has {lines} lines: split it by idea"
    longer = {name: size for name, size in _functions(path) if size > LONG_FUNCTIONS.get(name, (FUNCTION,))[0]}
    assert not longer, "split by level of abstraction"


def test_the_tables_of_exceptions_name_nothing_that_is_short_again() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in SOURCES}
    functions = dict(pair for path in SOURCES for pair in _functions(path))
    stale = [name for name, (allowed, _) in LONG_FILES.items() if lengths.get(name, 0) <= FILE or
             lengths[name] < allowed]
    stale += [name for name, (allowed, _) in LONG_FUNCTIONS.items() if functions.get(name, 0) <= FUNCTION or
              functions[name] < allowed]
    assert stale == [], "take these out of the table, or lower their number to what they have"
