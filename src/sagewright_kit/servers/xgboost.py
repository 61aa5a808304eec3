"""The XGBoost image: script mode's defaults, and the server of built-in XGBoost (algorithm mode). Called by `serve`.

Algorithm mode answers as the container of each version does: 204 to an empty body, 415 to a body it cannot read, 400
to rows that do not fit the model, 406 to an Accept it does not know.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import traceback
import warnings
from typing import Any

import numpy as np
import xgboost

from sagewright_kit.algorithms import data
from sagewright_kit.contract import machine, recordio
from sagewright_kit.servers import codecs, xgboost_direct, xgboost_selected
from sagewright_kit.servers.front import Answer, Front, Request
from sagewright_kit.servers.script import Defaults

JSONLINES, RECORDIO = "application/jsonlines", "application/x-recordio-protobuf"
ACCEPTS = (codecs.JSON, JSONLINES, RECORDIO, codecs.CSV)
VERSION = tuple(int(part) for part in xgboost.__version__.split(".")[:2])
MAX_CONTENT = int(os.environ.get("MAX_CONTENT_LENGTH") or 6291456)


class Script(Defaults):
    """Defaults of script mode: DMatrix in, predictions out."""

    def input_fn(self, body: Any, content_type: str) -> Any:
        kind = data.NAMES.get(codecs.media_type(content_type), "")
        if kind not in (data.CSV, data.LIBSVM, data.RECORDIO):
            raise codecs.UnsupportedFormat(content_type)
        return xgboost.DMatrix(parse(body.encode("utf-8") if isinstance(body, str) else body, kind))

    def predict_fn(self, matrix: Any, model: Any) -> Any:
        return model.predict(matrix, validate_features=False)


def parse(body: bytes, kind: str) -> Any:
    """Rows to be predicted: an array, or a sparse matrix."""
    if kind == data.CSV:
        text = body.strip()
        delimiter = next((one for one in data.DELIMITERS if one.encode() in text.split(b"\n", 1)[0]), ",")
        return data.parse_csv(text, delimiter)
    if kind == data.LIBSVM:
        return data.parse_libsvm(body.decode("utf-8"), labelled=False).features
    if kind == data.RECORDIO:
        return recordio.matrix(recordio.frames(body))[0]
    raise data.UserError("Content-type %s is not supported." % kind)


def load_booster(path: str) -> Any:
    """A Booster from a pickle (containers to 1.2) or in XGBoost's own format."""
    try:
        with open(path, "rb") as file:
            booster = pickle.load(file)
        if isinstance(booster, xgboost.Booster):
            return booster
        if hasattr(booster, "get_booster"):
            return booster.get_booster()
        reason = "it holds a %s" % type(booster).__name__
    except Exception as error:
        reason = str(error)
    booster = xgboost.Booster()
    try:
        with warnings.catch_warnings():
            # The file's name is the contract's; XGBoost need not tell that it guessed the format.
            warnings.simplefilter("ignore")
            booster.load_model(path)
    except Exception as error:
        text = "Model %s cannot be loaded:\nPickle load error=%s\nXGB load model error=%s" % (path, reason, error)
        raise RuntimeError(text) from error
    return booster


class Model:
    """One loaded Booster and how to ask it."""

    def __init__(self, path: str) -> None:
        print("Loading the model from %s" % path, flush=True)
        self.booster = load_booster(path)
        # Workers are as many as processors, so each predicts with one thread.
        self.booster.set_param({"nthread": 1})
        self.best = int(getattr(self.booster, "best_ntree_limit", 0) or 0)
        self.objective, self.classes = describe(self.booster)
        self.features = count_features(self.booster)
        self.direct: Any = None
        if VERSION >= (1, 6) and self.features:
            end = int(self.booster.attr("best_iteration") or -1) + 1 if self.best else 0
            self.direct = xgboost_direct.open_for(self.booster, self.features, end, self._predict_matrix)

    def predict(self, rows: Any) -> Any:
        if self.direct is not None and not hasattr(rows, "indptr"):
            return self.direct(rows)
        return self._predict_matrix(rows)

    def _predict_matrix(self, rows: Any) -> Any:
        matrix = xgboost.DMatrix(rows)
        if VERSION >= (2, 0):
            return self.booster.predict(matrix, validate_features=False)
        return self.booster.predict(matrix, ntree_limit=self.best, validate_features=False)


def describe(booster: Any) -> tuple[str, int]:
    """Objective and number of classes; versions before 1.0 cannot say."""
    if not hasattr(booster, "save_config"):
        return "", 0
    learner = json.loads(booster.save_config())["learner"]
    return learner["objective"]["name"], int(learner["learner_model_param"].get("num_class") or 0)


def count_features(booster: Any) -> int:
    if hasattr(booster, "num_features"):
        return int(booster.num_features())
    return len(booster.feature_names or ())


class Algorithm(Front):
    """The server of built-in XGBoost."""

    def __init__(self, model_dir: str) -> None:
        self.model_dir = model_dir
        self.models: list[Model] = []
        self.batch = bool(os.environ.get("SAGEMAKER_BATCH"))
        self.ensemble = os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true") == "true"
        self.selected = xgboost_selected.keys(os.environ.get("SAGEMAKER_INFERENCE_OUTPUT"))
        self.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or codecs.CSV

    def load(self) -> None:
        names = sorted(n for n in os.listdir(self.model_dir) if os.path.isfile(os.path.join(self.model_dir, n)))
        if any(name.startswith(".") for name in names):
            raise ValueError("Hidden file found in the model; please exclude dotfiles from model archives")
        if not names:
            raise FileNotFoundError("The model archive holds no model file")
        names = names if self.ensemble else names[:1]
        self.models = [Model(os.path.join(self.model_dir, name)) for name in names]
        if self.models[0].objective:
            print("Model objective : %s" % self.models[0].objective, flush=True)

    def invoke(self, request: Request) -> Answer:
        if not request.body:
            return Answer(status=204)
        if len(request.body) > MAX_CONTENT and not self.batch:
            return Answer("The data value transmitted exceeds the capacity limit.", "text/plain", 413)
        try:
            kind = data.content_type(request.content_type)
            rows = self._read(request.body, kind)
        except Exception as error:
            return refuse(error, 415, "%s")
        try:
            predictions = self._predict(self._fit(rows, kind))
        except Exception as error:
            return refuse(error, 400, "Unable to evaluate payload provided: %s")
        try:
            accept = self._accept(request.accept)
        except ValueError as error:
            return refuse(error, 406, "%s")
        if self.selected:
            return self._select(predictions, accept)
        return self._encode(predictions, accept)

    def _read(self, body: bytes, kind: str) -> Any:
        try:
            return parse(body, kind)
        except data.UserError:
            raise
        except Exception as error:
            words = "Loading %s data failed with Exception, please ensure data is in %s format:\n %s\n %s"
            raise RuntimeError(words % (kind, kind, type(error), error)) from error

    def _fit(self, rows: Any, kind: str) -> Any:
        """Rows as wide as the model; an error in the container's words if they cannot be."""
        width, wanted = rows.shape[1], self.models[0].features
        if not wanted or width == wanted:
            return rows
        if kind == data.LIBSVM or hasattr(rows, "indptr"):
            if width > wanted:
                words = "Feature size of %s inference data %d is larger than feature size of trained model %d."
                raise ValueError(words % (kind, width, wanted))
            rows.resize((rows.shape[0], wanted))
            return rows
        words = "Feature size of %s inference data %d is not consistent with feature size of trained model %d."
        raise ValueError(words % (kind, width, wanted))

    def _predict(self, rows: Any) -> Any:
        if len(self.models) == 1:
            return self.models[0].predict(rows)
        all_of_them = np.array([model.predict(rows) for model in self.models])
        if self.models[0].objective in ("multi:softmax", "binary:hinge"):
            votes = all_of_them.astype(int)
            return np.array([np.bincount(votes[:, i]).argmax() for i in range(votes.shape[1])], dtype=np.float32)
        return all_of_them.mean(axis=0)

    def _accept(self, value: str) -> str:
        accept = codecs.media_type(value)
        if not accept or accept == "*/*":
            return self.default_accept
        if accept not in ACCEPTS:
            words = "Accept type %s is not supported. Please use supported accept types: %s."
            raise ValueError(words % (value, list(ACCEPTS)))
        return accept

    def _select(self, predictions: Any, accept: str) -> Answer:
        try:
            model = self.models[0]
            chosen = xgboost_selected.select(predictions, self.selected, model.objective, model.classes)
            return Answer(xgboost_selected.encode(chosen, self.selected, accept, self.batch), accept)
        except Exception as error:
            return refuse(error, 500, "%s")

    def _encode(self, predictions: Any, accept: str) -> Answer:
        values = predictions.tolist()
        if self.batch:
            return Answer("\n".join(map(str, values)) + "\n", codecs.CSV if VERSION < (1, 2) else accept)
        if VERSION < (1, 2):
            # These containers knew one answer only.
            return Answer(",".join(map(str, values)), codecs.CSV)
        if accept == codecs.JSON:
            return Answer(json.dumps({"predictions": [{"score": value} for value in values]}), accept)
        if accept == JSONLINES:
            return Answer("".join(json.dumps({"score": value}) + "\n" for value in values), accept)
        if accept == RECORDIO:
            rows = predictions if predictions.ndim == 2 else predictions.reshape(-1, 1)
            return Answer(recordio.write(rows.astype(np.float32)), accept)
        if predictions.ndim == 2:
            return Answer("".join(",".join(map(str, row)) + "\n" for row in values), accept)
        return Answer("".join("%s\n" % value for value in values), accept)

    def execution_parameters(self) -> Answer:
        parameters = {
            "MaxConcurrentTransforms": machine.cpus(),
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": MAX_CONTENT >> 20,
        }
        return Answer(json.dumps(parameters), codecs.JSON)


def refuse(error: Exception, status: int, words: str) -> Answer:
    traceback.print_exc(file=sys.stderr)
    return Answer(words % error, "text/html; charset=utf-8", status)
