"""Places where a job's uid can reach what its sandbox binds. Called by the agent before anything else.

A data directory is often below a directory that only its owner can enter. As root, the agent takes a mount namespace
of its own and binds what the job needs below STAGE there; nobody else sees that. Otherwise the job runs as our uid and
can go where we can.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from sagewright.engine import namespaces

STAGE = "/run/sagewright-stage"


def stage(paths: Iterable[str]) -> Callable[[str], str]:
    """Bind these directories and files; gives the function from a host path at or below one to where it is now."""
    if os.geteuid() != 0:
        return lambda path: path
    places: dict[str, str] = {}
    try:
        namespaces.unshare(namespaces.NEWNS)
    except PermissionError:  # root without the capability, as in a container: where a job cannot reach is said by bwrap
        return lambda path: path
    namespaces.mount("none", "/", flags=namespaces.MS_REC | namespaces.MS_SLAVE)
    Path(STAGE).mkdir(mode=0o755, parents=True, exist_ok=True)
    namespaces.mount("tmpfs", STAGE, "tmpfs", data="mode=755,size=1m")
    for number, path in enumerate(dict.fromkeys(paths)):
        place = Path(STAGE, str(number))
        if not Path(path).exists():
            continue
        place.mkdir(0o755) if Path(path).is_dir() else place.touch(0o644)
        namespaces.bind(path, str(place))
        places[path] = str(place)

    def find(path: str) -> str:
        for source in sorted(places, key=len, reverse=True):
            if path == source or path.startswith(source.rstrip("/") + "/"):
                return places[source] + path[len(source):]
        return path

    return find
