"""PyTorch with SDK 2: train a script, serve its TorchScript model."""

import os

import numpy as np
import sagemaker
from sagemaker.pytorch import PyTorch

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    estimator = PyTorch(
        entry_point="torch_script.py", source_dir=HERE, framework_version="2.3.0", py_version="py311",
        role=sagemaker.get_execution_role(), instance_type="ml.m5.large", instance_count=1,
        hyperparameters={"epochs": 200})
    estimator.fit()
    predictor = estimator.deploy(1, "ml.m5.large")
    try:
        answer = predictor.predict(np.array([[0.0], [1.0], [-1.0]], dtype=np.float32))
        assert np.allclose(answer, [[1.0], [4.0], [-2.0]], atol=0.05), answer
    finally:
        predictor.delete_model()
        predictor.delete_endpoint()
    print("pytorch works")


if __name__ == "__main__":
    main()
