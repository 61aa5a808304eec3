"""What an agent knows, on disk: an append-only file of JSON lines, one per phase, and how the lines fold into a state.

Written by the agent (and by the engine before an agent starts and after one died); read by the engine. A torn last line
is ignored. A line is {"phase", "at", "message"} and, where known, "address", "note", and at the end everything in
`Ending`'s words: "exit_code", "failure", "blame", "ended_by", "final_metrics", "last_lines".
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Status:
    """The writing side."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def enter(self, phase: str, message: str = "", **facts: Any) -> None:
        """A new phase, durable before this returns."""
        line = {"phase": phase, "at": time.time(), "message": message, **facts}
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.dumps(line).encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line, oldest first."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    for raw in text.split(b"\n")[:-1]:
        try:
            lines.append(json.loads(raw))
        except ValueError:
            continue
    return lines
