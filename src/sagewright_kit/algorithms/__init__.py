"""Built-in algorithms, one module each. `find` is called by `train` in algorithm mode.

Covered: XGBoost. Not covered: the other built-in algorithms.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Callable

from sagewright_kit.contract.errors import ClientError

ALGORITHMS = ("xgboost",)


def find(name: str) -> Callable[[Any], None]:
    """The `train(training)` of the algorithm called `name`, or of the one whose library this image has."""
    if not name:
        name = next((one for one in ALGORITHMS if importlib.util.find_spec(one)), "")
    if name not in ALGORITHMS:
        raise ClientError(
            "No entry point: this image has no built-in algorithm%s, so set the 'sagemaker_program' hyperparameter."
            % (" named %r" % name if name else "")
        )
    module = importlib.import_module("sagewright_kit.algorithms." + name)
    return module.train
