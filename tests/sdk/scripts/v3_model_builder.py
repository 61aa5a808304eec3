"""SDK 3: ModelBuilder packs source code beside a trained model and deploys both."""

import os
import tarfile
import tempfile

import boto3
import joblib
from sagemaker.core import image_uris
from sagemaker.core.deserializers import JSONDeserializer
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.serializers import JSONSerializer
from sagemaker.core.training.configs import SourceCode
from sagemaker.serve import ModelBuilder

INFERENCE = '''
import json, os, joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "factor.joblib"))

def predict_fn(values, factor):
    return (values * factor).tolist()

def output_fn(answer, accept):
    return json.dumps(answer), "application/json"
'''


def main():
    session = Session()
    image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1", instance_type="ml.m5.large")
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(7, os.path.join(folder, "factor.joblib"))
        with tarfile.open(os.path.join(folder, "model.tar.gz"), "w:gz") as archive:
            archive.add(os.path.join(folder, "factor.joblib"), "factor.joblib")
        boto3.client("s3").upload_file(os.path.join(folder, "model.tar.gz"), session.default_bucket(),
                                       "v3-builder/model.tar.gz")
        os.makedirs(os.path.join(folder, "code"))
        with open(os.path.join(folder, "code", "inference.py"), "w") as file:
            file.write(INFERENCE)
        builder = ModelBuilder(
            s3_model_data_url=f"s3://{session.default_bucket()}/v3-builder/model.tar.gz", image_uri=image,
            source_code=SourceCode(source_dir=os.path.join(folder, "code"), entry_script="inference.py"),
            role_arn=get_execution_role(session), sagemaker_session=session, instance_type="ml.m5.large")
        model = builder.build(model_name="v3-builder")
        endpoint = builder.deploy(endpoint_name="v3-builder", initial_instance_count=1, instance_type="ml.m5.large")
    try:
        endpoint.serializer, endpoint.deserializer = JSONSerializer(), JSONDeserializer()
        answer = endpoint.invoke(body=[[1, 2], [3, 4]], content_type="application/json", accept="application/json")
        assert answer.body == [[7, 14], [21, 28]], answer
    finally:
        endpoint.delete()
        model.delete()
    print("model builder works")


if __name__ == "__main__":
    main()
