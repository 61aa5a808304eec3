"""BentoML serving the bench's model: `bentoml serve bentoml_app:Model`, MODEL and WORKERS in the environment."""
import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=int(os.environ["WORKERS"]), traffic={"timeout": 60})
class Model:
    def __init__(self):
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, instances: list) -> dict:
        rows = np.asarray(instances, dtype=np.float32)
        return {"predictions": self.model.predict(rows).tolist()}
