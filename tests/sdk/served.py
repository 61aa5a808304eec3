"""An endpoint that streams, for the tests of several clients: its answers are known, its model is a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import Live
from tests.sdk import jobs

INFERENCE = '''
import json

def model_fn(model_dir):
    print("the model is loaded")

def input_fn(body, content_type):
    return json.loads(body)

def predict_fn(asked, model):
    for n in range(asked["parts"]):
        if n == asked.get("fail_at"):
            raise RuntimeError("the model broke in the middle")
        yield f"part {n}\\n"

def output_fn(parts, accept):
    return parts, "text/plain"
'''


@contextmanager
def streaming_endpoint(live: Live, bucket: str) -> Iterator[str]:
    """The name of an endpoint in service that answers {"parts": N} with that many lines, one after the other."""
    name, sagemaker = jobs.unique("streams"), live.client("sagemaker")
    data = jobs.put(live, bucket, f"models/{name}/model.tar.gz", jobs.tarball({"code/inference.py": INFERENCE}))
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=live.role_arn, PrimaryContainer={
        "Image": jobs.SKLEARN, "ModelDataUrl": data, "Environment": environment})
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
        {"VariantName": "V", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = jobs.endpoint_settles(live, name)
    assert found["EndpointStatus"] == "InService", (found, jobs.log(live, "", f"/aws/sagemaker/Endpoints/{name}"))
    yield name
    sagemaker.delete_endpoint(EndpointName=name)
