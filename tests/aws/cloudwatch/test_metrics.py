"""Metrics through the operations: what is put can be read, in every way of putting and reading."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.aws.cloudwatch.points import Metric, Slot
from sagewright.aws.cloudwatch.samples import Sample
from sagewright.core.errors import AwsError

from .conftest import ACCOUNT, REGION, make_world

NOW = 1_700_000_040
STATS = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]


def put(ask: Any, *data: dict[str, Any]) -> None:
    ask("PutMetricData", Namespace="ns", MetricData=[{"MetricName": "m", **datum} for datum in data])


def read(ask: Any, **more: Any) -> list[dict[str, Any]]:
    asked = {"Namespace": "ns", "MetricName": "m", "StartTime": NOW - 600, "EndTime": NOW + 60, "Period": 60,
             "Statistics": STATS, **more}
    return ask("GetMetricStatistics", **asked)["Datapoints"]


@pytest.mark.parametrize(("data", "expected"), [
    ([{"Value": 2.0}, {"Value": 4.0}], (2, 3, 6, 2, 4)),
    ([{"Values": [1.0, 10.0], "Counts": [2, 4]}], (6, 7, 42, 1, 10)),
    ([{"Values": [1.0, 3.0]}], (2, 2, 4, 1, 3)),
    ([{"StatisticValues": {"SampleCount": 4, "Sum": 8, "Minimum": 1, "Maximum": 5}}, {"Value": 12}], (5, 4, 20, 1, 12)),
    ([{"Value": 5}, {"Values": [9.0], "Counts": [0]}], (1, 5, 5, 5, 5)),
])
def test_all_ways_of_putting_values_count(ask, data, expected) -> None:
    put(ask, *data)
    point = read(ask)[0]
    assert tuple(point[name] for name in STATS) == pytest.approx(expected)
    assert point["Timestamp"] == NOW and point["Unit"] == "None"


def test_periods_gather_minutes(ask) -> None:
    put(ask, *[{"Value": n, "Timestamp": NOW - 60 * n} for n in range(10)])
    assert [p["Sum"] for p in read(ask)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert [p["Sum"] for p in read(ask, Period=300, StartTime=NOW - 540)] == [35, 10]


def test_units_are_kept_apart(ask) -> None:
    put(ask, {"Value": 1, "Unit": "Seconds"}, {"Value": 2, "Unit": "Count"})
    assert sorted((p["Unit"], p["Sum"]) for p in read(ask)) == [("Count", 2), ("Seconds", 1)]
    assert [p["Sum"] for p in read(ask, Unit="Seconds")] == [1]


def test_dimensions_make_another_metric_in_any_order(ask) -> None:
    a, b = {"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}
    put(ask, {"Value": 1, "Dimensions": [a, b]}, {"Value": 2, "Dimensions": [b, a]}, {"Value": 4, "Dimensions": [a]})
    assert [p["Sum"] for p in read(ask, Dimensions=[b, a])] == [3]
    assert read(ask) == []


def test_percentiles(ask) -> None:
    put(ask, {"Values": [float(n) for n in range(1, 101)]})
    point = read(ask, Statistics=[], ExtendedStatistics=["p50", "p99", "TM(10%:90%)"])[0]
    assert point["ExtendedStatistics"] == pytest.approx({"p50": 50, "p99": 99, "TM(10%:90%)": 50.5})


def test_seconds_can_be_told_apart(ask) -> None:
    put(ask, *[{"Value": n, "Timestamp": NOW + n, "StorageResolution": 1} for n in range(5)])
    assert len(read(ask, Period=1, StartTime=NOW, EndTime=NOW + 5)) == 5
    assert [p["Sum"] for p in read(ask)] == [10]


@pytest.mark.parametrize(("datum", "code", "message"), [
    ({"Value": float("nan")}, "InvalidParameterValue",
     "The value NaN for parameter MetricData.member.1.Value is invalid."),
    ({"Value": 1e300}, "InvalidParameterValue", "The value 1E+300 for parameter MetricData.member.1.Value is invalid."),
    ({"Value": 1, "StatisticValues": {}}, "InvalidParameterCombination", "The parameters MetricData.member.1.Value and "
     "MetricData.member.1.StatisticValues are mutually exclusive and you have specified both."),
    ({"Value": 1, "Values": [1.0]}, "InvalidParameterCombination", "The parameters MetricData.member.1.Value and "
     "MetricData.member.1.Values are mutually exclusive and you have specified both."),
    ({"Value": 1, "Dimensions": [{"Name": "d", "Value": "1"}, {"Name": "d", "Value": "2"}]}, "InvalidParameterValue",
     "No Metric may specify the same dimension name twice."),
    ({"Values": [1.0], "Counts": [1, 2]}, "InvalidParameterValue",
     "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."),
    ({"Values": [1.0] * 151}, "InvalidParameterValue",
     "The collection MetricData.member.1.Values must not have a size greater than 150."),
    ({}, "MissingParameter", "At least one of the parameters"),
    ({"Value": 1, "Timestamp": NOW - 15 * 86400}, "InvalidParameterValue", "no more than two weeks in the past."),
    ({"Value": 1, "Timestamp": NOW + 3 * 3600}, "InvalidParameterValue", "no more than two hours in the future."),
    ({"Value": 1, "StorageResolution": 5}, "InvalidParameterValue", "StorageResolution is invalid."),
    ({"Value": 1, "Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)]}, "InvalidParameterValue",
     "Dimensions must not have a size greater than 30."),
    ({"Value": 1, "Dimensions": [{"Name": "d", "Value": ""}]}, "InvalidParameterValue", "must not be empty"),
])
def test_bad_data_are_refused_whole(ask, datum, code, message) -> None:
    with pytest.raises(AwsError) as refused:
        put(ask, datum, {"Value": 1})
    assert refused.value.code == code and message in refused.value.message
    assert read(ask) == []


@pytest.mark.parametrize(("more", "code", "message"), [
    ({"Statistics": []}, "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics"),
    ({"StartTime": NOW + 60}, "InvalidParameterValue",
     "The parameter StartTime must be less than the parameter EndTime."),
    ({"StartTime": NOW - 1441 * 60, "EndTime": NOW}, "InvalidParameterCombination",
     "You have requested up to 1441 datapoints, which exceeds the limit of 1440."),
    ({"Period": 90}, "InvalidParameterValue", "multiple of 60"),
    ({"ExtendedStatistics": ["q1"]}, "InvalidParameterValue", "The value q1 for parameter"),
])
def test_bad_questions_are_refused(ask, more, code, message) -> None:
    with pytest.raises(AwsError) as refused:
        read(ask, **more)
    assert refused.value.code == code and message in refused.value.message


def stat(name: str, ident: str, **more: Any) -> dict[str, Any]:
    return {"Id": ident, "MetricStat": {"Metric": {"Namespace": "ns", "MetricName": "m"}, "Period": 60, "Stat": name},
            **more}


def data(ask: Any, *queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return ask("GetMetricData", MetricDataQueries=list(queries), StartTime=NOW - 600, EndTime=NOW + 60, **more)


def test_metric_data_come_newest_first_with_labels(ask) -> None:
    put(ask, *[{"Value": n, "Timestamp": NOW - 60 * n} for n in range(3)])
    result = data(ask, stat("Sum", "a"), stat("p99", "b", Label="mine"))["MetricDataResults"]
    assert result[0] == {"Id": "a", "Label": "m Sum", "Timestamps": [NOW, NOW - 60, NOW - 120], "Values": [0, 1, 2],
                         "StatusCode": "Complete"}
    assert result[1]["Label"] == "mine"
    ascending = data(ask, stat("Sum", "a"), ScanBy="TimestampAscending")["MetricDataResults"][0]
    assert ascending["Values"] == [2, 1, 0]


@pytest.mark.parametrize(("pairs", "labels"), [
    ([("Sum", 60), ("Minimum", 120)], ["m Sum 60", "m Minimum 120"]),
    ([("Sum", 60), ("Minimum", 60)], ["m Sum", "m Minimum"]),
    ([("Sum", 60), ("Sum", 120)], ["m 60", "m 120"]),
    ([("Sum", 60), ("Sum", 60)], ["m", "m"]),
    ([("Sum", 60)], ["m"]),
])
def test_labels_say_what_sets_the_queries_apart(ask, pairs, labels) -> None:
    queries = [stat(name, f"q{n}") for n, (name, _) in enumerate(pairs)]
    for asked, (_, period) in zip(queries, pairs):
        asked["MetricStat"]["Period"] = period
    assert [r["Label"] for r in data(ask, *queries)["MetricDataResults"]] == labels


def test_of_several_units_the_first_is_taken_and_said(ask) -> None:
    put(ask, {"Value": 60000, "Unit": "Milliseconds"}, {"Value": 60, "Unit": "Seconds"}, {"Value": 5, "Unit": "Count"})
    result = data(ask, stat("Sum", "a"))["MetricDataResults"][0]
    assert result["Values"] == [5.0] and result["Messages"] == [
        {"Code": "MultipleUnits", "Value": "Multiple units returned: '[Count, Milliseconds, Seconds]'"}]


def test_a_minute_stands_at_its_start_in_shorter_periods(ask) -> None:
    put(ask, {"Value": 3, "Timestamp": NOW + 45})
    asked = stat("Sum", "a")
    asked["MetricStat"]["Period"] = 30
    result = data(ask, asked)["MetricDataResults"][0]
    assert (result["Timestamps"], result["Values"]) == ([NOW], [3])


def test_a_day_of_minutes_may_start_within_a_minute(ask) -> None:
    assert read(ask, StartTime=NOW - 86400 + 7, EndTime=NOW + 7) == []


def test_metric_math_over_metrics(ask) -> None:
    put(ask, *[{"Value": n, "Timestamp": NOW - 60 * n} for n in range(3)])
    result = data(ask, stat("Sum", "a", ReturnData=False), {"Id": "e", "Expression": "twice + a"},
                  {"Id": "twice", "Expression": "a * 2", "ReturnData": False})["MetricDataResults"]
    assert [(r["Id"], r["Label"], r["Values"]) for r in result] == [("e", "e", [0, 3, 6])]


def test_metric_data_are_paged_without_loss(ask) -> None:
    put(ask, *[{"Value": n, "Timestamp": NOW - 60 * n} for n in range(10)])
    token, seen, pages = {}, {"a": [], "b": [], "none": []}, 0
    missing = stat("Sum", "none")
    missing["MetricStat"]["Metric"]["MetricName"] = "other"
    while True:
        page = data(ask, stat("Sum", "a"), stat("Maximum", "b"), missing, MaxDatapoints=7, **token)
        pages += 1
        for result in page["MetricDataResults"]:
            seen[result["Id"]] += result["Values"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert pages == 3 and seen == {"a": list(range(10)), "b": list(range(10)), "none": []}
    with pytest.raises(AwsError) as refused:
        data(ask, stat("Sum", "a"), NextToken="nonsense")
    assert refused.value.code == "InvalidNextToken"


@pytest.mark.parametrize(("queries", "message"), [
    ([{"Id": "a", "Label": "x"}], "The parameter MetricDataQueries.member.1.MetricStat is required.\n"),
    ([{"Id": "A", "Expression": "1"}], "is not matching the expected pattern"),
    ([stat("Sum", "a"), stat("Sum", "a")], "are not unique"),
    ([{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}], "refers to itself"),
    ([{"Id": "a", "Expression": "nothing + 1"}], "Error in expression 'a': the id nothing is not defined"),
    ([{"Id": "a", "Expression": "1 + 1"}], "must return a time series"),
    ([{"Id": "a", "Expression": "SEARCH('x', 'Sum')"}], "the function SEARCH is not supported"),
    ([stat("P99!", "a")], "is not supported"),
])
def test_bad_queries_are_refused(ask, queries, message) -> None:
    with pytest.raises(AwsError) as refused:
        data(ask, *queries)
    assert refused.value.code == "ValidationError" and message in refused.value.message


def test_metrics_are_listed_by_what_they_have(ask, world) -> None:
    for model, variant in (("a", "x"), ("a", "y"), ("b", "x")):
        put(ask, {"Value": 1, "Dimensions": [{"Name": "Model", "Value": model}, {"Name": "Variant", "Value": variant}]})
    ask("PutMetricData", Namespace="other", MetricData=[{"MetricName": "n", "Value": 1}])

    def count(**params: Any) -> int:
        return len(ask("ListMetrics", **params)["Metrics"])

    assert count() == 4 and count(Namespace="ns") == 3 and count(MetricName="n") == 1
    assert count(Dimensions=[{"Name": "Model"}]) == 3
    assert count(Dimensions=[{"Name": "Model", "Value": "a"}, {"Name": "Variant", "Value": "y"}]) == 1
    world.clock.sleep(4 * 3600)
    assert count(RecentlyActive="PT3H") == 0 and count() == 4
    world.clock.sleep(15 * 86400)
    assert count() == 0


def test_many_metrics_are_listed_in_pages(ask, world) -> None:
    world.parts["metrics"].put(ACCOUNT, REGION, "ns", [(f"m{n}", {}, 1.0, "Count", NOW) for n in range(1100)])
    names, token = [], {}
    while True:
        page = ask("ListMetrics", **token)
        names += [metric["MetricName"] for metric in page["Metrics"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(names) == sorted(f"m{n}" for n in range(1100))
    with pytest.raises(AwsError, match="Request parameter NextToken is invalid"):
        ask("ListMetrics", NextToken="x")


def test_values_put_in_process_are_read_at_once_and_survive_a_restart(ask, world, tmp_path) -> None:
    metrics = world.parts["metrics"]
    for n in range(1000):
        metrics.put(ACCOUNT, REGION, "ns", [("m", {"E": "x"}, float(n), "Microseconds", NOW + n % 60)])
    dimensions = [{"Name": "E", "Value": "x"}]
    assert read(ask, Dimensions=dimensions)[0]["SampleCount"] == 1000
    metrics.put(ACCOUNT, REGION, "ns", [("m", (("E", "x"),), 5.0, "Microseconds", NOW)])
    metrics.close()
    again = make_world(tmp_path)
    found = again.parts["metrics"].points.read(Metric(ACCOUNT, REGION, "ns", "m", (("E", "x"),)), NOW, NOW + 60, 60)
    again.parts["metrics"].close()
    again.store.close()
    assert found[NOW, "Microseconds"].count == 1001


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308])
def test_values_that_cannot_be_summed_do_not_stop_the_others(ask, world, value) -> None:
    world.parts["metrics"].put(ACCOUNT, REGION, "ns", [("m", {}, value, "None", NOW), ("m", {}, 1.0, "None", NOW)])
    assert read(ask)[0]["Sum"] == 1


def test_old_points_are_rolled_up_then_dropped(world) -> None:
    points, metric = world.parts["metrics"].points, Metric(ACCOUNT, REGION, "ns", "m", ())
    base = NOW // 3600 * 3600

    def sample() -> Sample:
        one = Sample()
        one.add(2.0)
        return one

    points.merge([(Slot(metric, "None", base + 60 * n, 60), sample()) for n in range(60)])

    def spans(now: float) -> dict[int, float]:
        while points.age(now):
            pass
        query = "SELECT span, sum(count) FROM points GROUP BY span"
        return dict(map(tuple, points.db.read(lambda c: c.exec_driver_sql(query).all())))

    assert spans(base + 3600) == {60: 60}
    assert spans(base + 17 * 86400) == {300: 60}
    assert points.read(metric, base, base + 3600, 300)[base, "None"].total == 10
    assert spans(base + 64 * 86400) == {3600: 60}
    assert spans(base + 456 * 86400) == {}


def test_a_full_disk_delays_what_was_put_in_process_and_refuses_the_rest(ask, world) -> None:
    metrics = world.parts["metrics"]

    def allow(pages: int) -> None:  # what SQLite then says is what it says when the disk is full
        metrics.points.db.write(lambda tx: tx.exec_driver_sql(f"PRAGMA max_page_count={pages}").close())

    allow(30)
    metrics.put(ACCOUNT, REGION, "ns", [(f"m{n}", {}, 1.0, "None", NOW) for n in range(3000)])
    with pytest.raises(Exception, match="full"):
        metrics.flush()
    with pytest.raises(AwsError) as refused:
        ask("PutMetricData", Namespace="ns", MetricData=[{"MetricName": f"x{n}", "Value": 1} for n in range(1000)])
    assert refused.value.status == 500
    allow(1_000_000)
    metrics.flush()
    assert read(ask, MetricName="m2999")[0]["Sum"] == 1
