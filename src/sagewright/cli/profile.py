"""The profile `sagewright` in the AWS shared config file: written by `up`, removed by `down --purge`.

Only the section that carries our mark is ever touched; a profile of that name that somebody else wrote stays as it is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

NAME = "sagewright"
_MARK = "# written by `sagewright up`; removed by `sagewright down --purge`"
_SECTION = re.compile(rf"(?m)^\[profile {NAME}\][ \t]*\n(?:(?!\[).*\n?)*")


def path() -> Path:
    """The AWS shared config file."""
    return Path(os.environ.get("AWS_CONFIG_FILE") or Path.home() / ".aws" / "config").expanduser()


def section(url: str, region: str, access_key: str, secret_key: str, data_dir: Path) -> str:
    """The profile as text."""
    return (f"[profile {NAME}]\n{_MARK}\n# data directory: {data_dir}\nendpoint_url = {url}\nregion = {region}\n"
            f"aws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")


def with_profile(text: str, profile: str) -> str | None:
    """The file's text with our profile put in or renewed; None where a profile of that name is not ours."""
    found = _SECTION.search(text)
    if found is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + profile
    if _MARK not in found.group():
        return None
    return text[:found.start()] + profile + ("\n" if text[found.end():] else "") + text[found.end():].lstrip("\n")


def without_profile(text: str, data_dir: Path | None = None) -> str:
    """The file's text without our profile (only that of one data directory, where given)."""
    found = _SECTION.search(text)
    if found is None or _MARK not in found.group():
        return text
    if data_dir is not None and f"# data directory: {data_dir}\n" not in found.group():
        return text
    before, after = text[:found.start()].rstrip("\n"), text[found.end():].lstrip("\n")
    return (before + "\n" if before else "") + ("\n" if before and after else "") + after


def write(profile: str) -> bool:
    """Put the profile into the config file; False where one of that name is not ours."""
    file = path()
    text = file.read_text() if file.exists() else ""
    changed = with_profile(text, profile)
    if changed is None:
        return False
    if changed != text:
        _replace(file, changed)
    return True


def remove(data_dir: Path) -> bool:
    """Take our profile out; whether there was one."""
    file = path()
    text = file.read_text() if file.exists() else ""
    changed = without_profile(text, data_dir)
    if changed == text:
        return False
    if changed.strip():
        _replace(file, changed)
    else:
        file.unlink()
    return True


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    real = file.resolve()  # the file may be a link into somebody's dotfiles
    partial = real.with_name(f".{real.name}.{os.getpid()}")
    mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    partial.replace(real)
