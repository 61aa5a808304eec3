"""What must not stand in tracked files: paths and package mirrors of one machine, words on how the text came to be."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from sagewright.gateway import egress
from tests.conftest import ROOT

_PUBLIC = {"pypi.org", "files.pythonhosted.org", "localhost"}
# Written with a gap so that this file does not match itself.
_WORDS = re.compile("|".join([
    r"(?<![\w.])/wor[k]/", r"/home/(?!user\b|ubuntu\b|ec2-user\b|sagemaker-user\b|jovyan\b)[a-z]+/",
    r"\bsub-?agen[t]s?\b", r"\bartifactor[y]\b",
    r"\b(?:this|previous|another|next|earlier) (?:coding |chat )?sessio[n] (?:of|will|must|should)\b",
    r"\blanguage mode[l] (?:wrote|generated)", r"\bAI[- ]generate[d]\b", r"\bclaud[e]\b", r"\bchatgp[t]\b",
    r"\bco-authore[d]-by\b", r"\bas an a[i]\b"]), re.I)


def _tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in names.split("\0") if name]


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    found = {}
    for path in _tracked():
        if path.is_file() and b"\0" not in (data := path.read_bytes())[:8000]:
            found[path] = data.decode("utf-8", "replace")
    assert len(found) > 300
    return found


@pytest.mark.parametrize("text", ["see /wor" + "k/main/x", "a sub" + "agent did it", "/home/" + "joe/x",
                                  "Cla" + "ude", "this sess" + "ion must end"])
def test_the_pattern_finds_what_it_is_for(text: str) -> None:
    assert _WORDS.search(text)


def test_no_machine_paths_and_no_talk_of_how_the_text_came_to_be(texts: dict[Path, str]) -> None:
    hits = [f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}" for path, text in texts.items()
            for number, line in enumerate(text.splitlines(), 1) if _WORDS.search(line)]
    assert hits == []


def test_no_package_mirror_of_this_machine_is_named(texts: dict[Path, str]) -> None:
    mirrors = {host for host in egress.index_hosts() if "." in host} - _PUBLIC
    hits = [f"{path.relative_to(ROOT)}: {host}" for path, text in texts.items() for host in mirrors if host in text]
    assert hits == []


def test_the_lock_names_public_registries_only(texts: dict[Path, str]) -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", texts[ROOT / "uv.lock"]))
    assert hosts <= _PUBLIC
