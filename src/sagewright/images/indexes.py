"""Where packages come from on this machine: pip's own settings, said again in uv's words.

uv does not read pip's configuration, and a machine's owner has often set it (a mirror, a folder of wheels, a
certificate). `build.py` and `lock.py` call `uv_flags(pip_settings())`; nothing here talks to the network.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import uv as uv_package

_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-\d[^-]*)?-(?P<python>[^-]+)-[^-]+-[^-]+\.whl")


@dataclass(frozen=True)
class PipSettings:
    """What pip would look at: the main index ("" for its default), further indexes, folders or pages of wheels."""

    index: str = ""
    extra: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    offline: bool = False
    certificate: str = ""


def uv() -> str:
    """The uv executable that comes with the package of that name."""
    return os.fsdecode(uv_package.find_uv_bin())


def pip_settings(environ: Mapping[str, str] | None = None, files: list[Path] | None = None) -> PipSettings:
    """Read pip's configuration files, then its environment variables, which win."""
    environ = os.environ if environ is None else environ
    found: dict[str, str] = {}
    for path in pip_files(environ) if files is None else files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue            # pip itself says what is wrong with it; a job must not fail for that
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for key in ("index-url", "extra-index-url", "find-links", "no-index", "cert"):
        value = environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            found[key] = value
    return PipSettings(found.get("index-url", "").strip(), tuple(found.get("extra-index-url", "").split()),
                       tuple(found.get("find-links", "").split()),
                       found.get("no-index", "").strip().lower() in ("1", "true", "yes", "on"),
                       found.get("cert", "").strip())


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """pip's configuration files in the order in which they are read: global, user, PIP_CONFIG_FILE."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path(environ.get("HOME", "/"))
    shared = [Path(folder) / "pip" / "pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    user = [home / ".pip" / "pip.conf", Path(environ.get("XDG_CONFIG_HOME", home / ".config")) / "pip" / "pip.conf"]
    return [*shared, Path("/etc/pip.conf"), *user, *([Path(named)] if named else [])]


def uv_flags(settings: PipSettings, find_links: bool = True) -> list[str]:
    """The same settings as flags of `uv pip`; all indexes count alike, as they do for pip."""
    flags = ["--index-strategy", "unsafe-best-match"]
    if settings.index:
        flags += ["--default-index", settings.index]
    if find_links:
        for index in settings.extra:
            flags += ["--index", index]
        for link in settings.links:
            flags += ["--find-links", link]
    if settings.offline:
        flags.append("--no-index")
    return flags


def uv_environment(settings: PipSettings) -> dict[str, str]:
    """Variables for uv: the certificate that pip uses."""
    return {"SSL_CERT_FILE": settings.certificate} if settings.certificate else {}


def wheels_at_hand(settings: PipSettings) -> set[tuple[str, str, str]]:
    """(distribution, version, Python tag) of every wheel in the local folders that pip would look at."""
    found = set()
    for link in settings.links:
        folder = Path(unquote(urlparse(link).path)) if link.startswith("file:") else Path(link)
        for wheel in folder.glob("*.whl") if "://" not in str(link) or link.startswith("file:") else ():
            name = _WHEEL.fullmatch(wheel.name)
            if name is not None:
                found.add((name["name"].lower().replace("_", "-"), name["version"], name["python"]))
    return found
