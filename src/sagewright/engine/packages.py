"""How jobs reach the package index that this machine uses: pip's own settings, passed on as variables and binds.

Called by `local.py`. Reads pip's configuration files and PIP_* variables of the control plane, so that a job's
`pip install` asks the same index as a `pip install` beside it. Local directories among them are shown read-only.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_PASSED = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
           "constraint": "UV_CONSTRAINT", "trusted-host": "", "no-index": "", "timeout": "", "retries": ""}


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's option names (index-url, find-links, ...) to their values, variables over files."""
    found: dict[str, str] = {}
    for name in (*_FILES, environ.get("PIP_CONFIG_FILE", "")):
        parser = configparser.ConfigParser(interpolation=None)
        with suppress(configparser.Error, OSError, UnicodeDecodeError):
            if name and parser.read(Path(name).expanduser()):
                for section in ("global", "install"):
                    if parser.has_section(section):
                        found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name in _PASSED:
        if value := environ.get("PIP_" + name.upper().replace("-", "_")):
            found[name] = value
    return {name: " ".join(value.split()) for name, value in found.items() if name in _PASSED and value.strip()}


def for_jobs(environ: Mapping[str, str] = os.environ) -> tuple[dict[str, str], list[str]]:
    """Variables for a job, and the host paths that it must see for them to make sense."""
    variables, paths = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}, []
    for name, value in settings(environ).items():
        variables["PIP_" + name.upper().replace("-", "_")] = value
        if _PASSED[name]:
            variables[_PASSED[name]] = value.replace(" ", ",") if name == "find-links" else value
        paths += [_around(path) if "index" in name else path for word in value.split() if (path := local_path(word))]
    return variables, list(dict.fromkeys(paths))


def _around(index: str) -> str:
    """An index links to files beside it (`../../files/x.whl`): the directory above it, unless that is a top one."""
    above = Path(index).parent
    return str(above) if len(above.parts) > 2 else index


def local_path(word: str) -> str:
    """The existing host path that a value names (a path or a file URL), or ""."""
    path = unquote(urlsplit(word).path) if word.startswith("file://") else word
    return path.rstrip("/") if path.startswith("/") and path.strip("/") and Path(path).exists() else ""
