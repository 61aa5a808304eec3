"""Script mode: the user's functions around a framework's defaults. The fronts of scikit-learn, XGBoost and PyTorch.

Called by `serve`. Two stacks answer errors differently: "sc" (sagemaker-containers: scikit-learn, XGBoost) knows 415
and 406, "it" (the inference toolkit: PyTorch) answers 500 to all, unless the user's exception states a status.
"""

from __future__ import annotations

import json
import os
import traceback
from typing import Any

from sagewright_kit.servers import codecs, user_module
from sagewright_kit.servers.front import Answer, Front, Request
from sagewright_kit.servers.worker import last_line


class Defaults:
    """What a framework does where the user's module says nothing."""

    stack = "sc"
    ping = Answer()

    def model_fn(self, model_dir: str) -> Any:
        raise NotImplementedError(
            "\nPlease provide a model_fn implementation.\nSee documentation for model_fn at "
            "https://github.com/aws/sagemaker-python-sdk\n"
        )

    def input_fn(self, data: Any, content_type: str) -> Any:
        return codecs.decode(data, content_type)

    def predict_fn(self, data: Any, model: Any) -> Any:
        raise NotImplementedError(
            "\nPlease provide a predict_fn implementation.\nSee documentation for predict_fn at "
            "https://github.com/aws/sagemaker-python-sdk\n"
        )

    def output_fn(self, prediction: Any, accept: str) -> Any:
        return codecs.encode(prediction, accept), accept


class Script(Front):
    """A user module, or none, on top of a framework's defaults."""

    def __init__(self, defaults: Defaults, program: str, model_dir: str) -> None:
        self.defaults, self.program, self.model_dir = defaults, program, model_dir
        self.ping = defaults.ping
        self.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or codecs.JSON
        self.context = user_module.Context(model_dir)
        self.model: Any = None

    def load(self) -> None:
        functions, defaults = user_module.Functions(self.program), self.defaults
        self.transform = functions.all["transform_fn"] and user_module.caller(functions.all["transform_fn"], 4)
        self.decode = user_module.caller(functions.get("input_fn", defaults.input_fn), 2)
        self.predict = user_module.caller(functions.get("predict_fn", defaults.predict_fn), 2)
        self.encode = user_module.caller(functions.get("output_fn", defaults.output_fn), 2)
        self.parameters = functions.all["execution_parameters_fn"]
        context = self.context
        if functions.all["pre_model_fn"]:
            user_module.caller(functions.all["pre_model_fn"], 1)(self.model_dir, context)
        self.model = user_module.caller(functions.get("model_fn", defaults.model_fn), 1)(self.model_dir, context)
        if functions.all["model_warmup_fn"]:
            user_module.caller(functions.all["model_warmup_fn"], 2)(self.model_dir, self.model, context)

    def invoke(self, request: Request) -> Answer:
        context = self.context
        context.headers, context.response_headers, context.response_status = request.headers, {}, 200
        content_type, accept = request.content_type or codecs.JSON, request.accept
        if not accept or accept == "*/*":
            accept = self.default_accept
        try:
            data: Any = request.body
            if content_type in codecs.TEXT_TYPES:
                data = data.decode("utf-8")
            if self.transform:
                return self._answer(self.transform(self.model, data, content_type, accept, context), accept)
            try:
                decoded = self.decode(data, content_type, context)
            except codecs.UnsupportedFormat as error:
                return self._refuse(error, 415)
            prediction = self.predict(decoded, self.model, context)
            try:
                encoded = self.encode(prediction, accept, context)
            except codecs.UnsupportedFormat as error:
                return self._refuse(error, 406)
            return self._answer(encoded, accept)
        except Exception as error:
            return self._fail(error)

    def _answer(self, result: Any, accept: str) -> Answer:
        """What the user's last function returned, as an answer: a body, a pair with its type, or a response object."""
        kind = accept
        if isinstance(result, Answer):
            return result
        if isinstance(result, tuple) and len(result) == 2:
            result, kind = result
        elif hasattr(result, "get_data") and hasattr(result, "mimetype"):
            return Answer(result.get_data(), result.mimetype, getattr(result, "status_code", 200))
        headers = self.context.response_headers
        kind = headers.pop("Content-Type", kind)
        if result is None:
            result = b""
        elif not isinstance(result, (bytes, bytearray, str)) and not is_stream(result):
            result = codecs.encode(result, kind) if codecs.media_type(kind) in codecs.TEXT_TYPES else str(result)
        return Answer(result, kind, self.context.response_status, headers or None)

    def _refuse(self, error: Exception, status: int) -> Answer:
        if self.defaults.stack != "sc":
            return self._fail(error)
        traceback.print_exc()
        text = {"error": "UnsupportedFormatError", "error-message": str(error), "stack-trace": traceback.format_exc()}
        return Answer(json.dumps(text), codecs.JSON, status)

    def _fail(self, error: Exception) -> Answer:
        traceback.print_exc()
        status, message = getattr(error, "status_code", None), getattr(error, "message", None)
        if self.defaults.stack == "it" and isinstance(status, int) and 400 <= status < 600:
            return Answer("%s\n%s" % (message, traceback.format_exc()), "text/plain", status)
        if self.defaults.stack == "it":
            return Answer("%s\n%s" % (error, traceback.format_exc()), "text/plain", 500)
        return Answer(last_line(error), "text/plain", 500)

    def execution_parameters(self) -> Answer:
        if not self.parameters:
            return Answer(status=404)
        result = self.parameters()
        if isinstance(result, (dict, list)):
            return Answer(json.dumps(result), codecs.JSON)
        return self._answer(result, codecs.JSON)


def is_stream(value: Any) -> bool:
    """Whether a result is meant to be sent piece by piece: an iterator, not a list or an array."""
    return hasattr(value, "__next__")
