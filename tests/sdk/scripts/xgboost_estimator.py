"""XGBoost in script mode with SDK 2."""

import os

import numpy as np
import sagemaker
from sagemaker.deserializers import CSVDeserializer
from sagemaker.serializers import CSVSerializer
from sagemaker.xgboost import XGBoost

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = "".join(f"{int(n % 7 > 3)},{n % 7},{(n * 37) % 11}\n" for n in range(200))


def main():
    session = sagemaker.Session()
    train = session.upload_string_as_file_body(ROWS, session.default_bucket(), "xgboost-estimator/train/rows.csv")
    estimator = XGBoost(
        entry_point="xgboost_script.py", source_dir=HERE, framework_version="3.0-5", py_version="py3",
        role=sagemaker.get_execution_role(), instance_type="ml.m5.large", instance_count=1,
        hyperparameters={"num_round": 12, "max_depth": 3}, sagemaker_session=session)
    estimator.fit({"train": os.path.dirname(train)})
    predictor = estimator.deploy(1, "ml.m5.large", serializer=CSVSerializer(), deserializer=CSVDeserializer())
    try:
        answer = np.array(predictor.predict(np.array([[6, 1], [1, 1], [5, 9], [0, 2]])), dtype=float).ravel()
        assert [score > 0.5 for score in answer] == [True, False, True, False], answer
    finally:
        predictor.delete_model()
        predictor.delete_endpoint()
    print("xgboost script mode works")


if __name__ == "__main__":
    main()
