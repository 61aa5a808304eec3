"""What a job is told and shown."""

from __future__ import annotations

from pathlib import Path

from sagewright.engine import placement
from sagewright.engine.capacity import Grant, Machine


def test_files_of_the_platform_are_shown_elsewhere_and_name_one_another_there(tmp_path):
    secret = tmp_path / "data"
    secret.mkdir()
    (secret / "bundle.pem").write_text("certificates")
    (secret / "wgetrc").write_text(f"ca_certificate = {secret}/bundle.pem\n")
    variables, binds = placement.told({"SSL_CERT_FILE": f"{secret}/bundle.pem", "WGETRC": f"{secret}/wgetrc",
                                       "NO_PROXY": "localhost"}, tmp_path / "copies")
    shown = {target: source for source, target in binds}
    assert variables["SSL_CERT_FILE"] == "/etc/sagewright/bundle.pem" and variables["NO_PROXY"] == "localhost"
    assert Path(shown["/etc/sagewright/wgetrc"]).read_text() == "ca_certificate = /etc/sagewright/bundle.pem\n"
    assert shown["/etc/sagewright/bundle.pem"] == f"{secret}/bundle.pem"
    assert not any(str(secret) in value for value in variables.values())


def test_a_long_data_directory_gets_short_sockets(tmp_path):
    deep = tmp_path / ("d" * 120)
    assert len(str(placement.serve_place(deep, "job") / "in" / "serve.sock")) <= 100
    assert placement.serve_place(Path("/srv/sw"), "job").is_relative_to("/srv/sw")


def test_two_servers_and_two_jobs_have_different_uids_and_boxes(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    assert placement.box_name(first, "job", "algo-1") != placement.box_name(second, "job", "algo-1")
    uid = placement.free_uid(first, [])
    if uid is not None:
        assert placement.free_uid(first, [uid]) != uid != placement.free_uid(second, [])


def test_a_small_grant_gets_the_least_used_cores(monkeypatch):
    monkeypatch.setattr(placement.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    machine = Machine(4, 1 << 34)
    assert placement.free_cores(Grant(2, 1), machine, [0, 1, 2]) == [0, 3]
    assert placement.free_cores(Grant(4, 1), machine, [0]) == []
