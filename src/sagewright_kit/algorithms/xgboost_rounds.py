"""What happens after each boosting round: the metrics line, checkpoints, the intermediate model.

Called by `algorithms.xgboost`. XGBoost's callbacks are functions before 1.3 and objects since; `callbacks` gives
either. The line is printed here, not by XGBoost, whose own output sits in a C buffer until the job ends.
"""

from __future__ import annotations

import os
import re
import signal
import warnings
from typing import Any, Callable

import xgboost

CHECKPOINT = "xgboost-checkpoint"
KEEP = 5


class Rounds:
    """The work after each round. `save(booster, path)` writes a model in this version's format."""

    def __init__(self, start: int, save: Callable[[Any, str], None], precision: str) -> None:
        self.start, self.save, self.precision = start, save, precision
        self.checkpoints = ""
        self.intermediate = ""
        self.count = 0

    def after(self, booster: Any, scores: list[tuple[str, float]]) -> None:
        number = self.start + self.count
        self.count += 1
        text = "".join("\t%s:%s" % (name, self.precision % score) for name, score in scores)
        print("[%d]%s" % (number, text), flush=True)
        if self.checkpoints:
            write_atomically(booster.save_model, os.path.join(self.checkpoints, "%s.%d" % (CHECKPOINT, number)))
            old = os.path.join(self.checkpoints, "%s.%d" % (CHECKPOINT, number - KEEP))
            if os.path.exists(old):
                os.unlink(old)
        if self.intermediate:
            write_atomically(lambda path: self.save(booster, path), self.intermediate)


def write_atomically(write: Callable[[str], Any], path: str) -> None:
    """A reader, or an upload, sees the old file or the new one."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    scratch = "%s.sagemaker-ignore" % path
    with warnings.catch_warnings():
        # The file's name is the contract's; that XGBoost would like an ending is no news to the user.
        warnings.simplefilter("ignore")
        write(scratch)
    os.replace(scratch, path)


def callbacks(rounds: Rounds, early_stopping: dict[str, Any] | None) -> list[Any]:
    """Callbacks of this XGBoost version."""
    if not hasattr(xgboost.callback, "TrainingCallback"):

        def after(env: Any) -> None:
            rounds.after(env.model, [(name, score) for name, score in env.evaluation_result_list])

        return [after]

    # One callback for both: some versions call callbacks in any order and end at the first that says stop, which would
    # lose the last round's line.
    stopping = xgboost.callback.EarlyStopping(**early_stopping) if early_stopping else None

    class After(xgboost.callback.TrainingCallback):
        def before_training(self, model: Any) -> Any:
            return stopping.before_training(model) if stopping else model

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            log = evals_log.items()
            rounds.after(model, [("%s-%s" % (data, m), v[-1]) for data, got in log for m, v in got.items()])
            return bool(stopping and stopping.after_iteration(model, epoch, evals_log))

        def after_training(self, model: Any) -> Any:
            return stopping.after_training(model) if stopping else model

    return [After()]


def latest_checkpoint(directory: str) -> tuple[str | None, int]:
    """The newest checkpoint's path and how many rounds it holds."""
    if not directory or not os.path.isdir(directory):
        return None, 0
    names = [name for name in os.listdir(directory) if re.match(r"^%s\.\d+$" % CHECKPOINT, name)]
    if not names:
        return None, 0
    number = max(int(name.rsplit(".", 1)[1]) for name in names)
    return os.path.join(directory, "%s.%d" % (CHECKPOINT, number)), number + 1


def finish_on_termination(model_dir: str, prefix: str) -> None:
    """On SIGTERM leave the last round's model, and nothing half-written, and end well."""

    def stop(_number: int, _frame: Any) -> None:
        for name in os.listdir(model_dir):
            path = os.path.join(model_dir, name)
            if os.path.isfile(path) and (not name.startswith(prefix) or name.endswith(".sagemaker-ignore")):
                os.unlink(path)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
