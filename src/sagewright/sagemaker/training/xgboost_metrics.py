"""Metrics that the built-in XGBoost publishes without being asked.

Source: the metric definitions that the algorithm's documentation lists; the log's TAB is rendered as #011.
"""

from __future__ import annotations

FAMILIES = frozenset({"xgboost", "sagemaker-xgboost"})
_METRICS = ("accuracy", "auc", "aucpr", "balanced_accuracy", "error", "f1", "f1_binary", "f1_macro", "logloss", "mae",
            "map", "mape", "merror", "mlogloss", "mse", "ndcg", "poisson-nloglik", "precision", "precision_macro",
            "precision_micro", "r2", "recall", "recall_macro", "recall_micro", "rmse", "rmsle")
DEFINITIONS = [{"Name": f"{channel}:{metric}", "Regex": rf".*\[[0-9]+\].*#011{channel}-{metric}:([-+]?[0-9.eE+-]+)"}
               for channel in ("train", "validation") for metric in _METRICS][:40]
