"""Built-in XGBoost's hyperparameters: what is refused, in which words, in which version."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright_kit.algorithms import xgboost_hyperparameters
from sagewright_kit.algorithms.errors import UserError


def validate(version: tuple[int, ...] = (1, 7), /, **given: str) -> dict[str, Any]:
    return xgboost_hyperparameters.validate({"num_round": "10", **given}, version)


def test_values_are_parsed_and_aliases_replaced() -> None:
    values = validate(
        learning_rate="0.2", reg_alpha="1", eval_metric="auc,error@0.7", objective="binary:logistic",
        tree_method="hist", monotone_constraints="(1, 0,-1)", interaction_constraints="[[1,2],[3]]",
        updater="grow_quantile_histmaker,prune", _tuning_objective_metric="validation:auc",
    )  # fmt: skip
    assert values["eta"] == 0.2 and values["alpha"] == 1.0 and values["num_round"] == 10
    assert values["eval_metric"] == ["auc", "error@0.7"]
    assert values["monotone_constraints"] == (1, 0, -1) and values["interaction_constraints"] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": "3"}, "Extraneous hyperparameter found: depth"),
        ({"num_round": "many"}, "Hyperparameter num_round: could not parse value (caused by ValueError)"),
        ({"num_round": "0"}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
        ({"eta": "2"}, "Hyperparameter eta: 2.0 is not in [0, 1]"),
        ({"eta": "nan"}, "Hyperparameter eta: nan is not in [0, 1]"),
        ({"subsample": "0"}, "Hyperparameter subsample: 0.0 is not in (0, 1]"),
        ({"booster": "forest"}, "Hyperparameter booster: forest is not in ['gbtree', 'gblinear', 'dart']"),
        ({"objective": "multi:softmax"}, "Require input for parameter 'num_class' for multi-classification"),
        ({"eval_metric": "auc"}, "Metric 'auc' can only be applied for classification and ranking problems."),
        (
            {"eval_metric": "logloss@0.5"},
            "Metric 'logloss@0.5' is not supported. Parameter 'eval_metric' with customized threshold should be one "
            "of these options: 'error', 'ndcg', 'map'.",
        ),
        ({"eval_metric": "error@x"}, "Threshold value 't' in 'error@t' expects float input."),
        (
            {"monotone_constraints": "(1,0)"},
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'.",
        ),
        (
            {"process_type": "update", "updater": "grow_colmaker"},
            "process_type 'update' can only be used with updater 'refresh' and 'prune'",
        ),
        ({"monotone_constraints": "__import__('os').system('true')", "tree_method": "hist"}, "could not parse value"),
        ({"_tuning_objective_metric": "train:auc"}, "_tuning_objective_metric: train:auc is not in"),
    ],
)
def test_bad_values_are_refused_in_the_container_s_words(given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as refused:
        validate((1, 7), **given)
    assert message in str(refused.value)


def test_num_round_is_required() -> None:
    with pytest.raises(UserError, match="Missing required hyperparameter: num_round"):
        xgboost_hyperparameters.validate({"eta": "0.1"}, (1, 7))


@pytest.mark.parametrize(
    ("given", "since"),
    [
        ({"_kfold": "3"}, (1, 2)),
        ({"sampling_method": "uniform"}, (1, 3)),
        ({"objective": "reg:absoluteerror"}, (1, 8)),
        ({"objective": "survival:aft", "aft_loss_distribution": "normal"}, (1, 2)),
        ({"eval_metric": "balanced_accuracy"}, (1, 3)),
        ({"use_dask_gpu_training": "false"}, (1, 5)),
    ],
)
def test_a_version_refuses_what_came_after_it(given: dict[str, str], since: tuple[int, int]) -> None:
    validate(since, **given)
    with pytest.raises(UserError):
        validate((since[0], since[1] - 1) if since[1] else (0, 90), **given)
