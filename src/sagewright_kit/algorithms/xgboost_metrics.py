"""Evaluation metrics that AWS's container adds to XGBoost's own. Called by `algorithms.xgboost`.

A custom metric gets raw margins from XGBoost 1.2 to 1.5 (`feval`), predictions before and after (`custom_metric`);
both are turned into class labels here, so that accuracy means accuracy with every version.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from sagewright_kit.algorithms import xgboost_hyperparameters

# rmse and mae are left to XGBoost, whose values are the same and whose names these are.
CUSTOM = (
    "accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "mse", "precision", "precision_macro",
    "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip
CLASSIFICATION = tuple(name for name in CUSTOM if name not in ("mse", "r2"))


def split(names: list[str]) -> tuple[list[str], list[str]]:
    """Metrics for XGBoost's own `eval_metric`, and those that are computed here."""
    own = [name for name in names if name not in CUSTOM]
    return own, [name for name in names if name in CUSTOM]


def is_maximized(name: str) -> bool:
    return name.split("@")[0] in xgboost_hyperparameters.MAXIMIZE


def function(names: list[str], objective: str, margins: bool) -> Callable[[Any, Any], list[tuple[str, float]]]:
    """A metric function for `xgb.train` that gives all of `names`."""

    def evaluate(predictions: Any, matrix: Any) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        return [(name, compute(name, labels, predictions, objective, margins)) for name in names]

    return evaluate


def compute(name: str, labels: Any, predictions: Any, objective: str, margins: bool) -> float:
    from sklearn import metrics

    if name == "mse":
        return float(metrics.mean_squared_error(labels, predictions))
    if name == "r2":
        return float(metrics.r2_score(labels, predictions))
    classes = to_classes(predictions, objective, margins)
    if name == "accuracy":
        return float(metrics.accuracy_score(labels, classes))
    if name == "balanced_accuracy":
        return float(metrics.balanced_accuracy_score(labels, classes))
    measure, _, average = name.partition("_")
    average = average or ("macro" if measure == "f1" else "binary")
    scores = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}
    return float(scores[measure](labels, classes, average=average))


def to_classes(predictions: Any, objective: str, margins: bool) -> Any:
    """Class labels of margins or predictions."""
    predictions = np.asarray(predictions)
    if predictions.ndim == 2:
        return predictions.argmax(axis=1)
    if objective in ("multi:softmax", "binary:hinge") and not margins:
        return predictions.astype(int)
    threshold = 0.0 if margins or objective == "binary:logitraw" else 0.5
    return (predictions > threshold).astype(int)
