"""CloudWatch Logs through boto3 and the AWS CLI, over a live gateway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import Live, start_server

pytestmark = pytest.mark.sdk


@pytest.fixture
def logs(live: Live) -> Any:
    return live.client("logs")


@pytest.fixture
def group(logs: Any) -> Iterator[str]:
    name = f"/test/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=name)
    yield name
    logs.delete_log_group(logGroupName=name)


def now() -> int:
    return int(time.time() * 1000)


def write(logs: Any, group: str, stream: str, *texts: str) -> None:
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    events = [{"timestamp": now(), "message": text} for text in texts]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def follow(logs: Any, group: str, stream: str, token: str | None = None) -> tuple[list[str], str]:
    """Read on from a token until it comes back, as the SageMaker SDK's live log does."""
    seen: list[str] = []
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startTime=0, startFromHead=True, limit=3,
                                   **more)
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            return seen, token
        token = page["nextForwardToken"]


def test_a_stream_is_followed_while_it_grows(logs: Any, group: str) -> None:
    write(logs, group, "job/algo-1", *"abcdefg")
    seen, token = follow(logs, group, "job/algo-1")
    assert seen == list("abcdefg")
    write(logs, group, "job/algo-1", "h", "i")
    assert follow(logs, group, "job/algo-1", token)[0] == ["h", "i"]


def test_paginators_see_everything_once(logs: Any, group: str) -> None:
    for n in range(7):
        write(logs, group, f"s{n}", *[f"{n}:{k}" for k in range(5)])
    streams = [s["logStreamName"] for page in logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 2}) for s in page["logStreams"]]
    assert streams == [f"s{n}" for n in range(7)]
    events = [e["message"] for page in logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 4}) for e in page["events"]]
    assert sorted(events) == sorted(f"{n}:{k}" for n in range(7) for k in range(5))
    groups = [g["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=group) for g in page["logGroups"]]
    assert groups == [group]


def test_errors_come_as_the_clients_know_them(live: Live, logs: Any, group: str) -> None:
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException, match="The specified log group already exists"):
        logs.create_log_group(logGroupName=group)
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="The specified log group does not exist."):
        logs.get_log_events(logGroupName="/none", logStreamName="s")
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="The specified log stream does not exist."):
        logs.get_log_events(logGroupName=group, logStreamName="s")
    with pytest.raises(logs.exceptions.InvalidParameterException, match="must be in chronological order"):
        events = [{"timestamp": now(), "message": "b"}, {"timestamp": now() - 10, "message": "a"}]
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    with pytest.raises(logs.exceptions.InvalidParameterException, match="less than or equal to 10000"):
        logs.put_log_events(logGroupName=group, logStreamName="s",
                            logEvents=[{"timestamp": 0, "message": "x"}] * 10_001)
    unchecked = live.client("logs", config=Config(parameter_validation=False))
    with pytest.raises(unchecked.exceptions.InvalidParameterException, match="length greater than or equal to 1"):
        unchecked.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": now(), "message": ""}])
    with pytest.raises(ClientError, match="StartQuery of logs is not available"):
        logs.start_query(logGroupName=group, startTime=0, endTime=1, queryString="fields @message")


def test_metric_filters_reach_cloudwatch(live: Live, logs: Any, group: str) -> None:
    logs.put_metric_filter(
        logGroupName=group, filterName="slow", filterPattern="{ $.latency > 10 }",
        metricTransformations=[{"metricName": group, "metricNamespace": "test/logs", "metricValue": "$.latency"}])
    write(logs, group, "s", *[json.dumps({"latency": n}) for n in (5, 20, 30)])
    points = live.client("cloudwatch").get_metric_statistics(
        Namespace="test/logs", MetricName=group, StartTime=time.time() - 300, EndTime=time.time() + 60, Period=3600,
        Statistics=["Sum", "SampleCount"])["Datapoints"]
    assert (sum(p["Sum"] for p in points), sum(p["SampleCount"] for p in points)) == (50, 2)


def test_writers_at_once_lose_nothing(live: Live, logs: Any, group: str) -> None:
    def burst(writer: int) -> None:
        client = live.client("logs")
        for n in range(10):
            write(client, group, f"s{writer % 2}", f"{writer}:{n}")

    threads = [threading.Thread(target=burst, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert sorted(e["message"] for e in events) == sorted(f"{w}:{n}" for w in range(6) for n in range(10))


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data")
    try:
        logs = server.client("logs")
        logs.create_log_group(logGroupName="g", tags={"k": "v"})
        write(logs, "g", "s", "one", "two")
        server.client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 3}])
        server.kill()
        server.start_again()
        assert follow(logs, "g", "s")[0] == ["one", "two"]
        assert logs.list_tags_log_group(logGroupName="g")["tags"] == {"k": "v"}
        assert server.client("cloudwatch").list_metrics(Namespace="n")["Metrics"][0]["MetricName"] == "m"
    finally:
        server.stop()


# -- the AWS CLI ------------------------------------------------------------------------------------------------------
def cli(live: Live, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("aws")
    if program is None:
        pytest.skip("the AWS CLI is not installed")
    return subprocess.run([program, *arguments, "--output", "json", "--no-cli-pager"] if _has_pager(program) else
                          [program, *arguments, "--output", "json"], env={**os.environ, **live.environment},
                          capture_output=True, text=True, timeout=60)


def _has_pager(program: str) -> bool:
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    return (version.stdout + version.stderr).startswith("aws-cli/2")


def test_the_cli_writes_reads_and_filters(live: Live, group: str) -> None:
    def run(*arguments: str) -> Any:
        done = cli(live, "logs", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    run("create-log-stream", "--log-group-name", group, "--log-stream-name", "s")
    events = json.dumps([{"timestamp": now() + n, "message": f"line {n}"} for n in range(5)])
    run("put-log-events", "--log-group-name", group, "--log-stream-name", "s", "--log-events", events)
    page = run("get-log-events", "--log-group-name", group, "--log-stream-name", "s", "--start-from-head")
    assert [event["message"] for event in page["events"]] == [f"line {n}" for n in range(5)]
    page = run("filter-log-events", "--log-group-name", group, "--filter-pattern", '"line 3"')
    assert [event["message"] for event in page["events"]] == ["line 3"]
    run("put-retention-policy", "--log-group-name", group, "--retention-in-days", "7")
    shown = run("describe-log-groups", "--log-group-name-prefix", group)["logGroups"]
    assert [g["retentionInDays"] for g in shown] == [7]
    shown = run("describe-log-streams", "--log-group-name", group, "--order-by", "LastEventTime", "--descending")
    assert shown["logStreams"][0]["lastEventTimestamp"] >= shown["logStreams"][0]["firstEventTimestamp"]


def test_the_cli_says_what_is_missing(live: Live) -> None:
    done = cli(live, "logs", "get-log-events", "--log-group-name", "/none", "--log-stream-name", "s")
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr and "The specified log group does not exist." in done.stderr
