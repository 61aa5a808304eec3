"""A model that was trained elsewhere: SKLearnModel from an archive, then update_endpoint."""

import os
import tarfile
import tempfile

import joblib
import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import JSONSerializer
from sagemaker.sklearn.model import SKLearnModel

INFERENCE = '''
import json, os, joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "numbers.joblib"))

def input_fn(body, content_type):
    assert content_type == "application/json", content_type
    return json.loads(body)["values"]

def predict_fn(values, factor):
    return [value * factor for value in values]

def output_fn(answer, accept):
    return json.dumps({"answer": answer, "greeting": os.environ.get("GREETING", "")}), accept
'''


def packed(session, factor):
    """A model.tar.gz in S3, and the folder's inference.py beside it."""
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(factor, os.path.join(folder, "numbers.joblib"))
        with tarfile.open(os.path.join(folder, "model.tar.gz"), "w:gz") as archive:
            archive.add(os.path.join(folder, "numbers.joblib"), "numbers.joblib")
        return session.upload_data(os.path.join(folder, "model.tar.gz"), key_prefix=f"sklearn-model/{factor}")


def main():
    session = sagemaker.Session()
    role = sagemaker.get_execution_role()
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "inference.py")
        with open(script, "w") as file:
            file.write(INFERENCE)
        first, second = (
            SKLearnModel(packed(session, factor), role, entry_point=script, framework_version="1.2-1",
                         env={"GREETING": f"times {factor}"}, sagemaker_session=session) for factor in (2, 3))
        predictor = first.deploy(1, "ml.m5.large", serializer=JSONSerializer(), deserializer=JSONDeserializer())
        try:
            answer = predictor.predict({"values": [1, 2]})
            assert answer == {"answer": [2, 4], "greeting": "times 2"}, answer
            second.create(instance_type="ml.m5.large")
            predictor.update_endpoint(initial_instance_count=1, instance_type="ml.m5.large", model_name=second.name)
            answer = predictor.predict({"values": [1, 2]})
            assert answer == {"answer": [3, 6], "greeting": "times 3"}, answer
        finally:
            predictor.delete_model()
            predictor.delete_endpoint()
    print("model works")


if __name__ == "__main__":
    main()
