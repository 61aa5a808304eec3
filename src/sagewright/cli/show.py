"""What people see: rich on a terminal, plain lines when piped, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; tab-separated lines when piped."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(str(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", header_style="bold", show_header=any(columns))
    for column in columns:
        drawn.add_column(column)
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    Console().print(drawn)


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Name and value, a line each."""
    table(title, ("", ""), list(pairs.items()))


def as_json(value: Any) -> None:
    """JSON for scripts."""
    print(json.dumps(value, indent=2, default=str))


def ago(seconds: float) -> str:
    """A duration in words: "12 s", "3 min", "2 h", "5 d"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
