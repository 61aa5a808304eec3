"""SDK 3: ModelTrainer trains a script, then Model, EndpointConfig and Endpoint of sagemaker-core serve it."""

import json
import logging
import os
import tarfile
import tempfile
import time

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.train import ModelTrainer
from sklearn.datasets import load_iris

HERE = os.path.dirname(os.path.abspath(__file__))
INFERENCE = '''
import json, os, joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))

def output_fn(prediction, accept):
    return json.dumps([int(label) for label in prediction]), "application/json"
'''


def with_inference(session, model_data):
    """The job's archive with inference.py beside the model, in S3."""
    bucket, key = model_data.removeprefix("s3://").split("/", 1)
    s3 = boto3.client("s3")
    with tempfile.TemporaryDirectory() as folder:
        s3.download_file(bucket, key, os.path.join(folder, "model.tar.gz"))
        with tarfile.open(os.path.join(folder, "model.tar.gz")) as archive:
            archive.extractall(os.path.join(folder, "model"), filter="data")
        os.makedirs(os.path.join(folder, "model", "code"))
        with open(os.path.join(folder, "model", "code", "inference.py"), "w") as file:
            file.write(INFERENCE)
        with tarfile.open(os.path.join(folder, "packed.tar.gz"), "w:gz") as archive:
            archive.add(os.path.join(folder, "model"), ".")
        s3.upload_file(os.path.join(folder, "packed.tar.gz"), session.default_bucket(), "v3/packed/model.tar.gz")
    return f"s3://{session.default_bucket()}/v3/packed/model.tar.gz"


def train(session, role, image):
    frame = load_iris(as_frame=True).frame.rename(columns={"target": "species"})
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(os.path.join(folder, "flowers.csv"), index=False)
        trainer = ModelTrainer(
            sagemaker_session=session, role=role, training_image=image, base_job_name="v3-flowers",
            source_code=SourceCode(source_dir=os.path.join(HERE, "v3_source"), entry_script="train.py",
                                   requirements="requirements.txt"),
            compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
            hyperparameters={"inverse-strength": 2.5, "labels": ["a", "b"]})
        trainer.train(input_data_config=[InputData(channel_name="train", data_source=folder)])
    return trainer._latest_training_job.training_job_name


def main():
    logging.basicConfig(level=logging.INFO)
    session = Session()
    role = get_execution_role(session)
    image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1", instance_type="ml.m5.large")
    began = time.time()
    job = TrainingJob.get(train(session, role, image))
    print(f"trained in {time.time() - began:.1f} s")
    assert job.training_job_status == "Completed", job
    name = f"v3-{int(time.time())}"
    began = time.time()
    model = Model.create(model_name=name, execution_role_arn=role, primary_container=ContainerDefinition(
        image=image, model_data_url=with_inference(session, job.model_artifacts.s3_model_artifacts),
        environment={"SAGEMAKER_PROGRAM": "inference.py"}))
    config = EndpointConfig.create(endpoint_config_name=name, production_variants=[ProductionVariant(
        variant_name="AllTraffic", model_name=name, instance_type="ml.m5.large", initial_instance_count=1)])
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
    try:
        endpoint.wait_for_status("InService")
        print(f"deployed in {time.time() - began:.1f} s")
        answer = endpoint.invoke(body=json.dumps([[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3]]),
                                 content_type="application/json", accept="application/json")
        assert json.loads(answer.body.read()) == [0, 2]
        assert name in [found.endpoint_name for found in Endpoint.get_all(name_contains=name)]
    finally:
        endpoint.delete()
        endpoint.wait_for_delete()
        config.delete()
        model.delete()
    print("sdk 3 works")


if __name__ == "__main__":
    main()
