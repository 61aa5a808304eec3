"""Predicts dense rows through XGBoost's C interface. Called by `servers.xgboost`.

For one row XGBoost's Python layer takes ten times as long as the prediction: it looks for pandas, Arrow, CUDA and a
dozen other forms of data. XGBoosterPredictFromDense (part of the documented C interface since 1.4) takes the row as it
is. `open_for` gives None where this library or model cannot be asked that way, or answers otherwise than `predict`.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any, Callable

import numpy as np
import xgboost

INTERFACE = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}'
CONFIGURATION = {
    "type": 0, "training": False, "iteration_begin": 0, "missing": float("nan"),
    "strict_shape": False, "cache_id": 0,
}  # fmt: skip


class Direct:
    """One booster's predictions; not for several threads at once, as its answers lie in the booster's own buffer."""

    def __init__(self, booster: Any, end: int) -> None:
        self.booster = booster
        self.library = xgboost.core._LIB
        self.function = self.library.XGBoosterPredictFromDense
        self.configuration = json.dumps(dict(CONFIGURATION, iteration_end=end)).encode()
        self.nothing = ctypes.c_void_p()
        self.shape = ctypes.POINTER(ctypes.c_uint64)()
        self.dimensions = ctypes.c_uint64()
        self.values = ctypes.POINTER(ctypes.c_float)()
        self.outputs = (ctypes.byref(self.shape), ctypes.byref(self.dimensions), ctypes.byref(self.values))

    def __call__(self, rows: Any) -> Any:
        rows = np.ascontiguousarray(rows, np.float32)
        interface = INTERFACE % ((rows.__array_interface__["data"][0],) + rows.shape)
        if self.function(self.booster.handle, interface, self.configuration, self.nothing, *self.outputs):
            self.library.XGBGetLastError.restype = ctypes.c_char_p
            raise xgboost.core.XGBoostError(self.library.XGBGetLastError().decode("utf-8", "replace"))
        shape = self.shape[: self.dimensions.value]
        count = 1
        for size in shape:
            count *= size
        answer = np.frombuffer(ctypes.string_at(self.values, 4 * count), np.float32)
        return answer if len(shape) == 1 else answer.reshape(shape)


def open_for(booster: Any, features: int, end: int, predict: Callable[[Any], Any]) -> Direct | None:
    """A way around the Python layer that uses the rounds up to `end` (0: all), tried out on rows of this width."""
    rows = np.random.RandomState(0).rand(3, features).astype(np.float32)
    rows[1, 0] = np.nan
    try:
        direct = Direct(booster, end)
        expected = predict(rows)
        same = all(
            np.array_equal(direct(part), wanted) for part, wanted in ((rows, expected), (rows[:1], expected[:1]))
        )
    except Exception:
        return None
    return direct if same else None
