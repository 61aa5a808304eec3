"""pip's settings, read as pip reads them and said again to uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.images.indexes import PipSettings, pip_settings, uv_environment, uv_flags, wheels_at_hand


def test_nothing_configured_gives_no_indexes() -> None:
    assert pip_settings({}, []) == PipSettings()
    assert uv_flags(PipSettings()) == ["--index-strategy", "unsafe-best-match"]


def test_later_files_win_over_earlier_ones_and_variables_over_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.conf", tmp_path / "b.conf"
    first.write_text("[global]\nindex-url = http://one/simple\nextra-index-url =\n  http://x/simple\n  http://y/simple\n")
    second.write_text("[install]\nindex_url = http://two/simple\nfind-links = /wheels\n")
    assert pip_settings({}, [first, second]) == PipSettings(
        "http://two/simple", ("http://x/simple", "http://y/simple"), ("/wheels",))
    settings = pip_settings({"PIP_INDEX_URL": "http://three/simple", "PIP_FIND_LINKS": "/a /b"}, [first, second])
    assert (settings.index, settings.links) == ("http://three/simple", ("/a", "/b"))


@pytest.mark.parametrize("content", [b"no section\n", b"[global\n", b"\xff\xfe\x00", b"[global]\nindex-url\n"])
def test_a_broken_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pip.conf").write_bytes(content)
    assert pip_settings({}, [tmp_path / "pip.conf", tmp_path / "missing.conf"]) == PipSettings()


def test_a_value_with_a_percent_sign_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://user:p%40ss@host/simple\n")
    assert pip_settings({}, [tmp_path / "pip.conf"]).index == "http://user:p%40ss@host/simple"


def test_settings_become_flags_of_uv() -> None:
    settings = PipSettings("http://i/simple", ("http://x/simple",), ("/wheels",), True, "/ca.pem")
    assert uv_flags(settings)[2:] == ["--default-index", "http://i/simple", "--index", "http://x/simple",
                                      "--find-links", "/wheels", "--no-index"]
    assert uv_environment(settings) == {"SSL_CERT_FILE": "/ca.pem"}


def test_wheels_at_hand_are_those_in_local_folders(tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (tmp_path / "My_Thing-1.0-1-py3-none-any.whl").touch()
    (tmp_path / "torch-2.13.0.tar.gz").touch()
    expected = {("torch", "2.13.0+cpu", "cp311"), ("my-thing", "1.0", "py3")}
    assert wheels_at_hand(PipSettings(links=(str(tmp_path),))) == expected
    assert wheels_at_hand(PipSettings(links=(tmp_path.as_uri(), "http://host/page", "/nowhere"))) == expected
