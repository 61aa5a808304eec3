"""Script mode with SDK 2: a source directory with requirements, fit, deploy, predict, attach, analytics, clean up."""

import os
import tempfile

import numpy as np
import sagemaker
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.deserializers import JSONDeserializer
from sagemaker.sklearn.estimator import SKLearn
from sklearn.datasets import load_iris

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    session = sagemaker.Session()
    role = sagemaker.get_execution_role()
    frame = load_iris(as_frame=True).frame.rename(columns={"target": "species"})
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(os.path.join(folder, "flowers.csv"), index=False)
        train = session.upload_data(folder, key_prefix="sklearn-estimator/train")

    estimator = SKLearn(
        entry_point="train.py", source_dir=os.path.join(HERE, "sklearn_source"),
        dependencies=[os.path.join(HERE, "shared_code", "flowers.py")], framework_version="1.2-1",
        role=role, instance_type="ml.m5.large", instance_count=1, sagemaker_session=session,
        hyperparameters={"max-leaf-nodes": 30, "note": "with spaces"},
        metric_definitions=[{"Name": "train:accuracy", "Regex": "train_accuracy=([0-9.]+);"}])
    estimator.fit({"train": train})

    attached = SKLearn.attach(estimator.latest_training_job.name, sagemaker_session=session)
    assert attached.model_data == estimator.model_data, (attached.model_data, estimator.model_data)
    assert attached.hyperparameters()["max-leaf-nodes"] == "30", attached.hyperparameters()
    metrics = TrainingJobAnalytics(estimator.latest_training_job.name, ["train:accuracy"],
                                   sagemaker_session=session).dataframe()
    assert metrics["metric_name"].tolist() == ["train:accuracy"], metrics
    assert metrics["value"][0] > 0.9, metrics

    predictor = attached.deploy(1, "ml.m5.large", deserializer=JSONDeserializer())
    try:
        answer = predictor.predict(frame.drop(columns=["species"]).to_numpy()[[0, 75, 149]])
        assert answer == ["Class0", "Class1", "Class2"], answer
        csv = sagemaker.Predictor(predictor.endpoint_name, session,
                                  serializer=sagemaker.serializers.CSVSerializer(),
                                  deserializer=JSONDeserializer())
        assert csv.predict(np.array([[5.1, 3.5, 1.4, 0.2]])) == ["Class0"]
    finally:
        predictor.delete_model()
        predictor.delete_endpoint()
    print("script mode works")


if __name__ == "__main__":
    main()
