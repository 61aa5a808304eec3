"""Which Python interpreters this machine has, by minor version, without starting any of them.

`shelf.py` asks once per process. Looked at, in this order: the interpreter that runs Sagewright, `python3.N` on PATH
and in the usual folders, pyenv's versions, uv's managed interpreters. Shims (pyenv's are shell scripts) and virtual
environments are passed over: an environment must be made from an interpreter that stands on its own.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

MINORS = tuple(f"3.{minor}" for minor in range(7, 15))
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/python/bin")
_EXACT = re.compile(r"python3\.(\d+)$")


def find(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Minor version -> real path of an interpreter; one that any user may read is preferred."""
    environ = os.environ if environ is None else environ
    found: dict[str, str] = {}
    for minor, path in candidates(environ):
        if minor in MINORS and (minor not in found or (is_public(path) and not is_public(found[minor]))):
            found[minor] = path
    return dict(sorted(found.items(), key=lambda item: MINORS.index(item[0])))


def candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(minor version, real path) of every interpreter in sight."""
    own = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    for path in (own, *_on_path(environ), *_managed(environ)):
        real = os.path.realpath(path)
        minor = _EXACT.search(real)
        if minor and is_program(real) and not Path(real).parent.parent.joinpath("pyvenv.cfg").exists():
            yield f"3.{minor[1]}", real


def is_program(path: str) -> bool:
    """Whether that is an executable binary rather than a script."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) in (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe") and os.access(path, os.X_OK)
    except OSError:
        return False


def is_public(path: str) -> bool:
    """Whether a user of no special rights could start it: every folder above may be entered by all."""
    try:
        return all(folder.stat().st_mode & stat.S_IXOTH for folder in Path(path).parents)
    except OSError:
        return False


def _on_path(environ: Mapping[str, str]) -> Iterator[Path]:
    for folder in (*environ.get("PATH", "").split(os.pathsep), *_FOLDERS):
        if folder and Path(folder).is_dir():
            yield from sorted(Path(folder).glob("python3.[0-9]*"))


def _managed(environ: Mapping[str, str]) -> Iterator[Path]:
    """pyenv's and uv's interpreters, newest patch release first."""
    home = Path(environ.get("HOME", "/root"))
    data = Path(environ.get("XDG_DATA_HOME", home / ".local" / "share"))
    folders = [Path(environ.get("PYENV_ROOT", home / ".pyenv")) / "versions",
               Path(environ.get("UV_PYTHON_INSTALL_DIR", data / "uv" / "python"))]
    for folder in folders:
        if folder.is_dir():
            for version in sorted(folder.iterdir(), key=_patch, reverse=True):
                yield from sorted(version.glob("bin/python3.[0-9]*"))


def _patch(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.name)[:3])
