"""The server of built-in XGBoost: formats in and out, status codes, selectable content, versions."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagewright_kit.contract import recordio
from tests.kit.conftest import CURRENT, environment, run_python

TRAIN = """
import base64, json, pickle, sys
from sagewright_kit.algorithms import lean
xgb = lean.import_xgboost()
import numpy as np
r = np.random.RandomState(1)
X = r.rand(200, 4).astype("f4")
y = (X.sum(axis=1) > 2).astype("f4") + (X[:, 0] > .5) * (sys.argv[1] == "multi:softprob")
p = {"objective": sys.argv[1], "max_depth": 3, "base_score": 0.5}
if sys.argv[1].startswith("multi"): p["num_class"] = 3
b = xgb.train(p, xgb.DMatrix(X, label=y), 4)
version = tuple(int(n) for n in xgb.__version__.split(".")[:2])
if version < (1, 3): raw = pickle.dumps(b, protocol=4)
else:
    b.save_model(sys.argv[2]); raw = open(sys.argv[2], "rb").read()
print(json.dumps([base64.b64encode(raw).decode(), X[:3].tolist(), b.predict(xgb.DMatrix(X[:3])).tolist()]))
"""
CSV, JSON = "text/csv", "application/json"
LINES, RECORDS = "application/jsonlines", "application/x-recordio-protobuf"


def model(python: Path, tmp_path: Path, objective: str = "binary:logistic") -> tuple[bytes, list[Any], list[Any]]:
    """A trained model's file, three rows, and what plain XGBoost predicts for them."""
    printed = run_python(python, TRAIN, objective, str(tmp_path / "scratch-model")).splitlines()[-1]
    raw, rows, expected = json.loads(printed)
    return base64.b64decode(raw), rows, expected


def as_csv(rows: list[Any]) -> str:
    return "\n".join(",".join(repr(v) for v in row) for row in rows) + "\n"


@pytest.fixture
def served(serve: Any, current: Path, tmp_path: Path) -> tuple[Any, list[Any], list[Any]]:
    raw, rows, expected = model(current, tmp_path)
    return serve(current, {"xgboost-model": raw}), rows, expected


def test_every_accept_is_answered_with_plain_xgboost_s_numbers(served: Any) -> None:
    server, rows, expected = served
    body = as_csv(rows)
    status, headers, answer = server.invoke(body, Content_Type=CSV)
    assert (status, headers["content-type"]) == (200, CSV)
    assert [float(v) for v in answer.decode().splitlines()] == expected and answer.endswith(b"\n")
    assert json.loads(server.invoke(body, Content_Type=CSV, Accept=JSON)[2]) == {
        "predictions": [{"score": value} for value in expected]
    }
    lines = server.invoke(body, Content_Type=CSV, Accept=LINES)[2].decode().splitlines()
    assert [json.loads(line) for line in lines] == [{"score": value} for value in expected]
    records = server.invoke(body, Content_Type=CSV, Accept=RECORDS)[2]
    assert recordio.matrix(recordio.frames(records))[0].ravel().tolist() == expected


def test_every_content_type_is_read(served: Any) -> None:
    server, rows, expected = served
    libsvm = "\n".join(" ".join(f"{i}:{v!r}" for i, v in enumerate(row)) for row in rows)
    labelled = "\n".join("0 " + line for line in libsvm.split("\n"))
    for kind, body in (
        (CSV, as_csv(rows).strip()), ("text/csv; charset=utf-8", as_csv(rows).replace(",", ";")),
        ("text/libsvm", libsvm), ("text/x-libsvm", labelled), (RECORDS, recordio.write(np.array(rows, np.float32))),
    ):  # fmt: skip
        status, _, answer = server.invoke(body, Content_Type=kind, Accept=JSON)
        assert status == 200, answer
        assert [one["score"] for one in json.loads(answer)["predictions"]] == expected, kind


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", {"Content_Type": CSV}, 204, ""),
        (b"1,2,3", {"Content_Type": CSV}, 400, "Unable to evaluate payload provided: Feature size of csv"),
        (b"0:1 9:1", {"Content_Type": "text/libsvm"}, 400, "is larger than feature size of trained model 4"),
        (b"a,b,c,d", {"Content_Type": CSV}, 415, "Loading csv data failed with Exception"),
        (b"\xff\xfe", {"Content_Type": "text/libsvm"}, 415, "Loading libsvm data failed"),
        (b"junk....", {"Content_Type": RECORDS}, 415, "Loading recordio-protobuf data failed"),
        (b"1,2,3,4", {"Content_Type": "image/png"}, 415, "image/png is not an accepted ContentType"),
        (b"1,2,3,4", {"Content_Type": CSV, "Accept": "image/png"}, 406, "Accept type image/png is not supported."),
        (b"1,2,3,4\n1,2", {"Content_Type": CSV}, 415, "line 2 has 2 fields"),
    ],
)
def test_errors_have_the_container_s_codes(
    served: Any, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    server = served[0]
    got, _, answer = server.invoke(body, **headers)
    assert got == status and words in answer.decode()
    assert server.request("GET", "/ping")[0] == 200


def test_ping_execution_parameters_and_unknown_paths(served: Any) -> None:
    server = served[0]
    assert server.request("GET", "/ping")[::2] == (200, b"")
    status, _, answer = server.request("GET", "/execution-parameters")
    stated = json.loads(answer)
    assert status == 200 and stated["BatchStrategy"] == "MULTI_RECORD" and stated["MaxPayloadInMB"] == 6
    assert server.request("GET", "/nowhere")[0] == 404 and server.request("GET", "/invocations")[0] == 405


@pytest.mark.parametrize("name", ["xgboost-0.90-2", "xgboost-1.2-1", "xgboost-1.7-1"])
def test_a_version_serves_the_models_of_its_own_container(serve: Any, tmp_path: Path, name: str) -> None:
    python = environment(name)
    raw, rows, expected = model(python, tmp_path)
    server = serve(python, {"xgboost-model": raw})
    answer = server.invoke(as_csv(rows), Content_Type=CSV)[2].decode()
    if name.startswith("xgboost-0"):
        assert answer == ",".join(map(str, expected)), "these containers knew one answer: scores joined by commas"
    else:
        assert answer == "".join(f"{value}\n" for value in expected)


def test_rows_of_probabilities_are_lists(serve: Any, current: Path, tmp_path: Path) -> None:
    raw, rows, expected = model(current, tmp_path, "multi:softprob")
    server = serve(current, {"xgboost-model": raw})
    answer = server.invoke(as_csv(rows), Content_Type=CSV, Accept=JSON)[2]
    assert json.loads(answer) == {"predictions": [{"score": row} for row in expected]}
    lines = server.invoke(as_csv(rows), Content_Type=CSV)[2].decode().splitlines()
    assert [[float(v) for v in line.split(",")] for line in lines] == expected


def test_selected_content_in_every_format(serve: Any, current: Path, tmp_path: Path) -> None:
    raw, rows, expected = model(current, tmp_path)
    chosen = "predicted_label, probabilities,predicted_score"
    server = serve(current, {"xgboost-model": raw}, SAGEMAKER_INFERENCE_OUTPUT=chosen)
    answer = json.loads(server.invoke(as_csv(rows), Content_Type=CSV, Accept=JSON)[2])["predictions"]
    for one, value in zip(answer, expected):
        assert one["predicted_label"] == int(value > 0.5) and one["probabilities"] == [1.0 - value, value]
        assert one["predicted_score"] != one["predicted_score"], "content that the objective lacks is NaN"
    text = server.invoke(as_csv(rows[:1]), Content_Type=CSV)[2].decode()
    assert text == f'{int(expected[0] > 0.5)},"{[1.0 - expected[0], expected[0]]}",nan'
    records = server.invoke(as_csv(rows), Content_Type=CSV, Accept=RECORDS)[2]
    labels = [recordio.decode(one)[1] for one in recordio.frames(records)]
    assert [one["probabilities"].values[1] for one in labels] == [np.float32(v) for v in expected]


def test_batch_transform_gets_a_line_per_row(serve: Any, current: Path, tmp_path: Path) -> None:
    raw, rows, expected = model(current, tmp_path)
    server = serve(current, {"xgboost-model": raw}, SAGEMAKER_BATCH="true")
    assert server.invoke(as_csv(rows), Content_Type=CSV)[2].decode() == "".join(f"{v}\n" for v in expected)


def test_several_models_vote_as_an_ensemble(serve: Any, current: Path, tmp_path: Path) -> None:
    raw, rows, expected = model(current, tmp_path)
    server = serve(current, {"xgboost-model-0": raw, "xgboost-model-1": raw})
    assert [float(v) for v in server.invoke(as_csv(rows), Content_Type=CSV)[2].split()] == expected


@pytest.mark.parametrize("files", [{"xgboost-model": b"not a model"}, {}, {".hidden": b"x"}])
def test_a_model_that_cannot_be_loaded_ends_the_server(serve: Any, current: Path, files: dict[str, bytes]) -> None:
    server = serve(current, files, ready=False)
    assert server.process.wait(60) == 1
    assert "Error" in server.log.read_text()


def test_script_mode_has_the_image_s_defaults(serve: Any, tmp_path: Path) -> None:
    python = environment(CURRENT)
    raw, rows, expected = model(python, tmp_path)
    script = (
        "import os, xgboost as xgb\ndef model_fn(model_dir):\n    booster = xgb.Booster()\n"
        "    booster.load_model(os.path.join(model_dir, 'xgboost-model'))\n    return booster\n"
    )
    server = serve(python, {"xgboost-model": raw, "code/inference.py": script}, SAGEMAKER_PROGRAM="inference.py")
    assert json.loads(server.invoke(as_csv(rows), Content_Type=CSV)[2]) == expected
    assert server.invoke("x", Content_Type="image/png")[0] == 415
    assert server.invoke(as_csv(rows), Content_Type=CSV, Accept="image/png")[0] == 406
