"""Log streams and events: create, describe, delete, put, get and filter.

Called by the gateway's dispatch; calls `part.Logs`, `events` and `patterns`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sagewright.aws.logs import patterns, tokens
from sagewright.aws.logs.events import EVENT_OVERHEAD, PAGE_BYTES, PAGE_EVENTS, Event, Gap, Stream, clean, merge
from sagewright.aws.logs.lookup import bad, group_of, part
from sagewright.aws.logs.part import missing_stream
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_MAX_BATCH_BYTES = 1_048_576
_MAX_EVENT_BYTES = 1_048_576
_SCAN_EVENTS = 100_000  # a filter that matches nothing answers with a token after this many
_FAR = 2**61


def create_log_stream(call: Call) -> dict[str, Any]:
    """Add a stream to a group."""
    row, name = group_of(call), call.params["logStreamName"]
    if not part(call).events.create(row.work["key"], name, part(call).now()):
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
    return {}


def delete_log_stream(call: Call) -> dict[str, Any]:
    """Remove a stream and its events."""
    row = group_of(call)
    if not part(call).events.drop(row.work["key"], call.params["logStreamName"]):
        raise missing_stream()
    part(call).reclaim()
    return {}


def describe_log_streams(call: Call) -> dict[str, Any]:
    """A page of streams by name (with a prefix if asked) or by the time of their last event."""
    params, row = call.params, group_of(call)
    prefix, order = params.get("logStreamNamePrefix", ""), params.get("orderBy", "LogStreamName")
    descending, limit = params.get("descending", False), params.get("limit", 50)
    if prefix and order == "LastEventTime":
        raise bad("Cannot order by LastEventTime with a logStreamNamePrefix.")
    question = [row.arn, prefix, order, descending]
    after = tokens.parse_opaque(params.get("nextToken"), question)
    events, key = part(call).events, row.work["key"]
    if order == "LastEventTime":
        found = events.by_time(key, after and tuple(after), descending, limit + 1)
    else:
        found = events.by_name(key, prefix, after, descending, limit + 1)
    answer: dict[str, Any] = {"logStreams": [_described(row, stream) for stream in found[:limit]]}
    if len(found) > limit:
        last = found[limit - 1]
        position = (last.last_ts or 0, last.id) if order == "LastEventTime" else last.name
        answer["nextToken"] = tokens.opaque(question, position)
    return answer


def put_log_events(call: Call) -> dict[str, Any]:
    """Add a batch of events. Those too old, too new or past retention are left out, and the answer says so."""
    row, stream = group_of(call), call.params["logStreamName"]
    events = [(event["timestamp"], clean(event["message"])) for event in call.params["logEvents"]]
    _check_batch(events)
    kept, rejected = _sort_out(events, part(call).now(), part(call).cutoff(row))
    if kept and kept[-1][0] - kept[0][0] > _DAY:
        raise bad("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    if not part(call).write(row, stream, kept):
        raise missing_stream()
    answer: dict[str, Any] = {"nextSequenceToken": _sequence_token(row, stream)}
    if rejected:
        answer["rejectedLogEventsInfo"] = rejected
    return answer


def get_log_events(call: Call) -> dict[str, Any]:
    """A page of one stream in time order, from either end or from a token; an end is where the token comes back."""
    params, row = call.params, group_of(call)
    stream = _stream(call, row)
    start, end = _range(params, part(call).cutoff(row))
    token = params.get("nextToken")
    if token is None:
        forward = params.get("startFromHead", False)
        gap: Gap = tokens.start_gap(forward, start)
    else:
        gap, forward = tokens.parse_place(token, stream.id)
    found = part(call).events.read(stream.id, gap, forward, start, end, params.get("limit", PAGE_EVENTS))
    if not forward:
        found.reverse()
    if not found and token is None:
        gap = (start, 0)
    before, after = tokens.around(found, gap)
    events = [{"timestamp": e.ts, "message": e.message, "ingestionTime": e.ingested} for e in found]
    return {"events": events, "nextForwardToken": tokens.place(after, True, stream.id),
            "nextBackwardToken": tokens.place(before, False, stream.id)}


def filter_log_events(call: Call) -> dict[str, Any]:
    """Events of many streams interleaved in time order, those that match a pattern."""
    params, row = call.params, group_of(call)
    names, prefix = params.get("logStreamNames", ()), params.get("logStreamNamePrefix", "")
    if names and prefix:
        raise bad("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
    pattern = patterns.compile_pattern(params.get("filterPattern", ""))
    start, end = _range(params, part(call).cutoff(row))
    forward, limit = params.get("startFromHead", True), params.get("limit", PAGE_EVENTS)
    events = part(call).events
    if names and any(events.stream(row.work["key"], name) is None for name in names):
        raise missing_stream()
    question = [row.arn, list(names), prefix, params.get("startTime", 0), params.get("endTime", 0), forward,
                params.get("filterPattern", "")]
    position = tokens.parse_opaque(params.get("nextToken"), question)
    streams = events.within(row.work["key"], names, prefix, start, end)
    gaps = {stream.id: _resume(stream.id, position, forward) for stream in streams} if position else {}
    walk = merge(events, streams, gaps, forward, start, end)
    found, last = _collect(walk, pattern, limit)
    answer: dict[str, Any] = {"events": found, "searchedLogStreams": []}
    if last is not None:
        answer["nextToken"] = tokens.opaque(question, last)
    return answer


def _collect(walk: Iterable[tuple[Stream, Event]], pattern: patterns.Pattern,
             limit: int) -> tuple[list[dict[str, Any]], tuple[int, int, int] | None]:
    """A page of matches and, where the walk goes on, the place (ts, stream, seq) of the last event looked at."""
    found: list[dict[str, Any]] = []
    size, last = 0, None
    for looked, (stream, event) in enumerate(walk):
        matched = pattern.match(event.message)
        bytes_with = size + len(event.message) + EVENT_OVERHEAD
        if looked >= _SCAN_EVENTS or (matched and found and (len(found) >= limit or bytes_with > PAGE_BYTES)):
            return found, last
        last = (event.ts, stream.id, event.seq)
        if matched:
            size = bytes_with
            found.append({"logStreamName": stream.name, "timestamp": event.ts, "message": event.message,
                          "ingestionTime": event.ingested, "eventId": tokens.digits(event.ts, event.seq, stream.id)})
    return found, None


def _resume(stream: int, position: list[int], forward: bool) -> Gap:
    """Where a stream goes on after the merged walk stopped at (ts, stream, seq)."""
    ts, at, seq = position
    if stream == at:
        return (ts, seq + 1) if forward else (ts, seq)
    return (ts + 1, 0) if stream < at else (ts, 0)


def _range(params: dict[str, Any], cutoff: int) -> tuple[int, int]:
    """[start, end) in milliseconds: AWS includes the start time and excludes the end time."""
    start, end = params.get("startTime", 0), params.get("endTime", _FAR)
    if "startTime" in params and "endTime" in params and start > end:
        raise bad("startTime must be less than or equal to endTime")
    return max(0, min(start, _FAR), cutoff), max(0, min(end, _FAR))


def _stream(call: Call, row: Row) -> Stream:
    stream = part(call).events.stream(row.work["key"], call.params["logStreamName"])
    if stream is None:
        raise missing_stream()
    return stream


def _described(row: Row, stream: Stream) -> dict[str, Any]:
    """A stream as DescribeLogStreams shows it; AWS has answered 0 for storedBytes since 2019."""
    shown: dict[str, Any] = {"logStreamName": stream.name, "creationTime": stream.created,
                             "arn": f"{row.arn}:log-stream:{stream.name}", "storedBytes": 0}
    if stream.last_ts is not None:
        shown.update(firstEventTimestamp=stream.first_ts, lastEventTimestamp=stream.last_ts,
                     lastIngestionTime=stream.ingested, uploadSequenceToken=_sequence_token(row, stream.name))
    return shown


def _sequence_token(row: Row, stream: str) -> str:
    """A token in AWS's shape; like AWS, PutLogEvents accepts any."""
    return "490" + str(int.from_bytes(f"{row.work['key']}{stream}".encode()[:24], "big") % 10**53).zfill(53)


def _check_batch(events: list[tuple[int, str]]) -> None:
    size = 0
    for _, message in events:
        length = len(message.encode()) + EVENT_OVERHEAD
        if length > _MAX_EVENT_BYTES:
            raise bad(f"Log event too large: {length} bytes exceeds limit of {_MAX_EVENT_BYTES}")
        size += length
    if size > _MAX_BATCH_BYTES:
        raise bad(f"Upload too large: {size} bytes exceeds limit of {_MAX_BATCH_BYTES}")
    if any(later[0] < earlier[0] for earlier, later in zip(events, events[1:])):
        raise bad("Log events in a single PutLogEvents request must be in chronological order.")


def _sort_out(events: list[tuple[int, str]], now: int,
              cutoff: int) -> tuple[list[tuple[int, str]], dict[str, int]]:
    """The events to keep, and AWS's indexes of those it refuses."""
    too_new = next((n for n, (ts, _) in enumerate(events) if ts > now + 2 * _HOUR), len(events))
    too_old = next((n for n, (ts, _) in enumerate(events) if ts >= now - 14 * _DAY), len(events))
    expired = next((n for n, (ts, _) in enumerate(events) if ts >= cutoff), len(events))
    rejected = {}
    if too_new < len(events):
        rejected["tooNewLogEventStartIndex"] = too_new
    if expired > 0 and cutoff > now - 14 * _DAY:
        rejected["expiredLogEventEndIndex"] = expired
    elif too_old > 0:
        rejected["tooOldLogEventEndIndex"] = too_old
    return events[max(too_old, expired):too_new], rejected
