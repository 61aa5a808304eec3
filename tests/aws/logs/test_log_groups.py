"""Groups, streams and tags: creating, describing, paging, deleting."""

from __future__ import annotations

import pytest

from sagewright.core.errors import AwsError

ARN = "arn:aws:logs:us-west-2:123456789012:log-group:"


def test_a_group_is_described_as_it_was_created(ask, world) -> None:
    ask("CreateLogGroup", logGroupName="/a/b", tags={"k": "v"}, kmsKeyId="arn:aws:kms:us-west-2:1:key/x")
    assert ask("DescribeLogGroups")["logGroups"] == [{
        "logGroupName": "/a/b", "creationTime": int(world.clock.now() * 1000), "metricFilterCount": 0,
        "deletionProtectionEnabled": False,
        "arn": f"{ARN}/a/b:*", "logGroupArn": f"{ARN}/a/b", "storedBytes": 0, "logGroupClass": "STANDARD",
        "kmsKeyId": "arn:aws:kms:us-west-2:1:key/x"}]
    with pytest.raises(AwsError, match="The specified log group already exists") as taken:
        ask("CreateLogGroup", logGroupName="/a/b")
    assert taken.value.code == "ResourceAlreadyExistsException"


def test_groups_are_found_by_prefix_and_pattern_page_by_page(ask) -> None:
    for n in range(7):
        ask("CreateLogGroup", logGroupName=f"/aws/sagemaker/{n}")
    ask("CreateLogGroup", logGroupName="/aws/other/Sage")

    def names(**params: object) -> list[str]:
        found, token = [], {}
        while True:
            page = ask("DescribeLogGroups", limit=2, **params, **token)
            found += [group["logGroupName"].rsplit("/", 1)[1] for group in page["logGroups"]]
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert names(logGroupNamePrefix="/aws/sagemaker/") == list("0123456")
    assert names(logGroupNamePattern="Sage") == ["Sage"]
    assert not {"storedBytes", "deletionProtectionEnabled"} & \
        ask("DescribeLogGroups", logGroupNamePattern="Sage")["logGroups"][0].keys()
    assert names() == ["Sage", *"0123456"]
    with pytest.raises(AwsError, match="mutually exclusive"):
        ask("DescribeLogGroups", logGroupNamePrefix="a", logGroupNamePattern="bcd")


def test_streams_are_listed_by_name_and_by_last_event(ask, world) -> None:
    ask("CreateLogGroup", logGroupName="g")
    now = int(world.clock.now() * 1000)
    for name, ts in (("job/b", now + 1), ("job/a", now + 3), ("job/c", now + 2), ("other", None)):
        ask("CreateLogStream", logGroupName="g", logStreamName=name)
        if ts:
            ask("PutLogEvents", logGroupName="g", logStreamName=name, logEvents=[{"timestamp": ts, "message": "x"}])

    def names(**params: object) -> list[str]:
        found, token = [], {}
        while True:
            page = ask("DescribeLogStreams", logGroupName="g", limit=2, **params, **token)
            found += [stream["logStreamName"] for stream in page["logStreams"]]
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert names(logStreamNamePrefix="job/", orderBy="LogStreamName") == ["job/a", "job/b", "job/c"]
    assert names(descending=True) == ["other", "job/c", "job/b", "job/a"]
    assert names(orderBy="LastEventTime", descending=True) == ["job/a", "job/c", "job/b", "other"]
    assert names(orderBy="LastEventTime") == ["other", "job/b", "job/c", "job/a"]
    with pytest.raises(AwsError, match="Cannot order by LastEventTime with a logStreamNamePrefix."):
        ask("DescribeLogStreams", logGroupName="g", logStreamNamePrefix="j", orderBy="LastEventTime")


def test_a_stream_tells_its_times(ask, stream, world) -> None:
    shown = ask("DescribeLogStreams", logGroupName="group")["logStreams"][0]
    assert "lastEventTimestamp" not in shown and shown["arn"] == f"{ARN}group:log-stream:stream"
    now = int(world.clock.now() * 1000)
    ask("PutLogEvents", **stream, logEvents=[{"timestamp": ts, "message": "x"} for ts in (now - 5, now)])
    shown = ask("DescribeLogStreams", logGroupName="group")["logStreams"][0]
    assert (shown["firstEventTimestamp"], shown["lastEventTimestamp"], shown["lastIngestionTime"]) == \
        (now - 5, now, now)


def test_what_was_deleted_does_not_come_back_with_its_name(ask, stream, world) -> None:
    event = [{"timestamp": int(world.clock.now() * 1000), "message": "secret"}]
    ask("PutLogEvents", **stream, logEvents=event)
    ask("DeleteLogStream", **stream)
    ask("CreateLogStream", **stream)
    assert ask("GetLogEvents", **stream)["events"] == []
    ask("PutLogEvents", **stream, logEvents=event)
    ask("DeleteLogGroup", logGroupName="group")
    ask("CreateLogGroup", logGroupName="group")
    assert ask("DescribeLogStreams", logGroupName="group")["logStreams"] == []
    assert ask("FilterLogEvents", logGroupName="group")["events"] == []


def test_both_tag_apis_see_the_same_tags(ask, stream) -> None:
    ask("TagLogGroup", logGroupName="group", tags={"a": "1", "b": "2"})
    ask("TagResource", resourceArn=f"{ARN}group", tags={"c": "3"})
    ask("UntagLogGroup", logGroupName="group", tags=["a"])
    ask("UntagResource", resourceArn=f"{ARN}group:*", tagKeys=["b"])
    assert ask("ListTagsLogGroup", logGroupName="group") == {"tags": {"c": "3"}}
    assert ask("ListTagsForResource", resourceArn=f"{ARN}group") == {"tags": {"c": "3"}}
    with pytest.raises(AwsError, match="50 per resource"):
        ask("TagLogGroup", logGroupName="group", tags={f"k{n}": "" for n in range(50)})
    with pytest.raises(AwsError, match="The specified resource does not exist."):
        ask("ListTagsForResource", resourceArn=f"{ARN}none")


def test_retention_and_deletion_protection(ask, stream) -> None:
    ask("PutRetentionPolicy", logGroupName="group", retentionInDays=7)
    assert ask("DescribeLogGroups")["logGroups"][0]["retentionInDays"] == 7
    ask("DeleteRetentionPolicy", logGroupName="group")
    assert "retentionInDays" not in ask("DescribeLogGroups")["logGroups"][0]
    with pytest.raises(AwsError, match="Member must satisfy enum value set"):
        ask("PutRetentionPolicy", logGroupName="group", retentionInDays=2)
    ask("PutLogGroupDeletionProtection", logGroupIdentifier="group", deletionProtectionEnabled=True)
    with pytest.raises(AwsError, match="deletion protection is enabled"):
        ask("DeleteLogGroup", logGroupName="group")


def test_policies_and_queries_are_kept_as_put(ask) -> None:
    document = '{"Version": "2012-10-17", "Statement": []}'
    ask("PutResourcePolicy", policyName="p", policyDocument=document)
    assert ask("DescribeResourcePolicies")["resourcePolicies"][0]["policyDocument"] == document
    ask("DeleteResourcePolicy", policyName="p")
    with pytest.raises(AwsError, match=r"Policy with name \[p\] does not exist"):
        ask("DeleteResourcePolicy", policyName="p")
    with pytest.raises(AwsError, match="Invalid policy document."):
        ask("PutResourcePolicy", policyName="p", policyDocument="[" * 5000)
    key = ask("PutQueryDefinition", name="n/q", queryString="fields @message")["queryDefinitionId"]
    shown = ask("DescribeQueryDefinitions", queryDefinitionNamePrefix="n/")["queryDefinitions"]
    assert [(q["queryDefinitionId"], q["queryString"]) for q in shown] == [(key, "fields @message")]
    assert ask("DeleteQueryDefinition", queryDefinitionId=key) == {"success": True}


def test_metric_filters_are_listed_and_subscription_filters_refused(ask, stream) -> None:
    transformation = [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]
    ask("PutMetricFilter", logGroupName="group", filterName="f", filterPattern="ERROR",
        metricTransformations=transformation)
    for asked in ({"logGroupName": "group"}, {"metricName": "m", "metricNamespace": "n"}):
        assert [f["filterName"] for f in ask("DescribeMetricFilters", **asked)["metricFilters"]] == ["f"]
    assert ask("DescribeLogGroups")["logGroups"][0]["metricFilterCount"] == 1
    ask("DeleteMetricFilter", logGroupName="group", filterName="f")
    assert ask("DescribeMetricFilters", logGroupName="group")["metricFilters"] == []
    with pytest.raises(AwsError, match="not supported yet"):
        ask("PutSubscriptionFilter", logGroupName="group", filterName="f", filterPattern="", destinationArn="arn:x")
    assert ask("DescribeSubscriptionFilters", logGroupName="group") == {"subscriptionFilters": []}


def test_a_pattern_can_be_tried(ask) -> None:
    assert ask("TestMetricFilter", filterPattern="[a, b]", logEventMessages=["x y", "x"]) == {
        "matches": [{"eventNumber": 1, "eventMessage": "x y", "extractedValues": {"$a": "x", "$b": "y"}}]}
