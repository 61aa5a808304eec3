"""Models, endpoint configurations and endpoints by boto3 against a live server: real servers answer."""

from __future__ import annotations

import concurrent.futures
import json
import threading
import time
from collections import Counter

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import Live
from tests.sdk import jobs

pytestmark = [pytest.mark.sdk, pytest.mark.xdist_group("endpoints")]

SERVER = '''
import json, os, time
def model_fn(model_dir):
    return open(os.path.join(model_dir, "name.txt")).read()
def input_fn(body, content_type):
    return json.loads(body)
def predict_fn(data, model):
    if data.get("raise"):
        raise ValueError("asked to fail")
    if data.get("exit"):
        os._exit(3)
    time.sleep(data.get("sleep", 0))
    return {"model": model, "n": data.get("n"), "pid": os.getpid()}
def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
'''


@pytest.fixture(scope="module")
def bucket(live: Live) -> str:
    return jobs.bucket(live)


def a_model(live: Live, bucket: str, name: str, server: str = SERVER, **environment: str) -> str:
    uri = jobs.put(live, bucket, f"models/{name}.tar.gz", jobs.tarball({"name.txt": name, "code/inference.py": server}))
    live.client("sagemaker").create_model(ModelName=name, ExecutionRoleArn=live.role_arn, PrimaryContainer={
        "Image": jobs.SKLEARN, "ModelDataUrl": uri,
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                        **environment}})
    return name


def a_config(live: Live, name: str, *variants: tuple[str, str, float], count: int = 1) -> str:
    live.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
        {"VariantName": variant, "ModelName": model, "InstanceType": "ml.t2.medium", "InitialInstanceCount": count,
         "InitialVariantWeight": weight} for variant, model, weight in variants])
    return name


def ask(live: Live, endpoint: str, client=None, **data) -> dict:
    client = client or live.client("sagemaker-runtime")
    answer = client.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=json.dumps(data))
    return {**json.loads(answer["Body"].read()), "variant": answer["InvokedProductionVariant"]}


@pytest.fixture(scope="module")
def endpoint(live: Live, bucket: str) -> str:
    """An endpoint with one variant of one model."""
    name = jobs.unique("ep")
    a_config(live, name, ("AllTraffic", a_model(live, bucket, name), 1.0))
    live.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = jobs.endpoint_settles(live, name)
    assert found["EndpointStatus"] == "InService", found.get("FailureReason")
    return name


def test_an_endpoint_answers_with_the_models_words(live: Live, endpoint: str) -> None:
    answer = ask(live, endpoint, n=5)
    assert (answer["model"], answer["n"], answer["variant"]) == (endpoint, 5, "AllTraffic")
    described = live.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    variant = described["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (1, 1, 1.0)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == jobs.SKLEARN


def test_a_models_error_reaches_the_caller_and_the_log(live: Live, endpoint: str) -> None:
    with pytest.raises(ClientError) as failed:
        ask(live, endpoint, **{"raise": True})
    response = failed.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424 and response["Error"]["Code"] == "ModelError"
    assert response["OriginalStatusCode"] == 500 and "asked to fail" in response["OriginalMessage"]
    assert "Received server error (500) from primary" in response["Error"]["Message"]
    end = time.monotonic() + 20
    while "ValueError: asked to fail" not in jobs.log(live, "", f"/aws/sagemaker/Endpoints/{endpoint}"):
        assert time.monotonic() < end, "the traceback never came to the log"
        time.sleep(0.2)


def test_a_body_over_the_limit_and_an_unknown_endpoint_are_refused(live: Live, endpoint: str) -> None:
    runtime = live.client("sagemaker-runtime")
    with pytest.raises(ClientError) as large:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x" * 6_300_000)
    assert large.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError) as unknown:
        ask(live, "nobody-home")
    assert unknown.value.response["Error"] == {
        "Code": "ValidationError", "Message": "Endpoint nobody-home of account 123456789012 not found."}


def test_a_crashed_server_is_replaced(live: Live, endpoint: str) -> None:
    before = ask(live, endpoint)["pid"]
    with pytest.raises(ClientError):
        ask(live, endpoint, exit=True)
    end, answer = time.monotonic() + 60, None
    while answer is None:
        try:
            answer = ask(live, endpoint)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (424, 503), error
            assert time.monotonic() < end, "no server came back"
            time.sleep(0.2)
    assert answer["model"] == endpoint and before


def test_invocations_are_counted(live: Live, endpoint: str) -> None:
    ask(live, endpoint, n=1)
    cloudwatch, now, end = live.client("cloudwatch"), time.time(), time.monotonic() + 30
    while True:
        stats = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName="Invocations", StartTime=now - 3600, EndTime=now + 3600, Period=7200,
            Statistics=["Sum"], Dimensions=[{"Name": "EndpointName", "Value": endpoint},
                                            {"Name": "VariantName", "Value": "AllTraffic"}])["Datapoints"]
        if sum(point["Sum"] for point in stats) >= 1:
            return
        assert time.monotonic() < end, "the invocation was never counted"
        time.sleep(0.2)


def test_weights_share_the_traffic_and_a_target_variant_overrides_them(live: Live, bucket: str) -> None:
    name = jobs.unique("ab")
    for part in ("a", "b"):
        a_model(live, bucket, f"{name}-{part}")
    a_config(live, name, ("A", f"{name}-a", 3.0), ("B", f"{name}-b", 1.0))
    sagemaker, runtime = live.client("sagemaker"), live.client("sagemaker-runtime")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert jobs.endpoint_settles(live, name)["EndpointStatus"] == "InService"
    seen = Counter(ask(live, name, runtime)["variant"] for _ in range(200))
    assert 110 < seen["A"] < 185 and seen["A"] + seen["B"] == 200
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="application/json", Body="{}", TargetVariant="B")
    assert json.loads(answer["Body"].read())["model"] == f"{name}-b"
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=[
        {"VariantName": "A", "DesiredWeight": 0.0}])
    assert jobs.endpoint_settles(live, name)["EndpointStatus"] == "InService"
    assert {ask(live, name, runtime)["variant"] for _ in range(20)} == {"B"}
    sagemaker.delete_endpoint(EndpointName=name)


def test_an_update_drops_no_request(live: Live, bucket: str) -> None:
    name = jobs.unique("update")
    a_config(live, f"{name}-1", ("V", a_model(live, bucket, f"{name}-1"), 1.0))
    a_config(live, f"{name}-2", ("V", a_model(live, bucket, f"{name}-2"), 1.0))
    sagemaker = live.client("sagemaker")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    assert jobs.endpoint_settles(live, name)["EndpointStatus"] == "InService"
    done, failures, models = threading.Event(), [], Counter()

    def load() -> None:
        client = live.client("sagemaker-runtime", config=Config(retries={"max_attempts": 0}))
        while not done.is_set():
            try:
                models[ask(live, name, client, sleep=0.02)["model"]] += 1
            except ClientError as error:
                failures.append(str(error))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load) for _ in range(4)]
        try:
            sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2")
            found = jobs.endpoint_settles(live, name)
            end = time.monotonic() + 30
            while f"{name}-2" not in models and time.monotonic() < end:
                time.sleep(0.05)
        finally:
            done.set()
        concurrent.futures.wait(loads)
    assert found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == f"{name}-2"
    assert failures == [] and set(models) == {f"{name}-1", f"{name}-2"}, (failures[:3], models)
    sagemaker.delete_endpoint(EndpointName=name)


def test_a_bad_update_keeps_the_old_fleet_and_says_why(live: Live, bucket: str, endpoint: str) -> None:
    name, sagemaker = jobs.unique("bad"), live.client("sagemaker")
    a_config(live, name, ("AllTraffic", a_model(live, bucket, name, "raise RuntimeError('broken on import')"), 1.0))
    old = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=name)
    found = jobs.endpoint_settles(live, endpoint)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", old)
    assert "did not pass the ping health check" in found["FailureReason"]
    assert ask(live, endpoint)["model"] == endpoint


@pytest.mark.parametrize(("model_data", "words"), [
    ("s3://sagemaker-tests/models/not-there.tar.gz", "s3://sagemaker-tests/models/not-there.tar.gz"),
    (b"this is no archive", "tar"), ("escape", "outside")])
def test_an_endpoint_that_cannot_start_fails_with_a_reason(live: Live, bucket: str, model_data: object,
                                                           words: str) -> None:
    name, sagemaker = jobs.unique("fails"), live.client("sagemaker")
    uri = model_data if isinstance(model_data, str) and model_data != "escape" else jobs.put(
        live, bucket, f"models/{name}.tar.gz",
        model_data if isinstance(model_data, bytes) else jobs.tarball({"../../escape": "x"}))
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=live.role_arn,
                           PrimaryContainer={"Image": jobs.SKLEARN, "ModelDataUrl": uri})
    a_config(live, name, ("V", name, 1.0))
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = jobs.endpoint_settles(live, name)
    assert found["EndpointStatus"] == "Failed" and words in found["FailureReason"].lower(), found["FailureReason"]
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def test_deleting_ends_the_servers_and_frees_the_name(live: Live, bucket: str) -> None:
    name, sagemaker = jobs.unique("gone"), live.client("sagemaker")
    a_config(live, name, ("V", a_model(live, bucket, name), 1.0))
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    with pytest.raises(ClientError) as taken:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert taken.value.response["Error"]["Message"].startswith("Cannot create already existing endpoint")
    assert jobs.endpoint_settles(live, name)["EndpointStatus"] == "InService"
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    with pytest.raises(ClientError):
        ask(live, name)
    end = time.monotonic() + 30
    while list((live.data_dir / "jobs").glob(f"{name}*")):
        assert time.monotonic() < end, "the replica's directory stays"
        time.sleep(0.1)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert jobs.endpoint_settles(live, name)["EndpointStatus"] == "InService"
    sagemaker.delete_endpoint(EndpointName=name)


def test_describe_returns_what_was_sent_and_nothing_else(live: Live, bucket: str) -> None:
    name, sagemaker = jobs.unique("echo"), live.client("sagemaker")
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=live.role_arn,
                           PrimaryContainer={"Image": jobs.SKLEARN, "Environment": {"A": "b"}})
    model = sagemaker.describe_model(ModelName=name)
    model.pop("ResponseMetadata"), model.pop("CreationTime")
    assert model == {
        "ModelName": name, "ExecutionRoleArn": live.role_arn, "EnableNetworkIsolation": False,
        "ModelArn": f"arn:aws:sagemaker:us-west-2:123456789012:model/{name}",
        "PrimaryContainer": {"Image": jobs.SKLEARN, "Environment": {"A": "b"}, "Mode": "SingleModel"}}
    variant = {"VariantName": "V", "ModelName": name, "InstanceType": "ml.t2.medium", "InitialInstanceCount": 2}
    capture = {"EnableCapture": False, "InitialSamplingPercentage": 10, "DestinationS3Uri": "s3://b/c",
               "CaptureOptions": [{"CaptureMode": "Input"}]}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=capture)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    config.pop("ResponseMetadata"), config.pop("CreationTime")
    assert config == {
        "EndpointConfigName": name, "DataCaptureConfig": capture,
        "EndpointConfigArn": f"arn:aws:sagemaker:us-west-2:123456789012:endpoint-config/{name}",
        "ProductionVariants": [{**variant, "InitialVariantWeight": 1.0}]}
