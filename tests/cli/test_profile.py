"""The AWS shared config file: our profile comes and goes, everything else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.cli import profile

OURS = profile.section("http://localhost:4566", "us-west-2", "AKIA", "secret", Path("/data"))
OTHERS = "# mine\n[default]\nregion = eu-west-1\n\n[profile work]\nsso_session = x\n"


@pytest.mark.parametrize("before", ["", OTHERS, OTHERS.rstrip("\n"), OTHERS + "\n"])
def test_writing_and_removing_leaves_the_rest_as_it_was(before: str) -> None:
    with_it = profile.with_profile(before, OURS)
    assert with_it is not None and OURS in with_it and with_it.startswith(before)
    assert profile.without_profile(with_it, Path("/data")).strip() == before.strip()


def test_writing_again_renews_only_our_section() -> None:
    text = profile.with_profile(OTHERS, OURS) + "\n[profile later]\nregion = ap-south-1\n"
    newer = OURS.replace("4566", "9999")
    changed = profile.with_profile(text, newer)
    assert changed == text.replace(OURS, newer)


def test_a_profile_of_that_name_that_is_not_ours_is_left_alone() -> None:
    text = "[profile sagewright]\nregion = us-east-1\n"
    assert profile.with_profile(text, OURS) is None
    assert profile.without_profile(text) == text


def test_another_data_directorys_profile_is_not_removed() -> None:
    text = profile.with_profile("", OURS)
    assert text is not None and profile.without_profile(text, Path("/elsewhere")) == text


def test_the_file_keeps_its_mode_and_stays_behind_its_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, link = tmp_path / "dotfiles" / "config", tmp_path / "config"
    real.parent.mkdir()
    real.write_text(OTHERS)
    real.chmod(0o644)
    link.symlink_to(real)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(link))
    assert profile.write(OURS)
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o644 and OURS in real.read_text()
    assert profile.remove(Path("/data")) and real.read_text() == OTHERS
