"""The two pages of docs/ that are made from the code: coverage.md whole, and the rooms' part of differences.md.

`scripts/coverage` writes them; `test_documents.py` checks that they are current. Facts come from `core.dispatch` and
from the rooms' own docstrings, so that neither page can say more than the code does.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from sagewright.cli import assembly
from sagewright.core import model
from sagewright.core.dispatch import Dispatch
from sagewright.sagemaker import unsupported
from tests.conftest import ROOT

COVERAGE, DIFFERENCES = ROOT / "docs" / "coverage.md", ROOT / "docs" / "differences.md"
BEGIN, END = "<!-- from the rooms' docstrings, by scripts/coverage -->", "<!-- end -->"
# The router answers these on the event loop (gateway/invocations.py), so they are in no table of handlers.
_ROUTED = ("InvokeEndpoint", "InvokeEndpointWithResponseStream")
_HEAD = """# Which operations are there

Written by `scripts/coverage` from the table that answers requests (`core/dispatch.py`) and botocore's models; a test
keeps it current. **Derived** operations follow from the model and a noun's declaration (`core/verbs.py`); **written**
ones have code of their own. What is listed as not yet is refused with an error that names the operation. What a served
operation does and leaves out stands in its room's docstring; where it differs from AWS on purpose, in
[differences.md](differences.md).
"""


def coverage() -> str:
    """The whole of docs/coverage.md."""
    dispatch = Dispatch(assembly.services())
    names = {service: model.operation_names(service) for service in (*dispatch.served, "sagemaker-runtime")}
    lines = [_HEAD, "| service | served | derived | written | in the model |", "|---|---|---|---|---|"]
    for service, operations in names.items():
        how = [_how(dispatch, service, name) for name in operations]
        lines.append(f"| {service} | {len(how) - how.count('')} | {how.count('derived')} | {how.count('written')} "
                     f"| {len(how)} |")
    for service, operations in names.items():
        lines += ["", f"## {service}", ""]
        if service == "sagemaker":
            for chapter in sorted(unsupported.CHAPTERS):
                lines += [f"### {chapter}", "", *_lists(dispatch, service, unsupported.CHAPTERS[chapter]), ""]
        else:
            lines += _lists(dispatch, service, operations)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _how(dispatch: Dispatch, service: str, operation: str) -> str:
    place = dispatch.where(service, operation)
    return place.how if place else "written" if service == "sagemaker-runtime" and operation in _ROUTED else ""


def _lists(dispatch: Dispatch, service: str, operations: tuple[str, ...] | list[str]) -> list[str]:
    found: list[str] = []
    for how, words in (("derived", "Derived"), ("written", "Written"), ("", "Not yet")):
        names = sorted(name for name in operations if _how(dispatch, service, name) == how)
        if names:
            found += ([""] if found else []) + [f"{words} ({len(names)}): {', '.join(names)}"]
    return found


def rooms() -> dict[str, str]:
    """Every room with its docstring: the packages of src, by dotted name."""
    return {".".join(file.relative_to(ROOT / "src").parts[:-1]): ast.get_docstring(ast.parse(file.read_text())) or ""
            for file in sorted((ROOT / "src").rglob("__init__.py"))
            if "migrations" not in file.parts}


def differences(page: str) -> str:
    """docs/differences.md with the rooms' part written anew."""
    parts = []
    for room, words in rooms().items():
        found = re.search(r"^Differences from AWS: (.*?)(?:\n\n|\Z)", words, re.S | re.M)
        if found:
            told = found.group(1).replace("\n", " ")
            parts.append(f"### {room.removeprefix('sagewright.').replace('.', '/')}\n\n{told[0].upper()}{told[1:]}\n")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{after}"


def write(path: Path, text: str) -> None:
    """Put the page in place whole."""
    partial = path.with_name(f".{path.name}")
    partial.write_text(text)
    partial.replace(path)


if __name__ == "__main__":
    write(COVERAGE, coverage())
    write(DIFFERENCES, differences(DIFFERENCES.read_text()))
