"""Built-in XGBoost: train from channels and hyperparameters, without a script. Called by `contract.train`.

Covered: every hyperparameter of the containers 0.90 to 3.x, all four formats, weights, ranking groups in LibSVM,
custom metrics, early stopping, checkpoints and resumption, `_kfold` cross-validation, the tuning objective, saving on
termination; models as each version's container saves them (pickled Booster to 1.2, XGBoost's own format since).
Not covered: Pipe mode, several hosts, GPUs through Dask, the Debugger hook.
"""

from __future__ import annotations

import inspect
import json
import os
import pickle
import time
from typing import Any

import numpy as np

from sagewright_kit.algorithms import data, lean, xgboost_hyperparameters, xgboost_metrics
from sagewright_kit.algorithms.errors import AlgorithmError, UserError

xgboost = lean.import_xgboost()
from sagewright_kit.algorithms import xgboost_rounds  # noqa: E402  (it imports xgboost in full)

MODEL_NAME = "xgboost-model"
# Faults of the data or the settings that XGBoost itself finds.
USER_FAULTS = (
    "label must be ",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "AUC: the dataset only contains pos or neg samples",
    "base_score must be in (0,1) for",
    "Parameter reg_lambda should be greater equal to 0",
)


def version() -> tuple[int, ...]:
    """XGBoost's version as numbers."""
    return tuple(int(part) for part in xgboost.__version__.split(".")[:2])


def train(training: Any) -> None:
    """Run a training job."""
    say("Running XGBoost Sagemaker in algorithm mode")
    given = {k: v for k, v in training.raw_hyperparameters.items() if not k.startswith("sagemaker_")}
    settings = xgboost_hyperparameters.validate(given, version())
    if len(training.hosts) > 1:
        raise UserError("Distributed training over %d hosts is not supported." % len(training.hosts))
    if settings.pop("use_dask_gpu_training", "false") == "true":
        raise UserError("Distributed GPU training through Dask is not supported by this image.")
    tables = read_channels(training, bool(settings.pop("csv_weights", 0)))
    run = Run(training, settings, tables)
    if "_kfold" in settings:
        run.cross_validate()
    else:
        run.train_once()


def read_channels(training: Any, csv_weights: bool) -> dict[str, data.Table]:
    """The tables of the channels `train` and `validation`."""
    channels = training.channels
    if "train" not in channels:
        raise UserError("Missing required channel: train")
    unknown = sorted(set(channels) - {"train", "validation", "code"})
    if unknown:
        raise UserError("Extraneous channel found: %s" % ", ".join(unknown))
    kind = data.content_type(channels["train"].get("ContentType"))
    tables = {}
    for name in ("train", "validation"):
        if name not in channels:
            continue
        if channels[name].get("TrainingInputMode") == "Pipe":
            raise UserError("Pipe mode is no longer supported. Please use Fast File mode instead.")
        path = training.paths.channel(name)
        found = data.files(path) if os.path.exists(path) else []
        if not found:
            raise UserError("No data in %s channel path %s" % ("training" if name == "train" else name, path))
        tables[name] = data.read(found, kind, csv_weights)
    align(tables)
    return tables


def align(tables: dict[str, data.Table]) -> None:
    """Give sparse tables one width: a channel may lack the last columns."""
    sparse = [table for table in tables.values() if hasattr(table.features, "indptr")]
    if len(sparse) < 2:
        return
    width = max(table.features.shape[1] for table in sparse)
    for table in sparse:
        table.features.resize((table.features.shape[0], width))


def to_matrix(table: data.Table) -> Any:
    """XGBoost's own form of a table."""
    matrix = xgboost.DMatrix(table.features, label=table.label, weight=table.weight)
    if table.groups is not None:
        starts = np.flatnonzero(np.concatenate(([True], table.groups[1:] != table.groups[:-1])))
        matrix.set_group(np.diff(np.append(starts, len(table.groups))))
    return matrix


def save(booster: Any, path: str) -> None:
    """Write the model as this version's container does."""
    if version() < (1, 3):
        with open(path, "wb") as file:
            pickle.dump(booster, file, protocol=4)
    else:
        booster.save_model(path)


class Run:
    """One training job, its settings taken apart into what `xgboost.train` takes and what steers it."""

    def __init__(self, training: Any, settings: dict[str, Any], tables: dict[str, data.Table]) -> None:
        self.paths, self.tables = training.paths, tables
        self.rounds = settings.pop("num_round")
        self.folds = settings.get("_kfold", 0)
        self.repeats = settings.pop("_num_cv_round", 1)
        self.keep_on_stop = settings.pop("save_model_on_termination", "false") == "true"
        self.patience = settings.pop("early_stopping_rounds", None)
        objective = settings.pop("_tuning_objective_metric", "")
        tuned = objective.split(":", 1)[1] if objective else ""
        asked = settings.pop("eval_metric", [])
        # Tuning reads its metric from the log, so it is computed even if the job did not ask for it.
        named = sorted(set(asked + [tuned])) if tuned and asked else asked or ([tuned] if tuned else [])
        self.metric = tuned or (asked[-1] if asked else "")
        own, self.custom = xgboost_metrics.split(named)
        if own:
            settings["eval_metric"] = own
        elif self.custom and version() >= (1, 3):
            # Without this XGBoost would print its default metric as well.
            settings["disable_default_eval_metric"] = 1
        if tuned:
            say("Setting up HPO optimized metric to be : %s" % tuned)
        self.settings = {k: v for k, v in settings.items() if k != "_kfold"}
        self.objective = settings.get("objective", "reg:squarederror")
        self.checkpoints = checkpoint_directory(self.paths)
        self._translate()

    def _translate(self) -> None:
        """Hyperparameters in the form that this XGBoost takes."""
        settings = self.settings
        if "updater" in settings:
            settings["updater"] = ",".join(settings["updater"])
        if "monotone_constraints" in settings:
            settings["monotone_constraints"] = "(%s)" % ",".join(map(str, settings["monotone_constraints"]))
        if "interaction_constraints" in settings:
            settings["interaction_constraints"] = json.dumps(settings["interaction_constraints"])
        if version() >= (1, 6):
            for gone in ("single_precision_histogram", "deterministic_histogram", "dsplit", "sketch_eps"):
                settings.pop(gone, None)
        if version() >= (2, 0):
            settings.pop("predictor", None)
            if settings.get("tree_method") == "gpu_hist":
                settings.update(tree_method="hist", device="cuda")
        if version() >= (1, 0) and self.objective == "reg:linear":
            settings["objective"] = self.objective = "reg:squarederror"

    def train_once(self) -> None:
        """Train one model on `train`, watching `validation`, and save it."""
        train = to_matrix(self.tables["train"])
        watched = [(train, "train")]
        say("Single node training.")
        say("Train matrix has %d rows and %d columns" % (train.num_row(), train.num_col()))
        if "validation" in self.tables:
            watched.append((to_matrix(self.tables["validation"]), "validation"))
            say("Validation matrix has %d rows" % watched[1][0].num_row())
        booster = self.boost(train, watched, self.checkpoints, MODEL_NAME, {})
        target = os.path.join(self.paths.model, MODEL_NAME)
        xgboost_rounds.write_atomically(lambda path: save(booster, path), target)

    def boost(self, train: Any, watched: list[Any], checkpoints: str, name: str, results: dict[str, Any]) -> Any:
        """One `xgboost.train`, resumed from the newest checkpoint if there is one."""
        model, start = xgboost_rounds.latest_checkpoint(checkpoints)
        if model:
            say("Checkpoint loaded from %s" % model)
            say("Resuming from iteration %d" % start)
        rounds = xgboost_rounds.Rounds(start, save, "%g" if version() < (1, 0) else "%.5f")
        rounds.checkpoints = checkpoints
        if self.keep_on_stop:
            os.makedirs(self.paths.model, exist_ok=True)
            rounds.intermediate = os.path.join(self.paths.model, name)
            xgboost_rounds.finish_on_termination(self.paths.model, MODEL_NAME)
        options: dict[str, Any] = {"evals": watched, "evals_result": results, "xgb_model": model, "verbose_eval": False}
        options.update(self._metric_option())
        options.update(self._stopping(len(watched) > 1, rounds))
        try:
            return xgboost.train(self.settings, train, num_boost_round=max(self.rounds - start, 0), **options)
        except Exception as error:
            # What follows is the library's own call stack, which would fill all of the FailureReason.
            text = str(error).split("\n\nStack trace:", 1)[0].split("\nStack trace:", 1)[0]
            if any(fault in text for fault in USER_FAULTS):
                raise UserError(text) from error
            raise AlgorithmError("XGB train call failed with exception:\n %s" % text) from error

    def _metric_option(self) -> dict[str, Any]:
        if not self.custom:
            return {}
        modern = "custom_metric" in inspect.signature(xgboost.train).parameters
        margins = not modern and version() >= (1, 2)
        evaluate = xgboost_metrics.function(self.custom, self.objective, margins)
        return {"custom_metric" if modern else "feval": evaluate}

    def _stopping(self, validated: bool, rounds: Any) -> dict[str, Any]:
        """Callbacks, and early stopping in the way of this version."""
        if version() < (1, 3):
            options: dict[str, Any] = {"callbacks": xgboost_rounds.callbacks(rounds, None)}
            if self.patience:
                options["early_stopping_rounds"] = self.patience
                if self.metric:
                    options["maximize"] = xgboost_metrics.is_maximized(self.metric)
            return options
        stopping = None
        if self.patience and validated and self.metric:
            stopping = {
                "rounds": self.patience,
                "data_name": "validation",
                "metric_name": self.metric,
                "maximize": xgboost_metrics.is_maximized(self.metric),
                "save_best": self.settings.get("booster") != "gblinear",
            }
        return {"callbacks": xgboost_rounds.callbacks(rounds, stopping)}

    def cross_validate(self) -> None:
        """`_kfold` models, one per fold and repetition, and the predictions on the rows each had not seen."""
        from sagewright_kit.algorithms import xgboost_folds

        xgboost_folds.cross_validate(self)


def checkpoint_directory(paths: Any) -> str:
    """Where checkpoints go; "" if the job has none."""
    try:
        with open(paths.config("checkpointconfig")) as file:
            return json.load(file).get("LocalPath") or "/opt/ml/checkpoints"
    except FileNotFoundError:
        return ""


def say(text: str) -> None:
    """A line of the container's log."""
    print("[%s:INFO] %s" % (time.strftime("%Y-%m-%d:%H:%M:%S", time.gmtime()), text), flush=True)
