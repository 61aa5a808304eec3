"""CloudWatch through boto3 in each of its protocols, and the AWS CLI, over a live gateway."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import ACCESS_KEY, SECRET_KEY, Live
from tests.sdk.test_logs_live import cli

pytestmark = pytest.mark.sdk


def client_of(live: Live, protocol: str) -> Any:
    """A botocore client that speaks that protocol and no other."""
    session = botocore.session.Session()
    metadata = session.get_component("data_loader").load_service_model("cloudwatch", "service-2")["metadata"]
    metadata["protocol"], metadata["protocols"] = protocol, [protocol]
    if protocol == "json":
        metadata.update(jsonVersion="1.0", targetPrefix="GraniteServiceVersion20100801")
    return session.create_client("cloudwatch", region_name=live.region, endpoint_url=live.url,
                                 aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                                 config=Config(retries={"max_attempts": 1}))


@pytest.fixture(params=["json", "query", "smithy-rpc-v2-cbor"])
def cloudwatch(live: Live, request: pytest.FixtureRequest) -> Any:
    return client_of(live, request.param)


@pytest.fixture
def namespace() -> str:
    return f"test/{uuid.uuid4()}"


def span() -> dict[str, datetime]:
    return {"StartTime": datetime.now(UTC) - timedelta(minutes=10), "EndTime": datetime.now(UTC) + timedelta(minutes=2)}


def test_what_is_put_can_be_read_in_every_way(cloudwatch: Any, namespace: str) -> None:
    dimensions = [{"Name": "Endpoint", "Value": "e"}]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[
        {"MetricName": "m", "Dimensions": dimensions, "Values": [1.0, 2.0, 30.0], "Counts": [5, 4, 1], "Unit": "Count",
         "Timestamp": datetime.now(UTC)}])
    assert cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == [
        {"Namespace": namespace, "MetricName": "m", "Dimensions": dimensions}]
    point = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName="m", Dimensions=dimensions, Period=60, Statistics=["Average", "Maximum"],
        ExtendedStatistics=["p50", "p90"], **span())["Datapoints"][0]
    assert (point["Average"], point["Maximum"], point["Unit"]) == (4.3, 30.0, "Count")
    assert point["ExtendedStatistics"] == {"p50": 1.0, "p90": 2.0}
    assert point["Timestamp"].tzinfo is not None and point["Timestamp"].second == 0
    metric = {"Namespace": namespace, "MetricName": "m", "Dimensions": dimensions}
    found = cloudwatch.get_metric_data(MetricDataQueries=[
        {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "b", "Expression": "a / 2", "Label": "half"}], **span())["MetricDataResults"]
    assert [(r["Id"], r["Label"], r["Values"], r["StatusCode"]) for r in found] == [("b", "half", [21.5], "Complete")]


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor"])
def test_a_large_body_is_compressed_by_the_client_and_read(live: Live, protocol: str, namespace: str) -> None:
    cloudwatch = client_of(live, protocol)
    data = [{"MetricName": f"metric-{n}", "Value": n, "Unit": "Count"} for n in range(800)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    names = [m["MetricName"] for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace)
             for m in page["Metrics"]]
    assert sorted(names) == sorted(f"metric-{n}" for n in range(800))


def test_errors_carry_the_codes_that_clients_match(cloudwatch: Any, namespace: str) -> None:
    with pytest.raises(cloudwatch.exceptions.InvalidParameterCombinationException) as refused:
        cloudwatch.get_metric_statistics(Namespace=namespace, MetricName="m", Period=60, **span())
    assert refused.value.response["Error"]["Code"] == "InvalidParameterCombination"
    assert refused.value.response["Error"]["Message"] == "Must specify either Statistics or ExtendedStatistics"
    with pytest.raises(ClientError) as missing:  # two shapes share this code, and botocore takes the first
        cloudwatch.get_dashboard(DashboardName="none")
    assert missing.value.response["Error"] == {**missing.value.response["Error"], "Code": "ResourceNotFound",
                                               "Message": "Dashboard none does not exist"}
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(cloudwatch.exceptions.InvalidParameterValueException, match="The value NaN for parameter"):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": float("nan")}])


def test_an_alarm_comes_back_as_it_was_put(cloudwatch: Any, namespace: str) -> None:
    name = namespace.replace("/", "-")
    alarm = {"AlarmName": name, "MetricName": "m", "Namespace": namespace, "Statistic": "Sum", "Period": 60,
             "EvaluationPeriods": 2, "Threshold": 1.5, "ComparisonOperator": "GreaterThanThreshold",
             "Dimensions": [{"Name": "a", "Value": "b"}], "AlarmActions": []}
    cloudwatch.put_metric_alarm(**alarm, Tags=[{"Key": "k", "Value": "v"}])
    shown = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    assert {key: shown[key] for key in alarm} == alarm
    assert cloudwatch.list_tags_for_resource(ResourceARN=shown["AlarmArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_the_cli_puts_and_reads(live: Live, namespace: str) -> None:
    done = cli(live, "cloudwatch", "put-metric-data", "--namespace", namespace, "--metric-name", "m", "--value", "7")
    assert done.returncode == 0, done.stderr
    done = cli(live, "cloudwatch", "get-metric-statistics", "--namespace", namespace, "--metric-name", "m", "--period",
               "3600", "--statistics", "Sum", "--start-time", str(int(time.time() - 3600)), "--end-time",
               str(int(time.time() + 60)))
    assert done.returncode == 0, done.stderr
    assert [point["Sum"] for point in json.loads(done.stdout)["Datapoints"]] == [7.0]
