"""Putting and reading events: limits, order, and the paging that live logs rely on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sagewright.core.errors import AwsError
from sagewright.core.world import World

HOUR = 3_600_000
DAY = 24 * HOUR


def put(ask: Any, stream: dict[str, str], *events: tuple[int, str]) -> dict[str, Any]:
    return ask("PutLogEvents", **stream, logEvents=[{"timestamp": ts, "message": text} for ts, text in events])


def texts(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


@pytest.fixture
def now(world: World) -> int:
    return int(world.clock.now() * 1000)


def test_following_a_stream_from_its_head_ends_where_the_token_comes_back(ask, stream, now) -> None:
    put(ask, stream, *[(now + n, f"line {n}") for n in range(25)])
    seen, token = [], {}
    for _ in range(3):
        page = ask("GetLogEvents", **stream, startFromHead=True, limit=10, **token)
        seen += texts(page)
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == [f"line {n}" for n in range(25)]
    end = ask("GetLogEvents", **stream, startFromHead=True, limit=10, **token)
    assert end["events"] == []
    assert end["nextForwardToken"] == token["nextToken"]
    put(ask, stream, (now + 25, "later"))
    assert texts(ask("GetLogEvents", **stream, startFromHead=True, **token)) == ["later"]


def test_an_empty_stream_can_be_followed(ask, stream, now) -> None:
    page = ask("GetLogEvents", **stream, startFromHead=True)
    again = ask("GetLogEvents", **stream, startFromHead=True, nextToken=page["nextForwardToken"])
    assert page["events"] == again["events"] == []
    assert again["nextForwardToken"] == page["nextForwardToken"]
    put(ask, stream, (now, "first"))
    assert texts(ask("GetLogEvents", **stream, nextToken=page["nextForwardToken"])) == ["first"]


def test_without_start_from_head_the_newest_page_comes_first(ask, stream, now) -> None:
    put(ask, stream, *[(now + n, str(n)) for n in range(10)])
    page = ask("GetLogEvents", **stream, limit=4)
    assert texts(page) == ["6", "7", "8", "9"]
    page = ask("GetLogEvents", **stream, limit=4, nextToken=page["nextBackwardToken"])
    assert texts(page) == ["2", "3", "4", "5"]
    page = ask("GetLogEvents", **stream, limit=4, nextToken=page["nextBackwardToken"])
    assert texts(page) == ["0", "1"]
    end = ask("GetLogEvents", **stream, limit=4, nextToken=page["nextBackwardToken"])
    assert end["events"] == [] and end["nextBackwardToken"] == page["nextBackwardToken"]
    assert texts(ask("GetLogEvents", **stream, limit=3, nextToken=end["nextForwardToken"])) == ["0", "1", "2"]


def test_tokens_look_like_those_of_aws(ask, stream, now) -> None:
    put(ask, stream, (now, "x"))
    page = ask("GetLogEvents", **stream)
    assert re.fullmatch(r"f/\d{56}", page["nextForwardToken"])
    assert re.fullmatch(r"b/\d{56}", page["nextBackwardToken"])


@pytest.mark.parametrize("token", ["", "f/1", "x/" + "0" * 56, "f/" + "9" * 56, "b/" + "a" * 56, "f/" + "٣" * 56])
def test_a_token_that_was_not_given_is_refused(ask, stream, token) -> None:
    with pytest.raises(AwsError, match="The specified nextToken is invalid."):
        ask("GetLogEvents", **stream, nextToken=token)


def test_a_token_of_another_stream_is_refused(ask, stream) -> None:
    ask("CreateLogStream", logGroupName="group", logStreamName="other")
    token = ask("GetLogEvents", **stream)["nextForwardToken"]
    with pytest.raises(AwsError, match="The specified nextToken is invalid."):
        ask("GetLogEvents", logGroupName="group", logStreamName="other", nextToken=token)


def test_events_come_in_time_order_however_they_arrived(ask, stream, now) -> None:
    put(ask, stream, (now + 5, "c"), (now + 9, "e"))
    put(ask, stream, (now, "a"), (now + 5, "d"))
    put(ask, stream, (now, "b"))
    assert texts(ask("GetLogEvents", **stream, startFromHead=True)) == ["a", "b", "c", "d", "e"]


def test_a_time_range_includes_its_start_and_excludes_its_end(ask, stream, now) -> None:
    put(ask, stream, *[(now + n, str(n)) for n in range(6)])
    assert texts(ask("GetLogEvents", **stream, startTime=now + 1, endTime=now + 4)) == ["1", "2", "3"]
    assert texts(ask("FilterLogEvents", logGroupName="group", startTime=now + 1, endTime=now + 4)) == ["1", "2", "3"]


def test_a_page_holds_at_most_a_mebibyte(ask, stream, now) -> None:
    for n in range(6):
        put(ask, stream, (now + n, str(n) * 400_000))
    seen, token = [], {}
    while True:
        page = ask("GetLogEvents", **stream, startFromHead=True, **token)
        assert sum(map(len, texts(page))) <= 1_048_576
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        seen += texts(page)
        token = {"nextToken": page["nextForwardToken"]}
    assert [text[0] for text in seen] == list("012345")


def test_what_is_too_old_or_too_new_is_left_out_and_said(ask, stream, now) -> None:
    answer = put(ask, stream, (now - 15 * DAY, "old"), (now, "good"), (now + 3 * HOUR, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    assert texts(ask("GetLogEvents", **stream)) == ["good"]


def test_what_precedes_retention_is_left_out_and_said(ask, stream, now) -> None:
    ask("PutRetentionPolicy", logGroupName="group", retentionInDays=1)
    answer = put(ask, stream, (now - 2 * DAY, "old"), (now, "good"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}


@pytest.mark.parametrize(("events", "message"), [
    ([(5, "a"), (4, "b")], "Log events in a single PutLogEvents request must be in chronological order."),
    ([(0, "a"), (DAY + 1, "b")], "cannot span more than 24 hours"),
    ([(0, "x" * 1_048_576)], "Log event too large: 1048602 bytes exceeds limit of 1048576"),
    ([(0, "x" * 600_000), (1, "x" * 600_000)], "Upload too large: 1200052 bytes exceeds limit of 1048576"),
])
def test_a_bad_batch_is_refused_whole(ask, stream, now, events, message) -> None:
    with pytest.raises(AwsError, match=message) as refused:
        put(ask, stream, *[(now - 2 * DAY + ts, text) for ts, text in events])
    assert refused.value.code == "InvalidParameterException"
    assert ask("GetLogEvents", **stream)["events"] == []


@pytest.mark.parametrize("message", ["\ud800 unpaired", "nul \x00 byte", "tab\tand\nnewline", "😀", " "])
def test_any_text_can_be_stored(ask, stream, now, message) -> None:
    put(ask, stream, (now, message))
    assert texts(ask("GetLogEvents", **stream)) == [message.replace("\ud800", "?")]


@pytest.mark.parametrize("operation", ["GetLogEvents", "PutLogEvents", "DeleteLogStream"])
def test_missing_groups_and_streams_are_told_apart(ask, stream, operation) -> None:
    events = {"logEvents": [{"timestamp": 0, "message": "x"}]} if operation == "PutLogEvents" else {}
    with pytest.raises(AwsError, match="The specified log group does not exist."):
        ask(operation, logGroupName="none", logStreamName="none", **events)
    with pytest.raises(AwsError, match="The specified log stream does not exist.") as missing:
        ask(operation, logGroupName="group", logStreamName="none", **events)
    assert missing.value.code == "ResourceNotFoundException"


def fill(ask: Any, now: int) -> None:
    ask("CreateLogGroup", logGroupName="many")
    for n in range(4):
        ask("CreateLogStream", logGroupName="many", logStreamName=f"job-{n}/algo-1")
        put(ask, {"logGroupName": "many", "logStreamName": f"job-{n}/algo-1"},
            *[(now + step, f"{step}:{n}") for step in range(50)])


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 200, 1000])
def test_filtering_interleaves_streams_and_pages_without_loss(ask, now, forward, limit) -> None:
    fill(ask, now)
    seen, token, ids = [], {}, set()
    while True:
        page = ask("FilterLogEvents", logGroupName="many", limit=limit, startFromHead=forward, **token)
        assert len(page["events"]) <= limit
        seen += texts(page)
        ids |= {event["eventId"] for event in page["events"]}
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    expected = [f"{step}:{n}" for step in range(50) for n in range(4)]
    assert seen == (expected if forward else expected[::-1])
    assert len(ids) == 200


def test_filtering_by_prefix_names_and_pattern(ask, now) -> None:
    fill(ask, now)
    page = ask("FilterLogEvents", logGroupName="many", logStreamNamePrefix="job-1", filterPattern='"49:"')
    assert texts(page) == ["49:1"] and page["events"][0]["logStreamName"] == "job-1/algo-1"
    names = ["job-2/algo-1", "job-3/algo-1"]
    assert texts(ask("FilterLogEvents", logGroupName="many", logStreamNames=names, limit=3)) == ["0:2", "0:3", "1:2"]
    with pytest.raises(AwsError, match="The specified log stream does not exist."):
        ask("FilterLogEvents", logGroupName="many", logStreamNames=["none"])


def test_a_filter_that_matches_nothing_gives_partial_pages(ask, stream, now, world) -> None:
    world.parts["logs"].append("123456789012", "us-west-2", "group", "stream",
                               [(now + n // 100, "dull") for n in range(100_500)] + [(now + 5000, "needle")])
    page = ask("FilterLogEvents", logGroupName="group", filterPattern="needle")
    assert page["events"] == [] and "nextToken" in page
    page = ask("FilterLogEvents", logGroupName="group", filterPattern="needle", nextToken=page["nextToken"])
    assert texts(page) == ["needle"] and "nextToken" not in page


def test_a_filter_token_of_another_question_is_refused(ask, now) -> None:
    fill(ask, now)
    token = ask("FilterLogEvents", logGroupName="many", limit=1)["nextToken"]
    for bad in ({"filterPattern": "x", "nextToken": token}, {"nextToken": "nonsense"}, {"nextToken": "W10="}):
        with pytest.raises(AwsError, match="The specified nextToken is invalid."):
            ask("FilterLogEvents", logGroupName="many", **bad)
