"""Jobs from container images, where a Docker or Podman engine answers (DOCKER_HOST names one elsewhere)."""

from __future__ import annotations

import dataclasses
import io
import shutil

import pytest

from sagewright.core.errors import Failed
from sagewright.core.seams import Image
from sagewright.engine.runtimes import choose
from sagewright.engine.runtimes.docker import Engine
from tests.contracts.test_runtimes import little_python
from tests.engine.lab import Lab, until
from tests.engine.scripts import CALL_HOME, ON_PORT, ON_SOCKET, ask, model

OCI = Image("sagewright-engine:1", "oci", "mine", "1")


@pytest.fixture
def lab(aws, data_dir):
    made = Lab(aws, data_dir, "auto")
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine():
    path = choose.engine_socket()
    if not path:
        pytest.skip("no Docker or Podman engine answers")
    engine = Engine(path)
    connection = engine.connect()
    change = "ENTRYPOINT%20%5B%22/usr/bin/python3%22,%22-u%22,%22-c%22%5D"  # ["/usr/bin/python3","-u","-c"]
    connection.request("POST", f"/images/create?fromSrc=-&repo=sagewright-engine&tag=1&changes={change}",
                       io.BytesIO(little_python()), {"Content-Type": "application/x-tar"}, encode_chunked=True)
    assert connection.getresponse().read().count(b"sha256") == 1
    yield engine
    engine.call("DELETE", "/images/sagewright-engine:1?force=true")


def test_a_job_runs_in_its_container_and_calls_home(engine, lab):
    script = CALL_HOME % (lab.aws.port, 1) + "open('/opt/ml/model/w', 'w').write('1')"
    outcome = lab.run(image=OCI, command=[script])
    assert (outcome.failure, outcome.exit_codes) == ("", {"algo-1": 0}), outcome
    assert model(lab) == {"w": b"1"} and "gateway 403" in lab.lines() and "keys ASIATESTTESTTESTTEST" in lab.lines()
    assert engine.call("GET", "/containers/json?all=1")[1] in ([], {})


@pytest.mark.parametrize("script", [ON_PORT, ON_SOCKET], ids=["port", "socket"])
def test_a_server_runs_in_its_container(engine, lab, script):
    plan = dataclasses.replace(lab.plan(), kind="hosting", image=OCI, command=[script], outputs=[],
                               files={"/opt/ml/model/m.txt": "model:"})
    handle = lab.engine.submit(plan)
    until(lambda: lab.engine.observe(handle).phase in ("ready", "exited"), "the server is ready")
    assert ask(lab.engine.observe(handle).address, b"x") == b"model:x"


def test_an_image_that_the_engine_lacks_fails_the_job(engine, lab):
    outcome = lab.run(image=dataclasses.replace(OCI, uri="no/such:image"))
    assert "no image no/such:image" in outcome.failure


def test_a_container_image_without_an_engine_is_refused(lab, monkeypatch):
    monkeypatch.setattr(choose, "engine_socket", lambda: "")
    with pytest.raises(Failed, match="no Docker or Podman engine answers"):
        lab.engine.submit(lab.plan(image=OCI))


def test_the_default_sandbox_is_bubblewrap(lab):
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    assert lab.engine.runtime == "bwrap"
