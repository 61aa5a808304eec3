"""Alarms, dashboards and tags are kept as put."""

from __future__ import annotations

import pytest

from sagewright.core.errors import AwsError

ALARM = {"AlarmName": "a", "MetricName": "m", "Namespace": "ns", "Statistic": "Sum", "Period": 60,
         "EvaluationPeriods": 2, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}


def test_an_alarm_is_described_as_put_and_waits_for_data(ask) -> None:
    ask("PutMetricAlarm", **ALARM, AlarmActions=["arn:aws:sns:us-west-2:1:t"])
    shown = ask("DescribeAlarms", AlarmNames=["a", "none"])["MetricAlarms"]
    assert len(shown) == 1 and {key: shown[0][key] for key in ALARM} == ALARM
    assert shown[0]["StateValue"] == "INSUFFICIENT_DATA" and "Unit" not in shown[0] and "Tags" not in shown[0]
    assert shown[0]["AlarmArn"] == "arn:aws:cloudwatch:us-west-2:123456789012:alarm:a"


def test_a_whole_threshold_comes_back_as_a_double(ask) -> None:
    ask("PutMetricAlarm", **{**ALARM, "Threshold": 30})
    assert repr(ask("DescribeAlarms")["MetricAlarms"][0]["Threshold"]) == "30.0"


def test_an_alarm_keeps_its_state_when_put_again(ask) -> None:
    ask("PutMetricAlarm", **ALARM, AlarmDescription="old")
    ask("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="by hand")
    ask("PutMetricAlarm", **ALARM)
    shown = ask("DescribeAlarms", StateValue="ALARM")["MetricAlarms"][0]
    assert shown["StateReason"] == "by hand" and "AlarmDescription" not in shown
    ask("DisableAlarmActions", AlarmNames=["a"])
    assert ask("DescribeAlarms")["MetricAlarms"][0]["ActionsEnabled"] is False
    with pytest.raises(AwsError) as missing:
        ask("SetAlarmState", AlarmName="none", StateValue="OK", StateReason="")
    assert missing.value.code == "ResourceNotFound"


def test_alarms_are_paged_filtered_and_deleted(ask) -> None:
    for n in range(5):
        ask("PutMetricAlarm", **{**ALARM, "AlarmName": f"x{n}"})
    ask("PutMetricAlarm", **{**ALARM, "AlarmName": "y", "MetricName": "other"})
    names, token = [], {}
    while True:
        page = ask("DescribeAlarms", AlarmNamePrefix="x", MaxRecords=2, **token)
        names += [alarm["AlarmName"] for alarm in page["MetricAlarms"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == [f"x{n}" for n in range(5)]
    assert len(ask("DescribeAlarmsForMetric", MetricName="m", Namespace="ns")["MetricAlarms"]) == 5
    ask("DeleteAlarms", AlarmNames=[*names, "none"])
    assert [alarm["AlarmName"] for alarm in ask("DescribeAlarms")["MetricAlarms"]] == ["y"]


@pytest.mark.parametrize("change", [
    {"Statistic": None}, {"ExtendedStatistic": "p99"}, {"MetricName": None}, {"Metrics": []}, {"Period": None},
    {"Statistic": None, "ExtendedStatistic": "90"}, {"TreatMissingData": "maybe"}, {"DatapointsToAlarm": 3},
    {"EvaluateLowSampleCountPercentile": "no"},
])
def test_a_bad_alarm_is_refused(ask, change) -> None:
    with pytest.raises(AwsError):
        ask("PutMetricAlarm", **{key: value for key, value in {**ALARM, **change}.items() if value is not None})


def test_dashboards(ask) -> None:
    ask("PutDashboard", DashboardName="d1", DashboardBody='{"widgets": []}')
    ask("PutDashboard", DashboardName="d1", DashboardBody='{"widgets": [1]}')
    assert ask("GetDashboard", DashboardName="d1")["DashboardBody"] == '{"widgets": [1]}'
    entry = ask("ListDashboards", DashboardNamePrefix="d")["DashboardEntries"][0]
    assert (entry["DashboardArn"], entry["Size"]) == ("arn:aws:cloudwatch::123456789012:dashboard/d1", 16)
    with pytest.raises(AwsError, match="contains invalid characters"):
        ask("PutDashboard", DashboardName="d:1", DashboardBody="{}")
    for text in ("{", "[]", "[" * 5000):
        with pytest.raises(AwsError) as refused:
            ask("PutDashboard", DashboardName="d2", DashboardBody=text)
        assert refused.value.code == "InvalidParameterInput"
    with pytest.raises(AwsError) as missing:
        ask("DeleteDashboards", DashboardNames=["d1", "d2"])
    assert missing.value.code == "DashboardNotFoundError"
    ask("DeleteDashboards", DashboardNames=["d1"])
    assert ask("ListDashboards") == {"DashboardEntries": []}


def test_tags(ask) -> None:
    ask("PutMetricAlarm", **ALARM, Tags=[{"Key": "a", "Value": "1"}])
    arn = "arn:aws:cloudwatch:us-west-2:123456789012:alarm:a"
    ask("TagResource", ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    ask("UntagResource", ResourceARN=arn, TagKeys=["a"])
    assert ask("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(AwsError) as missing:
        ask("TagResource", ResourceARN=arn + "x", Tags=[])
    assert missing.value.code == "ResourceNotFoundException"
