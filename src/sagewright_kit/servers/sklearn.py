"""Defaults of the scikit-learn image. Called by `serve`.

AWS's image insists on a model_fn; here, without one, the only joblib or pickle file of the model is loaded.
"""

from __future__ import annotations

import os
from typing import Any

from sagewright_kit.servers import codecs
from sagewright_kit.servers.script import Defaults

SUFFIXES = (".joblib", ".pkl", ".pickle")


class Sklearn(Defaults):
    def model_fn(self, model_dir: str) -> Any:
        found = sorted(name for name in os.listdir(model_dir) if name.endswith(SUFFIXES))
        if "model.joblib" in found:
            found = ["model.joblib"]
        if len(found) != 1:
            return super().model_fn(model_dir)
        import joblib

        return joblib.load(os.path.join(model_dir, found[0]))

    def input_fn(self, data: Any, content_type: str) -> Any:
        import numpy as np

        array = codecs.decode(data, content_type)
        if codecs.media_type(content_type) not in codecs.TEXT_TYPES:
            return array
        return array.astype(np.float32)

    def predict_fn(self, data: Any, model: Any) -> Any:
        # A single row comes one-dimensional, as users' own predict_fn have it on AWS, but no estimator accepts it.
        return model.predict(data.reshape(1, -1) if getattr(data, "ndim", 2) == 1 else data)
