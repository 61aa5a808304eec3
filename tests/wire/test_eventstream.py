"""Event streams: botocore's own stream parser reads our frames."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EventStreamError
from botocore.model import OperationModel, ServiceModel

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.gateway import wire
from tests.wire.shapes import canonical, parsed


def _events(operation: OperationModel, protocol: str, member: str, events: Any, **others: Any) \
        -> tuple[dict, list[dict]]:
    reply = wire.write(operation, protocol, {member: events, **others}, "rid")
    assert dict(reply.headers)["Content-Type"] == "application/vnd.amazon.eventstream"
    seen = parsed(operation, protocol, reply)
    return seen, list(seen[member])


def test_model_output_parts_arrive_as_bytes() -> None:
    operation = model.operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")
    parts = [{"PayloadPart": {"Bytes": b"one"}}, {"PayloadPart": {"Bytes": b"\x00" * 70_000}}, {"PayloadPart": {}}]
    seen, events = _events(operation, "rest-json", "Body", parts, ContentType="text/csv", InvokedProductionVariant="v")
    assert events == [{"PayloadPart": {"Bytes": b"one"}}, {"PayloadPart": {"Bytes": b"\x00" * 70_000}},
                      {"PayloadPart": {"Bytes": b""}}]
    assert (seen["ContentType"], seen["InvokedProductionVariant"]) == ("text/csv", "v")


def test_frames_leave_one_by_one() -> None:
    operation = model.operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")
    asked: list[int] = []

    def parts() -> Iterator[dict]:
        for number in range(3):
            asked.append(number)
            yield {"PayloadPart": {"Bytes": str(number).encode()}}

    body = iter(wire.write(operation, "rest-json", {"Body": parts()}, "r").body)  # type: ignore[arg-type]
    assert asked == []
    next(body)
    assert asked == [0]


def test_a_client_that_goes_away_closes_the_source() -> None:
    operation = model.operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")
    closed: list[bool] = []

    def parts() -> Iterator[dict]:
        try:
            while True:
                yield {"PayloadPart": {"Bytes": b"x"}}
        finally:
            closed.append(True)

    body: Any = wire.write(operation, "rest-json", {"Body": parts()}, "r").body
    next(body)
    body.close()
    assert closed == [True]


@pytest.mark.parametrize("yielded", [True, False])
def test_a_modelled_error_in_mid_stream_reaches_the_client(yielded: bool) -> None:
    operation = model.operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")

    def parts() -> Iterator[dict]:
        yield {"PayloadPart": {"Bytes": b"x"}}
        if yielded:
            yield {"ModelStreamError": {"Message": "the model died", "ErrorCode": "ModelInvocationTimeExceeded"}}
        else:
            raise AwsError("ModelStreamError", "the model died")

    seen = parsed(operation, "rest-json", wire.write(operation, "rest-json", {"Body": parts()}, "r"))
    stream = iter(seen["Body"])
    assert next(stream) == {"PayloadPart": {"Bytes": b"x"}}
    with pytest.raises(EventStreamError, match="ModelStreamError.*the model died"):
        next(stream)


def test_an_unmodelled_error_in_mid_stream_reaches_the_client() -> None:
    operation = model.operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")

    def parts() -> Iterator[dict]:
        raise AwsError("ThrottlingException", "slow down")
        yield {}

    seen = parsed(operation, "rest-json", wire.write(operation, "rest-json", {"Body": parts()}, "r"))
    with pytest.raises(EventStreamError, match="ThrottlingException.*slow down"):
        list(seen["Body"])


def test_an_rpc_stream_begins_with_its_initial_response() -> None:
    operation = model.operation("logs", "StartLiveTail")
    update = {"sessionMetadata": {"sampled": False},
              "sessionResults": [{"message": "hé", "timestamp": 5, "ingestionTime": 6, "logGroupIdentifier": "g"}]}
    events = [{"sessionStart": {"requestId": "a", "logGroupIdentifiers": ["g"]}}, {"sessionUpdate": update}]
    _, seen = _events(operation, "json", "responseStream", events)
    assert seen == events


def test_s3_select_sends_records_stats_and_end() -> None:
    operation = model.operation("s3", "SelectObjectContent")
    events = [{"Records": {"Payload": b"a,b\n"}}, {"Cont": {}},
              {"Stats": {"Details": {"BytesScanned": 4, "BytesProcessed": 4, "BytesReturned": 4}}}, {"End": {}}]
    _, seen = _events(operation, "rest-xml", "Payload", events)
    assert seen == events


@pytest.mark.parametrize("protocol", ["json", "rest-json", "smithy-rpc-v2-cbor"])
def test_headers_and_payloads_of_events_keep_their_types(protocol: str) -> None:
    operation = _service(protocol).operation_model("Watch")
    when = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    events = [{"typed": {"text": "é", "yes": True, "no": False, "number": -7, "big": 2**40, "bytes": b"\x00\x01",
                         "when": when, "body": {"a": "b"}}},
              {"plain": {"a": "only a body"}}, {"words": {"said": "hello"}}]
    _, seen = _events(operation, protocol, "stream", events)
    shape = operation.output_shape.members["stream"]  # type: ignore[union-attr]
    assert canonical(shape, seen) == canonical(shape, events)


def _service(protocol: str) -> ServiceModel:
    def header(shape: str) -> dict[str, Any]:
        return {"shape": shape, "eventheader": True}

    shapes: dict[str, Any] = {
        "Output": {"type": "structure", "members": {"stream": {"shape": "Stream"}}},
        "Stream": {"type": "structure", "eventstream": True, "members": {
            "typed": {"shape": "Typed"}, "plain": {"shape": "Plain"}, "words": {"shape": "Words"}}},
        "Typed": {"type": "structure", "event": True, "members": {
            "text": header("Text"), "yes": header("Bool"), "no": header("Bool"), "number": header("Int"),
            "big": header("Long"), "bytes": header("Blob"), "when": header("Time"),
            "body": {"shape": "Inner", "eventpayload": True}}},
        "Plain": {"type": "structure", "event": True, "members": {"a": {"shape": "Text"}}},
        "Words": {"type": "structure", "event": True, "members": {"said": {"shape": "Text", "eventpayload": True}}},
        "Inner": {"type": "structure", "members": {"a": {"shape": "Text"}}},
        "Text": {"type": "string"}, "Bool": {"type": "boolean"}, "Int": {"type": "integer"}, "Long": {"type": "long"},
        "Blob": {"type": "blob"}, "Time": {"type": "timestamp"}}
    if protocol == "rest-json":
        shapes["Output"]["payload"] = "stream"
    operation = {"name": "Watch", "http": {"method": "POST", "requestUri": "/"}, "output": {"shape": "Output"}}
    metadata = {"protocol": protocol, "protocols": [protocol], "apiVersion": "2024-01-01", "jsonVersion": "1.1"}
    return ServiceModel({"metadata": metadata, "operations": {"Watch": operation}, "shapes": shapes}, "watcher")
