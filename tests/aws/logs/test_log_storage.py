"""The in-process path, durability under kill -9, retention and reclaimed space."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sagewright.aws.logs.events import Events
from sagewright.core.errors import AwsError

ACCOUNT, REGION = "123456789012", "us-west-2"
DAY = 86_400_000

WRITER = """
import sys
from pathlib import Path
import pytest

from sagewright.aws.logs.events import Events
from sagewright.core.errors import AwsError
events = Events(Path(sys.argv[1]))
events.create("g", "s", 0)
n = 0
while True:
    events.append("g", "s", [(n, f"line {n}"), (n, "x" * 300)], n)
    n += 1
    print(n, flush=True)
"""


def test_append_makes_what_is_missing(world, ask) -> None:
    logs = world.parts["logs"]
    logs.append(ACCOUNT, REGION, "/new/group", "s1", [(1, "one"), (2, "two")])
    logs.append(ACCOUNT, REGION, "/new/group", "s1", [(3, "three")])
    page = ask("GetLogEvents", logGroupName="/new/group", logStreamName="s1", startFromHead=True)
    assert [event["message"] for event in page["events"]] == ["one", "two", "three"]


def test_append_survives_the_removal_of_its_group_and_stream(world, ask) -> None:
    logs = world.parts["logs"]
    logs.append(ACCOUNT, REGION, "g", "s", [(1, "one")])
    ask("DeleteLogGroup", logGroupName="g")
    logs.append(ACCOUNT, REGION, "g", "s", [(2, "two")])
    ask("DeleteLogStream", logGroupName="g", logStreamName="s")
    logs.append(ACCOUNT, REGION, "g", "s", [(3, "three")])
    assert [event["message"] for event in ask("FilterLogEvents", logGroupName="g")["events"]] == ["three"]


def test_writers_of_many_threads_lose_nothing(world, ask) -> None:
    logs = world.parts["logs"]

    def write(thread: int) -> None:
        for n in range(50):
            logs.append(ACCOUNT, REGION, "g", f"s{thread % 2}", [(n, f"{thread}:{n}")])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = {event["message"] for event in ask("FilterLogEvents", logGroupName="g")["events"]}
    assert seen == {f"{thread}:{n}" for thread in range(6) for n in range(50)}


def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True,
                          env=environment) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 200:
                break
        writer.send_signal(signal.SIGKILL)
        told = max([int(line) for line in writer.stdout.read().splitlines() if line] or [200])
    events = Events(path)
    stream = events.stream("g", "s")
    assert stream is not None
    kept = events.read(stream.id, (-1, 0))
    assert [event.message for event in kept[0::2]][:told] == [f"line {n}" for n in range(told)]
    assert len(kept) % 2 == 0, "a batch is kept whole or not at all"
    events.close()


def test_retention_hides_at_once_and_removes_when_swept(world, ask) -> None:
    logs, now = world.parts["logs"], int(world.clock.now() * 1000)
    logs.append(ACCOUNT, REGION, "g", "s", [(now - 3 * DAY + n, "old") for n in range(12_000)] + [(now, "new")])
    ask("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    names = {"logGroupName": "g", "logStreamName": "s"}
    assert [event["message"] for event in ask("GetLogEvents", **names, startFromHead=True)["events"]] == ["new"]
    logs.sweep()
    shown = ask("DescribeLogStreams", logGroupName="g")["logStreams"][0]
    assert shown["firstEventTimestamp"] == now
    assert ask("DescribeLogGroups")["logGroups"][0]["storedBytes"] == len("new") + 26


def test_the_space_of_deleted_streams_is_given_back(world, ask) -> None:
    logs = world.parts["logs"]
    logs.append(ACCOUNT, REGION, "g", "s", [(n, "x" * 1000) for n in range(12_000)])
    ask("DeleteLogStream", logGroupName="g", logStreamName="s")
    logs.sweep()
    pages = logs.events.db.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    assert pages < 100


def test_metric_filters_feed_the_metrics_part(world, ask) -> None:
    class Heard:
        def __init__(self) -> None:
            self.data: list[object] = []

        def put(self, account: str, region: str, namespace: str, data: list[object]) -> None:
            self.data.append((account, region, namespace, data))

    world.parts["metrics"] = heard = Heard()
    logs = world.parts["logs"]
    logs.append(ACCOUNT, REGION, "g", "s", [(1000, "before any filter")])
    ask("PutMetricFilter", logGroupName="g", filterName="f", filterPattern="{ $.latency > 10 }",
        metricTransformations=[{"metricName": "slow", "metricNamespace": "n", "metricValue": "$.latency",
                                "dimensions": {"Model": "$.model"}}])
    lines = ['{"latency": 5, "model": "m"}', '{"latency": 50, "model": "m"}', '{"latency": 60}', "text"]
    logs.append(ACCOUNT, REGION, "g", "s", [(1000 * n, line) for n, line in enumerate(lines, start=1)])
    assert heard.data == [(ACCOUNT, REGION, "n", [("slow", {"Model": "m"}, 50.0, "None", 2.0)])]


def test_a_full_disk_refuses_writes_and_keeps_the_rest(world, ask, stream) -> None:
    logs = world.parts["logs"]
    event = [{"timestamp": int(world.clock.now() * 1000), "message": "x" * 100_000}]

    def allow(pages: int) -> None:  # what SQLite then says is what it says when the disk is full
        logs.events.db.write(lambda tx: tx.exec_driver_sql(f"PRAGMA max_page_count={pages}").close())

    ask("PutLogEvents", **stream, logEvents=event)
    allow(60)
    with pytest.raises(AwsError) as full:
        for _ in range(20):
            ask("PutLogEvents", **stream, logEvents=event)
    assert (full.value.code, full.value.status) == ("ServiceUnavailableException", 503)
    kept = len(ask("GetLogEvents", **stream)["events"])
    assert kept >= 1
    allow(1_000_000)
    ask("PutLogEvents", **stream, logEvents=event)
    assert len(ask("GetLogEvents", **stream)["events"]) == kept + 1
