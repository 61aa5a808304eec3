"""Detect fraudulent e-mail: train, deploy and query XGBoost with the public AWS clients.

The script runs unchanged on AWS and on Sagewright:

    sagewright run -- python examples/fraud_detection.py      # on this machine
    python examples/fraud_detection.py                        # on AWS, inside SageMaker or with --role

It uploads a data set to S3, trains the built-in XGBoost and follows its log, deploys the model to a real-time endpoint,
sends it held-out rows, compares its accuracy with plain xgboost trained on the same rows, and cleans up.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
import numpy as np
import sagemaker
import xgboost
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import CSVSerializer

DATA = Path(__file__).parent / "data" / "spam7.csv"
PARAMETERS = {"objective": "binary:logistic", "max_depth": 5, "eta": 0.2, "subsample": 0.9, "seed": 7,
              "eval_metric": "auc", "nthread": 2}
ROUNDS = 120
stages: list[tuple[str, float, str]] = []


@contextmanager
def stage(name: str):
    """Time one stage and note what it made."""
    print(f"\n== {name}", flush=True)
    began, made = time.time(), {"artifact": ""}
    yield made
    stages.append((name, time.time() - began, made["artifact"]))


def read_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of (label, six features): train, validation and held-out parts, shuffled once."""
    with DATA.open() as file:
        rows = np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    rows = rows[np.random.default_rng(2024).permutation(len(rows))]
    return rows[:3000], rows[3000:3800], rows[3800:]


def as_csv(rows: np.ndarray) -> str:
    """CSV as the built-in algorithms want it: no header, label first."""
    out = io.StringIO()
    csv.writer(out).writerows([[int(row[0]), *(f"{x:g}" for x in row[1:])] for row in rows])
    return out.getvalue()


def plain_xgboost(train: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """What xgboost itself predicts after the same training, without any platform."""
    booster = xgboost.train(PARAMETERS, xgboost.DMatrix(train[:, 1:], train[:, 0]), ROUNDS)
    return booster.predict(xgboost.DMatrix(held_out[:, 1:]))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--role", help="execution role ARN (default: the role of the caller)")
    options.add_argument("--instance-type", default="ml.m5.large")
    asked = options.parse_args()

    session = sagemaker.Session()
    role = asked.role or sagemaker.get_execution_role()
    bucket, region = session.default_bucket(), session.boto_region_name
    prefix = f"fraud-detection/{time.strftime('%Y%m%d-%H%M%S')}"
    train, validation, held_out = read_data()

    with stage("Upload the data to S3") as made:
        s3 = boto3.client("s3")
        for name, rows in (("train", train), ("validation", validation)):
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}/{name}.csv", Body=as_csv(rows).encode())
        made["artifact"] = f"s3://{bucket}/{prefix}/"

    with stage("Train the built-in XGBoost") as made:
        image = sagemaker.image_uris.retrieve("xgboost", region, version="3.0-5")
        estimator = Estimator(image, role, instance_count=1, instance_type=asked.instance_type,
                              output_path=f"s3://{bucket}/{prefix}/output", sagemaker_session=session,
                              hyperparameters={**PARAMETERS, "num_round": ROUNDS})
        channels = {name: TrainingInput(f"s3://{bucket}/{prefix}/{name}/", content_type="text/csv")
                    for name in ("train", "validation")}
        estimator.fit(channels)
        made["artifact"] = estimator.model_data

    with stage("Deploy to a real-time endpoint") as made:
        predictor = estimator.deploy(1, asked.instance_type, serializer=CSVSerializer(),
                                     deserializer=CSVDeserializer())
        made["artifact"] = predictor.endpoint_name

    try:
        with stage(f"Ask it about {len(held_out)} held-out e-mails") as made:
            answer = predictor.predict(held_out[:, 1:])
            scores = np.array([float(x) for line in answer for x in line])
            made["artifact"] = f"{len(scores)} predictions"

        with stage("Compare with plain xgboost on the same rows") as made:
            own = plain_xgboost(train, held_out)
            accuracy = float(np.mean((scores > 0.5) == held_out[:, 0]))
            plain = float(np.mean((own > 0.5) == held_out[:, 0]))
            made["artifact"] = f"accuracy {accuracy:.4f}, plain xgboost {plain:.4f}"
            if abs(accuracy - plain) > 1e-9:
                raise SystemExit(f"The endpoint's accuracy {accuracy} differs from plain xgboost's {plain}.")
    finally:
        with stage("Clean up") as made:
            predictor.delete_model()
            predictor.delete_endpoint()
            made["artifact"] = "endpoint, configuration and model deleted"

    width = max(len(name) for name, _, _ in stages)
    print(f"\n{'stage':{width}}  seconds  artifact")
    for name, seconds, artifact in stages:
        print(f"{name:{width}}  {seconds:7.2f}  {artifact}")


if __name__ == "__main__":
    main()
