"""Script mode's servers as whole processes: the user's functions, errors, streaming, workers, health, stopping."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kit.conftest import WAIT, environment

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
ECHO = """
def model_fn(model_dir):
    return "model"
def input_fn(data, content_type):
    return [type(data).__name__, content_type]
def predict_fn(data, model):
    return data + [model]
"""


@pytest.fixture
def python() -> Path:
    return environment("sklearn-1.2-1")


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("the condition did not come true")


def scripted(serve: Any, python: Path, code: str, **env: str) -> Any:
    return serve(python, {"code/inference.py": code}, SAGEMAKER_PROGRAM="inference.py", **env)


def test_functions_get_text_for_json_and_csv_and_bytes_for_the_rest(serve: Any, python: Path) -> None:
    server = scripted(serve, python, ECHO)
    for kind, name in ((JSON, "str"), (CSV, "str"), (NPY, "bytes"), ("application/octet-stream", "bytes")):
        status, headers, answer = server.invoke(b"1", Content_Type=kind)
        assert (status, headers["content-type"]) == (200, JSON)
        assert json.loads(answer) == [name, kind, "model"]


def test_the_default_accept_comes_from_the_environment(serve: Any, python: Path) -> None:
    server = scripted(
        serve, python, ECHO + "\ndef output_fn(prediction, accept):\n    return accept, 'text/plain'\n",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=CSV,
    )  # fmt: skip
    assert server.invoke(b"1", Content_Type=JSON)[2] == b"text/csv"
    assert server.invoke(b"1", Content_Type=JSON, Accept="*/*")[2] == b"text/csv"
    assert server.invoke(b"1", Content_Type=JSON, Accept="a/b")[1]["content-type"] == "text/plain"


def test_transform_fn_replaces_the_rest_and_sees_the_context(serve: Any, python: Path) -> None:
    code = (
        "def model_fn(model_dir, context):\n    return context.system_properties['model_dir']\n"
        "def transform_fn(model, data, content_type, accept, context):\n"
        "    context.set_response_header(0, 'X-Mine', 'yes')\n"
        "    return context.get_request_header(0, 'X-Amzn-SageMaker-Custom-Attributes') + ':' + data\n"
    )
    server = scripted(serve, python, code)
    status, headers, answer = server.invoke("d", Content_Type=CSV, X_Amzn_SageMaker_Custom_Attributes="tag=1")
    assert (status, headers["x-mine"], answer) == (200, "yes", b"tag=1:d")


@pytest.mark.parametrize(
    "code",
    [
        ECHO + "\ndef transform_fn(model, data, content_type, accept):\n    return data\n",
        "def model_fn(a, b, c):\n    return 1\n",
        "def model_fn(model_dir):\n    raise RuntimeError('weights are missing')\n",
        "import a_module_that_is_nowhere\n",
        "def model_fn(:\n",
    ],
)
def test_a_module_that_cannot_work_ends_the_server_with_its_traceback(serve: Any, python: Path, code: str) -> None:
    files = {"code/inference.py": code}
    server = serve(python, files, ready=False, SAGEMAKER_PROGRAM="inference.py")
    assert server.process.wait(60) == 1
    assert "Traceback (most recent call last)" in server.log.read_text()


def test_errors_of_user_code_are_500_with_their_last_line_and_logged_in_full(serve: Any, python: Path) -> None:
    code = ECHO + "\ndef output_fn(prediction, accept):\n    raise KeyError('no such feature')\n"
    server = scripted(serve, python, code)
    status, _, answer = server.invoke(b"1", Content_Type=JSON)
    assert (status, answer) == (500, b"KeyError: 'no such feature'")
    wait_for(lambda: "Traceback" in server.log.read_text() and "inference.py" in server.log.read_text())


def test_scikit_learn_s_defaults(serve: Any, python: Path) -> None:
    code = (
        "class Model:\n    def predict(self, rows):\n        return rows.sum(axis=1)\n"
        "def model_fn(model_dir):\n    return Model()\n"
    )
    server = scripted(serve, python, code)
    assert server.invoke("1,2\n3,4", Content_Type=CSV)[2] == b"[3.0, 7.0]"
    assert server.invoke("1,2", Content_Type=CSV)[2] == b"[3.0]"
    assert server.invoke("[[1, 2]]", Content_Type=JSON, Accept=CSV)[2] == b"3.0\n"
    buffer = io.BytesIO()
    np.save(buffer, np.array([[1, 2]]))
    answer = server.invoke(buffer.getvalue(), Content_Type=NPY, Accept=NPY)[2]
    assert np.load(io.BytesIO(answer)).tolist() == [3]
    for headers, expected in (({"Content_Type": "a/b"}, 415), ({"Content_Type": CSV, "Accept": "a/b"}, 406)):
        status, _, answer = server.invoke("1,2", **headers)
        assert status == expected and json.loads(answer)["error"] == "UnsupportedFormatError"


def test_a_pickle_in_an_npy_body_is_not_executed(serve: Any, python: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "owned"),))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
    server = scripted(serve, python, "def model_fn(model_dir):\n    return 1\n")
    assert server.invoke(buffer.getvalue(), Content_Type=NPY)[0] == 500
    assert not (tmp_path / "owned").exists()


GATE = """
import os, time
def model_fn(model_dir):
    return os.path.dirname(model_dir)
def wait(path):
    end = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.005)
"""
SLOW = (
    GATE
    + """
def transform_fn(model, data, content_type, accept):
    if data == "slow":
        open(model + "/entered", "w").close()
        wait(model + "/gate")
    return data
"""
)


def test_ping_is_answered_while_a_prediction_takes_its_time(serve: Any, python: Path) -> None:
    server = scripted(serve, python, SLOW)
    kept = server.connect()
    kept.request("GET", "/ping")
    assert kept.getresponse().read() == b""
    busy = server.connect()
    busy.request("POST", "/invocations", "slow", {"Content-Type": CSV})
    wait_for((server.base / "entered").exists)
    waiting = server.connect()
    waiting.request("POST", "/invocations", "quick", {"Content-Type": CSV})
    for _ in range(3):
        assert server.request("GET", "/ping", timeout=2.0)[0] == 200, "on a new connection"
        kept.sock.settimeout(2.0)
        kept.request("GET", "/ping")
        assert kept.getresponse().read() == b"", "on a connection that was there before"
    (server.base / "gate").touch()
    assert busy.getresponse().read() == b"slow" and waiting.getresponse().read() == b"quick"


def test_more_connections_than_the_queue_takes_are_told_503_while_busy(serve: Any, python: Path) -> None:
    server = scripted(serve, python, SLOW, SAGEMAKER_MODEL_JOB_QUEUE_SIZE="3")
    first = server.connect()
    first.request("POST", "/invocations", "slow", {"Content-Type": CSV})
    wait_for((server.base / "entered").exists)
    others = [server.connect() for _ in range(5)]
    for one in others:
        one.request("POST", "/invocations", "quick", {"Content-Type": CSV})
    refused = [one for one in others[2:] if one.getresponse().status == 503]
    assert len(refused) == 3
    (server.base / "gate").touch()
    assert [one.getresponse().read() for one in (first, *others[:2])] == [b"slow", b"quick", b"quick"]


def test_a_generator_is_streamed_as_it_yields(serve: Any, python: Path) -> None:
    code = GATE + (
        "def transform_fn(model, data, content_type, accept):\n    def pieces():\n        yield 'first\\n'\n"
        "        wait(model + '/gate')\n        yield b'second\\n'\n        if data == 'break':\n"
        "            raise ValueError('half way')\n    return pieces(), 'text/plain'\n"
    )
    server = scripted(serve, python, code)
    connection = server.connect()
    connection.request("POST", "/invocations", "x", {"Content-Type": CSV})
    answer = connection.getresponse()
    assert answer.getheader("transfer-encoding") == "chunked" and answer.readline() == b"first\n"
    (server.base / "gate").touch()
    assert answer.read() == b"second\n"
    connection.request("POST", "/invocations", "break", {"Content-Type": CSV})
    with pytest.raises(Exception, match="IncompleteRead"):
        connection.getresponse().read()
    assert server.invoke("x", Content_Type=CSV)[2] == b"first\nsecond\n"


def test_a_worker_that_dies_is_replaced(serve: Any, python: Path) -> None:
    code = (
        "import os\ndef model_fn(model_dir):\n    return 1\ndef transform_fn(model, data, content_type, accept):\n"
        "    if data == 'die':\n        os._exit(3)\n    return str(os.getpid())\n"
    )
    server = scripted(serve, python, code)
    first = server.invoke("x", Content_Type=CSV)[2]
    with pytest.raises(OSError):
        server.invoke("die", Content_Type=CSV)
    assert server.invoke("x", Content_Type=CSV)[2] != first
    assert "ended with code 3" in server.log.read_text()


def test_a_worker_that_hangs_is_replaced_after_the_server_s_timeout(serve: Any, python: Path) -> None:
    server = scripted(serve, python, SLOW, SAGEMAKER_MODEL_SERVER_TIMEOUT="1")
    with pytest.raises(OSError):
        server.invoke("slow", Content_Type=CSV)
    assert server.invoke("quick", Content_Type=CSV)[2] == b"quick"
    assert "took longer than 1 s" in server.log.read_text()


def test_workers_share_the_connections(serve: Any, python: Path) -> None:
    code = (
        "import os\ndef model_fn(model_dir):\n    return 1\ndef transform_fn(model, data, content_type, accept):\n"
        "    return str(os.getpid())\n"
    )
    server = scripted(serve, python, code, SAGEMAKER_MODEL_SERVER_WORKERS="3")

    def pids() -> list[bytes]:
        connections = [server.connect() for _ in range(6)]
        for one in connections:
            one.request("POST", "/invocations", "x", {"Content-Type": CSV})
        answers = [one.getresponse().read() for one in connections]
        for one in connections:
            one.close()
        return answers

    wait_for(lambda: sorted(map(pids().count, set(pids()))) and len(set(pids())) == 3)


def test_sigterm_lets_the_request_under_way_finish(serve: Any, python: Path) -> None:
    server = scripted(serve, python, SLOW)
    busy = server.connect()
    busy.request("POST", "/invocations", "slow", {"Content-Type": CSV})
    wait_for((server.base / "entered").exists)
    server.process.send_signal(signal.SIGTERM)
    (server.base / "gate").touch()
    assert busy.getresponse().read() == b"slow"
    assert server.process.wait(30) == 0


def test_code_and_requirements_of_the_model_are_installed(serve: Any, python: Path) -> None:
    files = {
        "code/inference.py": "import extra\ndef model_fn(d):\n    return extra.N\n"
        "def transform_fn(m, d, c, a):\n    return str(m)\n",
        "code/requirements.txt": "./extra_package\n",
        "code/extra_package/setup.py": "from setuptools import setup\nsetup(name='extra', py_modules=['extra'])\n",
        "code/extra_package/extra.py": "N = 5\n",
    }
    server = serve(python, files, PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0", SAGEMAKER_PROGRAM="inference.py")
    assert server.invoke("x", Content_Type=CSV)[2] == b"5"


def test_code_may_come_from_the_submit_directory(serve: Any, python: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "serve_me.py").write_text(ECHO)
    submitted = str(tmp_path / "elsewhere")
    server = serve(python, {}, SAGEMAKER_PROGRAM="serve_me.py", SAGEMAKER_SUBMIT_DIRECTORY=submitted)
    assert server.invoke(b"1", Content_Type=JSON)[0] == 200


def test_execution_parameters_are_the_module_s(serve: Any, python: Path) -> None:
    code = ECHO + "\ndef execution_parameters_fn():\n    return {'MaxPayloadInMB': 2}\n"
    assert json.loads(scripted(serve, python, code).request("GET", "/execution-parameters")[2]) == {"MaxPayloadInMB": 2}
    assert scripted(serve, python, ECHO).request("GET", "/execution-parameters")[0] == 404


def test_multi_model_mode_is_refused_in_words(serve: Any, python: Path) -> None:
    server = serve(python, {}, ready=False, SAGEMAKER_MULTI_MODEL="true")
    assert server.process.wait(30) == 1 and "Multi-model mode" in server.log.read_text()


def test_an_access_log_is_written_when_asked_for(serve: Any, python: Path) -> None:
    server = scripted(serve, python, ECHO, SAGEWRIGHT_ACCESS_LOG="1")
    server.invoke(b"1", Content_Type=JSON)
    wait_for(lambda: '"POST /invocations HTTP/1.1" 200 ' in server.log.read_text())


def raw(server: Any, data: bytes, answers: int = 1) -> bytes:
    """What the server sends for these bytes, until so many answers are there or it closes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(server.socket)
        client.sendall(data)
        got = b""
        while got.count(b"HTTP/1.1 ") < answers or not got.endswith((b"\r\n\r\n", b'"]', b"\n")):
            block = client.recv(65536)
            if not block:
                break
            got += block
        return got


def test_http_is_spoken_as_clients_speak_it(serve: Any, python: Path) -> None:
    server = scripted(serve, python, ECHO)
    post = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n3\r\na,b\r\n4;x=y\r\n,c,d\r\n0\r\nTrailer: t\r\n\r\n"
    assert b'["str", "text/csv", "model"]' in raw(server, chunked)
    expecting = post + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n1,2"
    assert raw(server, expecting, 2).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    pipelined = b"GET /ping HTTP/1.1\r\n\r\n" * 500
    assert raw(server, pipelined, 500).count(b"200 OK") == 500
    assert b"Connection: close" in raw(server, b"GET /ping HTTP/1.0\r\n\r\n")
    assert server.request("POST", "/invocations", b"x" * 7_000_000, Content_Type=CSV)[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /ping HTTP/9\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20000, 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_is_refused_and_the_server_stays(serve: Any, python: Path, data: bytes, status: int) -> None:
    server = scripted(serve, python, ECHO)
    assert raw(server, data).startswith(b"HTTP/1.1 %d " % status)
    assert server.invoke(b"1", Content_Type=JSON)[0] == 200
