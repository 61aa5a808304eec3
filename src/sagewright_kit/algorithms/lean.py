"""Imports XGBoost without the libraries that it merely offers an interface to. Called before `import xgboost`.

On import XGBoost pulls in scikit-learn, pandas and half of scipy if it finds them: three seconds of a cold start of
which built-in XGBoost uses nothing. They stay importable afterwards.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

OPTIONAL = ("sklearn", "pandas", "matplotlib", "graphviz", "dask", "distributed")


def import_xgboost() -> Any:
    """The xgboost module."""
    if "xgboost" in sys.modules:
        return sys.modules["xgboost"]
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("xgboost")
    finally:
        for name in hidden:
            del sys.modules[name]
