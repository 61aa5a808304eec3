"""What `contract.shims` offers as `sagemaker_xgboost_container`: readers that give a DMatrix."""

from __future__ import annotations

import json
import os
from typing import Any

import xgboost

from sagewright_kit.algorithms import data
from sagewright_kit.servers import xgboost as server


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value)


def csv_to_dmatrix(text: Any, dtype: Any = None) -> Any:
    """Rows without a label."""
    return xgboost.DMatrix(server.parse(_bytes(text), data.CSV))


def libsvm_to_dmatrix(text: Any) -> Any:
    return xgboost.DMatrix(server.parse(_bytes(text), data.LIBSVM))


def recordio_protobuf_to_dmatrix(content: Any) -> Any:
    return xgboost.DMatrix(server.parse(_bytes(content), data.RECORDIO))


def decode(content: Any, content_type: str) -> Any:
    """A request's body as a DMatrix."""
    return server.Script().input_fn(content, content_type)


def json_to_jsonlines(content: Any) -> bytes:
    """{"predictions": [a, b]} as one line per prediction."""
    value = content if isinstance(content, dict) else json.loads(content)
    if len(value) != 1:
        raise ValueError("JSON response is not compatible for conversion to jsonlines.")
    return "".join(json.dumps(one) + "\n" for inner in value.values() for one in inner).encode("utf-8")


def get_content_type(value: str | None) -> str:
    return data.content_type(value)


def get_size(path: str, is_pipe: bool = False) -> int:
    """Bytes of the data files at a path; 0 if there are none."""
    return sum(os.path.getsize(one) for one in data.files(path)) if os.path.exists(path) else 0


def get_dmatrix(path: Any, content_type: str, csv_weights: int = 0, is_pipe: bool = False) -> Any:
    """The labelled rows of a file, a directory, or several; None if there are none."""
    if is_pipe:
        raise data.UserError("Pipe mode is not supported. Please use Fast File mode instead.")
    paths = [path] if isinstance(path, str) else list(path)
    found = [one for each in paths if os.path.exists(each) for one in data.files(each)]
    if not found:
        return None
    table = data.read(found, data.content_type(content_type), bool(csv_weights))
    return xgboost.DMatrix(table.features, label=table.label, weight=table.weight)
