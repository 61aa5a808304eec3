"""`sagewright doctor`: what of sandboxes, engines, accelerators and disk is here, and what to install."""

from __future__ import annotations

from typing import Any

from sagewright.cli import show
from sagewright.cli.place import Place

_GIB = 1024**3


def doctor(place: Place, as_json: bool) -> int:
    """Print the findings; exit status 1 if jobs would run without a sandbox."""
    from sagewright.engine import detect

    found = detect.facts(place.data_dir)
    if as_json:
        show.as_json(found)
    else:
        show.table("What is here", ("", "found", "advice"), rows(found))
    return 0 if found["bwrap_works"] or found["docker"] else 1


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """One line per finding: name, what is there, what to do about it."""
    sandbox = "" if found["bwrap_works"] else \
        "allow user namespaces (sysctl kernel.unprivileged_userns_clone or your AppArmor profile)" if found["bwrap"] \
        else "apt-get install bubblewrap: without it jobs run as plain processes"
    gpus = ", ".join(f"{gpu['name']} ({gpu['memory']} MiB)" for gpu in found["gpus"])
    return [
        ("machine", f"{found['cores']} cores, {found['memory'] / _GIB:.0f} GiB memory", ""),
        ("bubblewrap", f"{found['bwrap'] or 'not installed'}{', works' if found['bwrap_works'] else ''}", sandbox),
        ("user", "root: each job gets a user of its own" if found["root"] else "not root: jobs share your user", ""),
        ("cgroups", found["cgroups"] or "none", "" if found["cgroups"] not in ("", "none") else
         "memory and processor limits fall back to rlimits"),
        ("Docker or Podman", found["docker"] or "no engine answers", "" if found["docker"] else
         "only needed for images of your own"),
        ("GPU", gpus or "none", ""),
        ("disk", f"{found['disk_free'] / _GIB:.0f} GiB free for {found.get('data_dir', 'the data directory')}",
         "" if found["disk_free"] > 5 * _GIB else "environments take 0.3 to 1 GiB each: make room"),
    ]
