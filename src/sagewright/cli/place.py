"""Where a server's data directory is, whether it runs, and which keys belong to it. Used by every command.

`<data>/run/server.json` exists while a server listens; `<data>/credentials.json` (mode 0600) holds the keys that `up`
made. The data directory is `--data-dir`, else `$SAGEWRIGHT_HOME`, else `~/.sagewright`.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Keys:
    """One access key pair, in the form that `core.signing` takes."""

    access_key: str
    secret_key: str
    token: str = ""


@dataclass(frozen=True)
class Place:
    """A data directory."""

    data_dir: Path

    def server(self) -> dict[str, Any] | None:
        """What the running server wrote about itself, or None if none answers."""
        try:
            state: dict[str, Any] = json.loads((self.data_dir / "run" / "server.json").read_text())
            health = f"http://127.0.0.1:{state['port']}/_sagewright/health"
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(health, timeout=5) as answer:
                return state if json.load(answer).get("pid") == state["pid"] else None
        except (OSError, ValueError, KeyError):
            return None

    def facts(self) -> dict[str, Any]:
        """Account, region, role ARN and keys; SystemExit with a hint where there is no server yet."""
        try:
            found: dict[str, Any] = json.loads((self.data_dir / "credentials.json").read_text())
        except FileNotFoundError:
            raise SystemExit(f"There is no Sagewright in {self.data_dir} yet. "
                             "Start one: sagewright up --detach") from None
        return found

    def keys(self, who: str = "role") -> Keys:
        """The "role" or "root" key pair."""
        return Keys(*self.facts()["keys"][who])

    def need_server(self) -> dict[str, Any]:
        """The running server, or SystemExit with a hint."""
        state = self.server()
        if state is None:
            raise SystemExit(f"No server is running for {self.data_dir}. Start it: sagewright up --detach")
        return state


def place(data_dir: Path | None) -> Place:
    """The place that the flags and the environment name."""
    chosen = data_dir or Path(os.environ.get("SAGEWRIGHT_HOME") or Path.home() / ".sagewright")
    return Place(chosen.expanduser().absolute())


def write_private(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that only the owner may read, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
