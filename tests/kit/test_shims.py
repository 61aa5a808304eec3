"""Scripts that import AWS's own packages, as its sample notebooks do, find what they need in jobs and in servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.conftest import CURRENT, Job, environment

CSV = "text/csv"


def test_a_training_script_reads_its_channel_with_the_container_s_helper(job: Job, current: Path) -> None:
    job.python = current
    job.channel("train", "a.csv", "1,2,3\n0,4,5\n")
    job.script(
        "import os\nfrom sagemaker_xgboost_container.data_utils import get_dmatrix\n"
        "from sagemaker_training import environment\nfrom sagemaker_containers.beta.framework import training_env\n"
        "env = environment.Environment()\n"
        "m = get_dmatrix(os.path.dirname(env.model_dir) + '/input/data/train', 'csv')\n"
        "print('matrix', m.num_row(), m.num_col(), m.get_label().tolist(), training_env().hyperparameters)",
        depth="3",
    )
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "matrix 2 2 [1.0, 0.0] {'depth': 3}" in done.stdout


def test_what_is_not_offered_is_an_import_error(job: Job) -> None:
    job.script(
        "for name in ('sagemaker_xgboost_container.nothing', 'sagemaker_sklearn_container'):\n"
        "    try:\n        __import__(name)\n    except ImportError as error:\n        print('refused', error)"
    )
    assert job.run().stdout.count("refused No module named") == 2


@pytest.mark.parametrize("stack", ["sklearn-1.2-1", CURRENT])
def test_an_inference_script_answers_with_a_worker_response(serve: Any, stack: str) -> None:
    script = (
        "from sagemaker_containers.beta.framework import (\n"
        "    content_types, encoders, env, modules, transformer, worker)\n"
        "def model_fn(model_dir):\n    return 2\n"
        "def input_fn(data, content_type):\n    return encoders.decode(data, content_type)\n"
        "def predict_fn(data, model):\n    return data * model\n"
        "def output_fn(prediction, accept):\n"
        "    if accept == content_types.CSV:\n"
        "        return worker.Response(encoders.encode(prediction, accept), mimetype=accept)\n"
        "    return worker.Response('no', status=406, mimetype='text/plain')\n"
    )
    server = serve(environment(stack), {"code/inference.py": script}, SAGEMAKER_PROGRAM="inference.py")
    status, headers, answer = server.invoke("1,2", Content_Type=CSV, Accept=CSV)
    assert (status, headers["content-type"], answer) == (200, CSV, b"2.0\n4.0\n")
    assert server.invoke("1,2", Content_Type=CSV, Accept="a/b")[::2] == (406, b"no")


def test_an_inference_script_uses_the_toolkit_s_codecs_and_the_container_s_encoder(serve: Any, current: Path) -> None:
    script = (
        "from sagemaker_inference import content_types, decoder, encoder\n"
        "from sagemaker_xgboost_container import encoder as xgb_encoders\n"
        "def model_fn(model_dir):\n    return None\n"
        "def transform_fn(model, data, content_type, accept):\n"
        "    rows = xgb_encoders.libsvm_to_dmatrix(data) if content_type == 'text/libsvm' else None\n"
        "    shape = [rows.num_row(), rows.num_col()] if rows else list(decoder.decode(data, content_type).shape)\n"
        "    return encoder.encode(shape, content_types.JSON), content_types.JSON\n"
    )
    server = serve(current, {"code/inference.py": script}, SAGEMAKER_PROGRAM="inference.py")
    assert json.loads(server.invoke("1,2\n3,4\n5,6", Content_Type=CSV)[2]) == [3, 2]
    assert json.loads(server.invoke(b"0:1 4:2\n1:1", Content_Type="text/libsvm")[2]) == [2, 5]
