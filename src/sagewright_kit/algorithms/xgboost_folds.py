"""Cross-validation of built-in XGBoost (`_kfold`). Called by `algorithms.xgboost`.

Folds are drawn with the job's seed, so that a job gives the same folds twice; each fold's metrics are those of its
own rows.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np


def cross_validate(run: Any) -> None:
    """Train a model per fold and repetition on the rows of both channels; save models and predictions."""
    from sagewright_kit.algorithms import data, xgboost, xgboost_rounds

    everything = xgboost.to_matrix(data.concatenate(list(run.tables.values())))
    labels = everything.get_label()
    words = "Run %d-round of %d-fold cross validation with %d rows"
    xgboost.say(words % (run.repeats, run.folds, len(labels)))
    classes = bool(run.settings.get("num_class")) or run.objective.startswith("binary:")
    predictions = Predictions(labels, run.repeats, classes)
    boosters: list[Any] = []
    results: list[dict[str, Any]] = []
    for seen, unseen in folds(labels, run.folds, run.repeats, classes, run.settings.get("seed", 0)):
        number = len(boosters)
        xgboost.say("Train cross validation fold %d" % (number % run.folds + 1))
        train, validation = everything.slice(seen), everything.slice(unseen)
        checkpoints = os.path.join(run.checkpoints, "model-%d" % number) if run.checkpoints else ""
        if checkpoints:
            os.makedirs(checkpoints, exist_ok=True)
        result: dict[str, Any] = {}
        name = "%s-%d" % (xgboost.MODEL_NAME, number)
        watched = [(train, "train"), (validation, "validation")]
        boosters.append(run.boost(train, watched, checkpoints, name, result))
        results.append(result)
        predictions.record(unseen, boosters[-1].predict(validation))
        if len(boosters) % run.folds == 0:
            xgboost.say("The metrics of round %d cross validation" % (len(boosters) // run.folds))
            report(run.rounds, results[-run.folds :])
    if run.repeats > 1:
        xgboost.say("The overall metrics of %d-round cross validation" % run.repeats)
        report(run.rounds, results)
    predictions.save(os.path.join(run.paths.output_data, "predictions.csv"))
    for number, booster in enumerate(boosters):
        target = os.path.join(run.paths.model, "%s-%d" % (xgboost.MODEL_NAME, number))
        xgboost_rounds.write_atomically(functools.partial(xgboost.save, booster), target)


def folds(labels: Any, count: int, repeats: int, classes: bool, seed: int) -> Any:
    """Pairs of row indexes: to train on, to validate on."""
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    kind = RepeatedStratifiedKFold if classes else RepeatedKFold
    return kind(n_splits=count, n_repeats=repeats, random_state=abs(seed)).split(np.zeros(len(labels)), labels)


def report(rounds: int, results: list[dict[str, Any]]) -> None:
    """One line of mean final metrics, in the form of the lines of rounds."""
    line = "[%d]" % rounds
    for metric in results[0]["train"]:
        for name in ("train", "validation"):
            values = [result[name][metric][-1] for result in results]
            line += "\t%s-%s:%.5f" % (name, metric, np.mean(values))
    print(line, flush=True)


class Predictions:
    """What each row was predicted to be while it was held out, over all repetitions."""

    def __init__(self, labels: Any, repeats: int, classes: bool) -> None:
        self.labels, self.classes = labels, classes
        self.predicted = np.zeros((len(labels), repeats))
        self.probability = np.zeros((len(labels), repeats))
        self.seen = np.zeros(len(labels), int)

    def record(self, rows: Any, predictions: Any) -> None:
        column = self.seen[rows]
        if self.classes and predictions.ndim > 1:
            best = predictions.argmax(axis=1)
            self.probability[rows, column] = predictions[np.arange(len(best)), best]
            self.predicted[rows, column] = best
        elif self.classes:
            self.probability[rows, column] = predictions
            self.predicted[rows, column] = predictions > 0.5
        else:
            self.predicted[rows, column] = predictions
        self.seen[rows] += 1

    def save(self, path: str) -> None:
        """Columns: truth, mean probability (classification only), most frequent class or mean prediction."""
        columns = [self.labels]
        if self.classes:
            columns.append(self.probability.mean(axis=1))
            columns.append(np.array([np.bincount(row.astype(int)).argmax() for row in self.predicted]))
        else:
            columns.append(self.predicted.mean(axis=1))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        np.savetxt(path, np.column_stack(columns), delimiter=",", fmt="%f")
