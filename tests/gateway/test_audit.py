"""The call log: a line per management call, written in the background, never in the way of a request."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.core.call import Principal
from sagewright.core.clock import FakeClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.core.store import Store
from sagewright.core.world import World
from sagewright.gateway import audit, chain
from sagewright.gateway.audit import CallLog
from sagewright.gateway.route import Route
from tests.conftest import Live


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(Config(tmp_path), FakeClock(), Store(f"sqlite:///{tmp_path / 'x.db'}"))
    made.parts["call_log"] = CallLog(tmp_path / "calls")
    yield made
    made.parts["call_log"].close()
    made.store.close()


class Verified:
    principal = Principal("1", "arn:aws:iam::1:user/ann", "AIDA")


def exchange(world: World, service: str, operation: str, error: AwsError | None = None,
             agent: str = "Boto3", labels: dict[str, str] | None = None) -> chain.Exchange:
    request = Request("POST", "/", "", Headers([("user-agent", agent), ("authorization", "secret")]), client="10.0.0.9")
    return chain.Exchange(world, Dispatch(()), request, b"", request_id="id-1", route=Route(service, operation, "json",
                          labels or {}), verified=Verified(), error=error)


def test_a_call_is_a_line_with_who_what_when_and_from_where(world: World) -> None:
    audit.record(exchange(world, "sagemaker", "CreateModel"))
    audit.record(exchange(world, "cloudwatch", "PutDashboard", AwsError("Throttling", "slow down")))
    world.parts["call_log"].close()
    assert lines(world.config.data_dir / "calls") == [
        {"eventTime": world.clock.now(), "eventSource": "sagemaker.amazonaws.com", "eventName": "CreateModel",
         "requestID": "id-1", "principal": "arn:aws:iam::1:user/ann", "sourceIPAddress": "10.0.0.9",
         "userAgent": "Boto3"},
        {"eventTime": world.clock.now(), "eventSource": "monitoring.amazonaws.com", "eventName": "PutDashboard",
         "requestID": "id-1", "principal": "arn:aws:iam::1:user/ann", "sourceIPAddress": "10.0.0.9",
         "userAgent": "Boto3", "errorCode": "Throttling", "errorMessage": "slow down"}]


@pytest.mark.parametrize("service, operation, labels", [
    ("s3", "PutObject", {"Bucket": "b", "Key": "k"}), ("s3", "CompleteMultipartUpload", {"Bucket": "b", "Key": "k"}),
    ("s3", "ListObjectsV2", {"Bucket": "b"}), ("s3", "DeleteObjects", {"Bucket": "b"}),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e"}), ("logs", "PutLogEvents", {}),
    ("cloudwatch", "PutMetricData", {})])
def test_data_events_are_not_logged(world: World, service: str, operation: str, labels: dict[str, str]) -> None:
    audit.record(exchange(world, service, operation, labels=labels))
    world.parts["call_log"].close()
    assert lines(world.config.data_dir / "calls") == []


def test_hostile_text_stays_within_its_line_and_within_bounds(world: World) -> None:
    audit.record(exchange(world, "sagemaker", "CreateModel", AwsError("X", "é\n\"\u2028" * 1000), "evil\r\n{}" * 999))
    world.parts["call_log"].close()
    found = lines(world.config.data_dir / "calls")
    assert len(found) == 1 and len(found[0]["userAgent"]) == 300 and len(found[0]["errorMessage"]) == 500


def test_a_request_without_a_route_or_a_log_is_no_fault(world: World) -> None:
    unknown = exchange(world, "sagemaker", "CreateModel")
    unknown.route = None
    audit.record(unknown)
    log = world.parts.pop("call_log")
    audit.record(exchange(world, "sagemaker", "CreateModel"))
    world.parts["call_log"] = log
    log.close()
    assert lines(world.config.data_dir / "calls") == []


def test_everything_queued_is_there_after_close(tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    for n in range(5000):
        log.add({"n": n})
    log.close()
    assert [line["n"] for line in lines(tmp_path)] == list(range(5000))


def test_a_full_queue_drops_lines_and_counts_them_instead_of_waiting(tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    log.close()  # nobody writes any more
    for n in range(10_050):
        log.add({"n": n})
    assert log._lost == 50


def test_a_folder_that_cannot_be_written_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    log = CallLog(folder)
    folder.rmdir()
    folder.write_text("in the way")
    log.add({"n": 1})
    while not log._lines.empty():
        os.sched_yield()
    folder.unlink()
    folder.mkdir()
    log.add({"n": 2})
    log.close()
    assert {"n": 2} in lines(folder)


@pytest.mark.sdk
def test_a_live_server_logs_calls_and_refusals_but_no_secrets(live: Live) -> None:
    sagemaker = live.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ClientError):
        sagemaker.describe_model(ModelName="audit-nobody")
    found: list[dict[str, Any]] = []
    while not found:
        found = [line for line in lines(live.data_dir / "calls") if line["eventName"] == "DescribeModel"]
    assert found[-1]["errorCode"] == "ValidationException" and found[-1]["principal"].endswith(":root")
    text = "".join(file.read_text() for file in (live.data_dir / "calls").iterdir())
    assert "Signature=" not in text and "test-secret-key" not in text
