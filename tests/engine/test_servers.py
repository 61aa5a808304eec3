"""Server replicas: ready when /ping answers, reached through a Unix socket, reported when they end."""

from __future__ import annotations

import dataclasses
import http.client
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from tests.engine.lab import until
from tests.engine.scripts import ON_PORT, ON_SOCKET, ask


def replica(lab, script, **changes):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("m.txt")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"model:"))
    lab.aws.put("s3://models/m/model.tar.gz", packed.getvalue())
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/m/model.tar.gz"}}
    plan = lab.plan(script, kind="hosting", command=["serve"], outputs=[], stop_grace=30.0,
                    health={"startup_timeout": 60},
                    inputs=[{"name": "model", "path": "/opt/ml/model", "source": source, "extract": True}])
    return lab.engine.submit(dataclasses.replace(plan, **changes))


def ready(lab, handle):
    def look():
        outcome = lab.engine.observe(handle)
        assert not outcome.exited, outcome
        return outcome.phase == "ready" and outcome.address

    return until(look, "the server is ready")


@pytest.mark.parametrize("script", [ON_PORT, ON_SOCKET], ids=["port", "socket"])
def test_a_server_answers_through_its_address_until_it_is_stopped(lab, script):
    handle = replica(lab, script)
    address = ready(lab, handle)
    assert ask(address, b"hello") == b"model:hello"
    big = os.urandom(5 << 20)
    assert ask(address, big) == b"model:" + big
    lab.engine.stop(handle)
    outcome = lab.outcome(handle)
    assert (outcome.ended_by, outcome.blame, outcome.address) == ("stop", "", {})
    assert not Path(address["unix"]).exists()


def test_many_replicas_have_the_same_port(lab):
    handles = [replica(lab, ON_PORT) for _ in range(3)]
    addresses = [ready(lab, handle) for handle in handles]
    assert len({address["unix"] for address in addresses}) == 3
    assert [ask(address, b"x") for address in addresses] == [b"model:x"] * 3


def test_a_crash_is_reported_with_the_exit_code_and_not_restarted(lab):
    handle = replica(lab, ON_PORT)
    address = ready(lab, handle)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(address, b"die")
    outcome = lab.outcome(handle)
    assert (outcome.exit_codes, outcome.blame) == ({"algo-1": 5}, "algorithm") and "exit code 5" in outcome.failure


def test_a_server_that_never_answers_fails_its_health_check(lab):
    handle = replica(lab, "import time\nprint('loading')\ntime.sleep(600)", health={"startup_timeout": 1.5})
    outcome = lab.outcome(handle)
    assert (outcome.failure, outcome.blame) == ("did not pass the ping health check", "algorithm")
    assert "loading" in outcome.last_lines


def test_a_server_that_fails_to_start_is_reported_with_its_traceback(lab):
    outcome = lab.outcome(replica(lab, "raise RuntimeError('no model here')"))
    assert outcome.blame == "algorithm" and outcome.last_lines[-1] == "RuntimeError: no model here"


def test_a_link_in_place_of_the_socket_is_never_dialled(lab, tmp_path):
    canary = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    canary.bind(str(tmp_path / "canary.sock"))
    canary.listen()
    canary.setblocking(False)
    script = (f"import os\nos.symlink('{tmp_path}/canary.sock', os.environ['SAGEWRIGHT_SERVE_SOCKET'])\n" + ON_PORT)
    address = ready(lab, replica(lab, script))
    assert ask(address, b"x") == b"model:x"
    with pytest.raises(BlockingIOError):
        canary.accept()
    canary.close()


def test_a_server_goes_on_while_the_control_plane_is_replaced(lab):
    handle = replica(lab, ON_PORT)
    address = ready(lab, handle)
    lab.engine.close()
    assert ask(address, b"x") == b"model:x"
    lab.new_engine()
    assert lab.engine.observe(handle).address == address and ask(address, b"y") == b"model:y"


def test_a_malicious_model_archive_fails_the_replica(lab):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"))
    lab.aws.put("s3://models/evil.tar.gz", packed.getvalue())
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/evil.tar.gz"}}
    outcome = lab.outcome(replica(lab, ON_PORT, inputs=[{"name": "model", "path": "/opt/ml/model", "source": source,
                                                         "extract": True}]))
    assert outcome.blame == "client" and "would land outside of the directory" in outcome.failure
