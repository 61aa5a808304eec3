"""The package index of this machine, as jobs are told of it."""

from __future__ import annotations

import pytest

from sagewright.engine import packages


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A machine whose pip is configured by one file below tmp_path."""
    monkeypatch.setattr(packages, "_FILES", (str(tmp_path / "pip.conf"),))
    (tmp_path / "mirror" / "simple").mkdir(parents=True)
    (tmp_path / "wheels").mkdir()
    return tmp_path


def test_settings_come_from_files_and_variables_win(host):
    (host / "pip.conf").write_text("[global]\nindex-url = https://one.test/simple\ntimeout = 5\n[list]\nformat = x\n")
    found = packages.settings({"PIP_INDEX_URL": "https://two.test/simple", "PIP_UNKNOWN": "x"})
    assert found == {"index-url": "https://two.test/simple", "timeout": "5"}


def test_local_directories_are_shown_with_what_lies_beside_an_index(host):
    (host / "pip.conf").write_text(f"[global]\nextra-index-url =\n  file://{host}/mirror/simple\n  https://far.test/simple\n"
                                   f"find_links = {host}/wheels {host}/absent\n")
    variables, paths = packages.for_jobs({})
    assert paths == [f"{host}/mirror", f"{host}/wheels"]
    assert variables["PIP_EXTRA_INDEX_URL"] == f"file://{host}/mirror/simple https://far.test/simple"
    assert variables["UV_FIND_LINKS"] == f"{host}/wheels,{host}/absent"
    assert variables["UV_INDEX"] == variables["PIP_EXTRA_INDEX_URL"]


def test_a_broken_configuration_file_is_no_configuration(host):
    (host / "pip.conf").write_bytes(b"\xff\xfe not [ini")
    assert packages.settings({}) == {}


@pytest.mark.parametrize("word", ["", "relative", "https://x.test/", "/", "file:///", "/nonexistent/place"])
def test_what_is_no_existing_path_is_none(word):
    assert packages.local_path(word) == ""
