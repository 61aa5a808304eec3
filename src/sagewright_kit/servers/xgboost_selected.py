"""Selectable inference content of built-in XGBoost (SAGEMAKER_INFERENCE_OUTPUT). Called by `servers.xgboost`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from sagewright_kit.contract import recordio

LABELS = ("predicted_label", "labels", "raw_score", "raw_scores")
PROBABILITIES = ("probability", "probabilities")
VALID = {
    "reg:squarederror": ("predicted_score",),
    "reg:logistic": ("predicted_score",),
    "reg:gamma": ("predicted_score",),
    "reg:absoluteerror": ("predicted_score",),
    "reg:tweedie": ("predicted_score",),
    "binary:logistic": LABELS + PROBABILITIES,
    "binary:logitraw": LABELS,
    "binary:hinge": LABELS,
    "multi:softmax": LABELS,
    "multi:softprob": LABELS + PROBABILITIES,
}


def keys(text: str | None) -> list[str]:
    """The keys that the variable names, in order."""
    return text.replace(" ", "").lower().split(",") if text else []


def select(predictions: Any, wanted: list[str], objective: str, classes: int) -> list[dict[str, Any]]:
    """For each prediction the wanted content; NaN where the objective does not have it."""
    if objective not in VALID:
        raise ValueError("Objective `%s` unsupported for selectable inference predictions." % objective)
    invalid = [key for key in wanted if key not in VALID[objective]]
    if invalid:
        words = "Selected key(s) %s incompatible for objective '%s'. Please use list of compatible selectable inference"
        print((words + " predictions: %s") % (invalid, objective, list(VALID[objective])), flush=True)
    return [
        {key: content(key, value, objective, classes) if key not in invalid else float("nan") for key in wanted}
        for value in predictions
    ]


def content(key: str, value: Any, objective: str, classes: int) -> Any:
    """One piece of content of one prediction."""
    if key == "labels":
        return [0, 1] if objective.startswith("binary:") else list(range(classes))
    if objective == "multi:softprob":
        best = int(np.argmax(value))
        if key == "predicted_label":
            return best
        return value.tolist() if key in ("probabilities", "raw_scores") else value[best].item()
    number = value.item()
    if key == "predicted_label":
        if objective in ("binary:hinge", "multi:softmax"):
            return number
        return int(number > (0.5 if objective == "binary:logistic" else 0))
    return [1.0 - number, number] if key in ("probabilities", "raw_scores") else number


def encode(chosen: list[dict[str, Any]], order: list[str], accept: str, batch: bool) -> Any:
    """Selected content as JSON, JSON lines, RecordIO or CSV."""
    if accept == "application/json":
        return json.dumps({"predictions": chosen})
    if accept == "application/jsonlines":
        return "".join(json.dumps(one) + "\n" for one in chosen)
    if accept == "application/x-recordio-protobuf":
        records = []
        for one in chosen:
            tensors = {k: recordio.Tensor(np.atleast_1d(np.array(v, np.float32))) for k, v in one.items()}
            records.append(recordio.frame(recordio.encode({}, tensors)))
        return b"".join(records)
    lines = (",".join('"%s"' % one[k] if isinstance(one[k], list) else str(one[k]) for k in order) for one in chosen)
    return "\n".join(lines) + ("\n" if batch else "")
