"""The user's inference code: where it is, what it needs installed, and its functions.

Called by `serve` (prepare) and by the fronts (Functions). The code is `code/` of the model archive, or what
SAGEMAKER_SUBMIT_DIRECTORY names; its file is SAGEMAKER_PROGRAM, else inference.py where the framework looks for that.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from typing import Any, Callable

from sagewright_kit.contract import shims
from sagewright_kit.contract.paths import Paths

NAMES = (
    "model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn", "pre_model_fn", "model_warmup_fn",
    "execution_parameters_fn",
)  # fmt: skip


def prepare(paths: Paths, needs_program: bool = False) -> str:
    """Bring the code here and install what it requires; the path of the program, "" if there is none."""
    program = os.environ.get("SAGEMAKER_PROGRAM", "")
    directory = code_directory(paths, program or "inference.py")
    if not directory:
        if program:
            raise FileNotFoundError("The program %s is not in the model's code directory" % program)
        return ""
    if os.path.isfile(os.path.join(directory, "requirements.txt")):
        from sagewright_kit.contract.overlay import Overlay

        overlay = Overlay().create()
        overlay.install_requirements(directory)
        overlay.activate()
    shims.install()
    sys.path.insert(0, directory)
    libraries = os.path.join(directory, "lib")
    if os.path.isdir(libraries):
        sys.path.insert(1, libraries)
    return os.path.join(directory, program or "inference.py")


def code_directory(paths: Paths, program: str) -> str:
    """The directory that holds `program`: in the model, at /opt/ml/code, or fetched; "" if none does."""
    shipped = os.path.join(paths.model, "code")
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    for directory in (shipped, submitted, paths.code):
        if directory and os.path.isfile(os.path.join(directory, program)):
            return directory
    if submitted and (submitted.startswith("s3://") or os.path.isfile(submitted)):
        from sagewright_kit.contract import source

        source.fetch(submitted, paths.code)
        if os.path.isfile(os.path.join(paths.code, program)):
            return paths.code
    return ""


def load(path: str) -> Any:
    """Import the program as the module of its own name, so that pickled models find their classes in it."""
    name = os.path.basename(path)[: -len(".py")] if path.endswith(".py") else os.path.basename(path)
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ImportError("Cannot import %s: it is no Python file" % path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


class Functions:
    """The functions that a user module defines; None for those it leaves to the framework."""

    def __init__(self, path: str) -> None:
        module = load(path) if path else None
        self.all = {name: getattr(module, name, None) for name in NAMES}
        if self.all["transform_fn"] and any(self.all[n] for n in ("input_fn", "predict_fn", "output_fn")):
            raise ValueError(
                "Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or output_fn"
                " implementation"
            )

    def get(self, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
        return self.all[name] or default


def caller(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`function` as something that takes `count` arguments and the context, which it passes on only if asked to.

    The arity is looked at once, not per request.
    """
    takes = len(inspect.signature(function).parameters)
    if takes == count:
        return lambda *arguments: function(*arguments[:count])
    if takes == count + 1:
        return function
    name = getattr(function, "__name__", str(function))
    raise TypeError("%s takes %d arguments but %d were given." % (name, takes, count))


class Context:
    """What a function with a last parameter `context` sees of the server and the request."""

    def __init__(self, model_dir: str) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.model_name = "model"
        self.manifest: dict[str, Any] = {}
        self.request_processor = [self]
        self.headers: dict[str, str] = {}
        self.response_headers: dict[str, str] = {}
        self.response_status = 200

    def get_request_header(self, _index: int, name: str) -> str | None:
        return self.headers.get(name.lower())

    def get_request_properties(self) -> dict[str, str]:
        return {"-".join(part.capitalize() for part in name.split("-")): v for name, v in self.headers.items()}

    def set_response_header(self, _index: int, name: str, value: str) -> None:
        self.response_headers[name] = value

    def set_response_content_type(self, _index: int, value: str) -> None:
        self.response_headers["Content-Type"] = value

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.response_status = code
