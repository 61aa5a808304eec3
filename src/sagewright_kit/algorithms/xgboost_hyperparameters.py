"""The hyperparameters of built-in XGBoost and their rules, as the container of each version has them.

Called by `algorithms.xgboost`; facts from the published containers 1.0-1 to 3.0-5.
"""

from __future__ import annotations

from typing import Any

from sagewright_kit.algorithms import schema
from sagewright_kit.algorithms.errors import UserError
from sagewright_kit.algorithms.schema import Choice, CommaList, Continuous, Integer, Interval, at_least, between

ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}

MAXIMIZE = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
    "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip
MINIMIZE = (
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy",
    "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle",
    "tweedie-nloglik",
)  # fmt: skip
# Metrics by the first version that has them; the rest were there from the start.
METRIC_SINCE = {
    "f1_binary": (1, 2), "f1_macro": (1, 2), "r2": (1, 2), "aft-nloglik": (1, 2), "mphe": (1, 2),
    "interval-regression-accuracy": (1, 2), "mape": (1, 3), "balanced_accuracy": (1, 3), "precision": (1, 3),
    "precision_macro": (1, 3), "precision_micro": (1, 3), "recall": (1, 3), "recall_macro": (1, 3),
    "recall_micro": (1, 3),
}  # fmt: skip
OBJECTIVES = (
    "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob",
    "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma",
    "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie", "survival:aft", "survival:cox",
)  # fmt: skip
OBJECTIVE_SINCE = {
    "reg:squaredlogerror": (1, 0), "reg:pseudohubererror": (1, 2), "survival:aft": (1, 2),
    "reg:absoluteerror": (1, 8),
}  # fmt: skip
TREE_GROWERS = ("grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_quantile_histmaker")
TREE_UPDATERS = TREE_GROWERS + ("grow_skmaker", "sync", "refresh", "prune")
LINEAR_UPDATERS = ("shotgun", "coord_descent")


def metrics(version: tuple[int, ...]) -> list[str]:
    """Metric names that `eval_metric` and tuning may name in this version."""
    return [name for name in MAXIMIZE + MINIMIZE if METRIC_SINCE.get(name, (0,)) <= version]


def validate(given: dict[str, Any], version: tuple[int, ...]) -> dict[str, Any]:
    """Parsed hyperparameters of a training job, or a UserError."""
    return schema.validate(_schema(version), ALIASES, given)


class _Metrics(list):
    """Metric names; `name@threshold` counts for the three metrics that take one."""

    def __contains__(self, metric: Any) -> bool:
        if "<function" in metric:
            raise UserError("User defined evaluation metric %s is not supported yet." % metric)
        if "@" not in metric:
            return super().__contains__(metric)
        name, threshold = (part.strip() for part in metric.split("@", 1))
        if name not in ("error", "ndcg", "map"):
            words = "Metric '%s' is not supported. Parameter 'eval_metric' with customized threshold should be one of"
            raise UserError((words + " these options: 'error', 'ndcg', 'map'.") % metric)
        try:
            float(threshold.rstrip("-"))
        except ValueError:
            raise UserError("Threshold value 't' in '%s@t' expects float input." % name) from None
        return True


def _schema(version: tuple[int, ...]) -> dict[str, schema.Hyperparameter]:
    result = dict(_general(version))
    result.update(_trees())
    if version < (1, 2):
        result["silent"] = Integer(between(0, 1))
        return result
    result.update({
        "_kfold": Integer(at_least(2)),
        "_num_cv_round": Integer(at_least(1)),
        "aft_loss_distribution": Choice(["normal", "logistic", "extreme"]),
        "aft_loss_distribution_scale": Continuous(at_least(0)),
        "deterministic_histogram": Choice(["true", "false"]),
        # Gone from the containers since 1.7, but documented still: accepted, and dropped where XGBoost lacks it.
        "single_precision_histogram": Choice(["true", "false"]),
    })  # fmt: skip
    if version >= (1, 3):
        result["sampling_method"] = Choice(["uniform", "gradient_based"])
        result["prob_buffer_row"] = Continuous(Interval("(", 1.0, None, ")"))
    if version >= (1, 5):
        result["use_dask_gpu_training"] = Choice(["true", "false"])
    return result


def _general(version: tuple[int, ...]) -> dict[str, schema.Hyperparameter]:
    named = metrics(version)
    objectives = [name for name in OBJECTIVES if OBJECTIVE_SINCE.get(name, (0,)) <= version]
    return {
        "num_round": Integer(at_least(1), required=True),
        "csv_weights": Integer(between(0, 1)),
        "early_stopping_rounds": Integer(at_least(1)),
        "booster": Choice(["gbtree", "gblinear", "dart"]),
        "verbosity": Integer(between(0, 3)),
        "nthread": Integer(at_least(1)),
        "objective": Choice(objectives, check=_objective),
        "num_class": Integer(at_least(2)),
        "base_score": Continuous(at_least(0)),
        "eval_metric": CommaList(_Metrics(named), check=_eval_metric),
        "seed": Integer(Interval("(", -(2**31), 2**31 - 1, ")")),
        "_tuning_objective_metric": Choice(["validation:" + name for name in named]),
        "save_model_on_termination": Choice(["true", "false"]),
        "tweedie_variance_power": Continuous(Interval("(", 1, 2, ")")),
        "lambda_bias": Continuous(between(0, 1)),
    }


def _trees() -> dict[str, schema.Hyperparameter]:
    share = Interval("(", 0, 1, "]")
    return {
        "eta": Continuous(between(0, 1)),
        "gamma": Continuous(at_least(0)),
        "max_depth": Integer(at_least(0)),
        "min_child_weight": Continuous(at_least(0)),
        "max_delta_step": Continuous(at_least(0)),
        "subsample": Continuous(share),
        "colsample_bytree": Continuous(share),
        "colsample_bylevel": Continuous(share),
        "colsample_bynode": Continuous(share),
        "lambda": Continuous(at_least(0)),
        "alpha": Continuous(at_least(0)),
        "tree_method": Choice(["auto", "exact", "approx", "hist", "gpu_hist"]),
        "sketch_eps": Continuous(Interval("(", 0, 1, ")")),
        "scale_pos_weight": Continuous(Interval("(", 0, None, ")")),
        "updater": CommaList(list(TREE_UPDATERS + LINEAR_UPDATERS), check=_updater),
        "dsplit": Choice(["row", "col"]),
        "refresh_leaf": Integer(between(0, 1)),
        "process_type": Choice(["default", "update"]),
        "grow_policy": Choice(["depthwise", "lossguide"]),
        "max_leaves": Integer(at_least(0)),
        "max_bin": Integer(at_least(0)),
        "predictor": Choice(["auto", "cpu_predictor", "gpu_predictor"]),
        "monotone_constraints": schema.Tuple([-1, 0, 1], check=_monotone),
        "interaction_constraints": schema.NestedList(at_least(0), check=_interaction),
        "sample_type": Choice(["uniform", "weighted"]),
        "normalize_type": Choice(["tree", "forest"]),
        "rate_drop": Continuous(between(0, 1)),
        "one_drop": Integer(between(0, 1)),
        "skip_drop": Continuous(between(0, 1)),
        "num_parallel_tree": Integer(at_least(1)),
    }


def _objective(value: Any, others: dict[str, Any]) -> None:
    if value in ("multi:softmax", "multi:softprob") and others.get("num_class") is None:
        raise UserError("Require input for parameter 'num_class' for multi-classification")


def _eval_metric(value: Any, others: dict[str, Any]) -> None:
    objective = others.get("objective", "reg:squarederror")
    if "auc" in value and not objective.startswith(("binary:", "rank:", "multi:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in value and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")


def _monotone(_value: Any, others: dict[str, Any]) -> None:
    if others.get("tree_method") not in ("exact", "hist"):
        words = "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or"
        raise UserError(words + " 'hist'.")


def _interaction(_value: Any, others: dict[str, Any]) -> None:
    if others.get("tree_method") not in ("exact", "hist", "approx"):
        words = "interaction_constraints can be used only when the tree_method parameter is set to either 'exact',"
        raise UserError(words + " 'hist' or 'approx'.")


def _updater(value: Any, others: dict[str, Any]) -> None:
    if others.get("booster") == "gblinear":
        if len(value) != 1 or value[0] not in LINEAR_UPDATERS:
            names = ", ".join("'%s'" % name for name in LINEAR_UPDATERS)
            raise UserError("Linear updater should be one of these options: %s." % names)
    elif others.get("process_type") == "update":
        if any(name not in ("refresh", "prune") for name in value):
            raise UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'")
    elif any(name not in TREE_UPDATERS for name in value):
        names = ", ".join("'%s'" % name for name in TREE_UPDATERS)
        raise UserError("Tree updater should be selected from these options: %s." % names)
    elif sum(name in TREE_GROWERS for name in value) > 1:
        names = ", ".join("'%s'" % name for name in TREE_GROWERS)
        raise UserError("Only one tree grow plugin can be selected. Choose one from the following: %s" % names)
