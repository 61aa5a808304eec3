"""botocore as the oracle on real models: what it serialises we read back, what we write it parses back.

Values are generated from the shapes of every operation of the services below (SageMaker's in full), so that each member
of each shape travels at least once.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import pytest
from botocore.model import OperationModel

from sagewright.core import model
from sagewright.core.http import FileSlice, Headers, Request
from sagewright.gateway import wire
from tests.wire.shapes import Values, body_of, canonical, parsed, request_of

SERVICES = ("sagemaker", "s3", "iam", "sts", "logs", "cloudwatch", "kms", "ecr", "sagemaker-runtime",
            "sagemaker-featurestore-runtime", "sagemaker-metrics", "lambda", "sns", "sqs", "events", "scheduler")
# GetBucketLocation's bare answer is unwrapped by a handler of the client, not by its parser.
UNREADABLE_BY_PARSER = {("s3", "GetBucketLocation")}
# The old form of bucket notifications gives two members of a structure the same name on the wire.
AMBIGUOUS = {("s3", "GetBucketNotification"), ("s3", "PutBucketNotification")}


def _speaks(service: str) -> list[str]:
    return list(model.model(service).metadata["protocols"])


CASES = [(service, protocol) for service in SERVICES for protocol in _speaks(service)]


def _operations(service: str) -> list[OperationModel]:
    return list(model.operations(service))


@pytest.mark.parametrize(("service", "protocol"), CASES)
def test_what_botocore_sends_is_read_back(service: str, protocol: str) -> None:
    for operation in _operations(service):
        shape = operation.input_shape
        if shape is None or (service, operation.name) in AMBIGUOUS:
            continue
        for seed in range(3):
            params = Values(seed * 1000 + zlib.crc32(operation.name.encode()), protocol).of(shape) or {}
            _say_something_in_labels(operation, params)
            request, body, labels = request_of(operation, protocol, params)
            seen = wire.read(operation, protocol, request, body, labels)
            assert canonical(shape, seen) == canonical(shape, _sent(operation, protocol, params)), operation.name


def _say_something_in_labels(operation: OperationModel, params: dict[str, Any]) -> None:
    """Labels must not be empty; neither must headers, nor have spaces around them."""
    assert operation.input_shape is not None
    for name, member in operation.input_shape.members.items():
        if member.serialization.get("location") == "uri" and member.type_name == "string" and not member.enum:
            params[name] = "a label/of +all&kinds=é"
        if member.serialization.get("location") == "header" and isinstance(params.get(name), str):
            params[name] = params[name].strip() or "x"
        if member.serialization.get("hostLabel"):
            params[name] = "a-host"


def _sent(operation: OperationModel, protocol: str, params: dict[str, Any]) -> dict[str, Any]:
    """What is left of params on the wire: an empty string payload is an empty body, which says nothing."""
    shape = operation.input_shape
    assert shape is not None
    payload = shape.serialization.get("payload")
    if payload and params.get(payload) == "" and payload not in shape.required_members:
        return {name: value for name, value in params.items() if name != payload}
    return params


@pytest.mark.parametrize(("service", "protocol"), CASES)
def test_what_we_write_is_parsed_back(service: str, protocol: str) -> None:
    for operation in _operations(service):
        shape = operation.output_shape
        skipped = (service, operation.name) in UNREADABLE_BY_PARSER | AMBIGUOUS
        if shape is None or operation.has_event_stream_output or skipped:
            continue
        for seed in range(3):
            result = Values(seed * 1000 + zlib.crc32(operation.name.encode()), protocol).of(shape) or {}
            _status_is_good(operation, result)
            reply = wire.write(operation, protocol, result, "rid-1")
            seen = parsed(operation, protocol, reply)
            assert seen["ResponseMetadata"]["RequestId"] == "rid-1", operation.name
            expected = canonical(shape, result)
            assert _without_empty(canonical(shape, seen)) == _without_empty(expected), operation.name


def _status_is_good(operation: OperationModel, result: dict[str, Any]) -> None:
    assert operation.output_shape is not None
    for name, member in operation.output_shape.members.items():
        if member.serialization.get("location") == "statusCode":
            result[name] = 202
        if member.serialization.get("location") == "header" and isinstance(result.get(name), str):
            result[name] = result[name].strip()


def _without_empty(result: dict[str, Any]) -> dict[str, Any]:
    """Top-level members that say something: an absent header map or payload reads as an empty one."""
    return {name: value for name, value in result.items() if value not in ({}, "", b"", None, [])}


def _operation(service: str, name: str) -> OperationModel:
    return model.operation(service, name)


def test_a_streaming_request_body_is_handed_on_unread() -> None:
    operation = _operation("s3", "PutObject")
    body = io.BytesIO(b"x" * 10)
    request = Request("PUT", "/b/k", "", Headers([("content-length", "10"), ("x-amz-meta-Colour", "blue")]))
    params = wire.read(operation, "rest-xml", request, body, {"Bucket": "b", "Key": "k"})
    assert params["Body"] is body and body.tell() == 0
    assert params["ContentLength"] == 10 and params["Metadata"] == {"colour": "blue"}
    assert wire.streams(operation) and not wire.streams(_operation("sagemaker-runtime", "InvokeEndpoint"))


def test_a_payload_may_be_bytes_a_file_slice_a_file_or_chunks() -> None:
    operation = _operation("s3", "GetObject")
    piece = FileSlice("/nowhere", 3, 4)
    assert wire.write(operation, "rest-xml", {"Body": piece}, "r").body is piece
    for body in (b"hello", io.BytesIO(b"hello"), iter([b"hel", b"lo"]), "hello"):
        reply = wire.write(operation, "rest-xml", {"Body": body, "ContentLength": 5, "ContentType": "text/csv"}, "r")
        assert body_of(reply) == b"hello"
        assert [value for name, value in reply.headers if name.lower() == "content-type"] == ["text/csv"]


def test_a_file_payload_is_closed_after_it_was_sent() -> None:
    source = io.BytesIO(b"hello")
    body_of(wire.write(_operation("s3", "GetObject"), "rest-xml", {"Body": source}, "r"))
    assert source.closed


def test_the_status_can_be_set_by_the_handler() -> None:
    assert wire.write(_operation("s3", "GetObject"), "rest-xml", {"Body": b"x"}, "r", raw_status=206).status == 206


def test_the_answers_of_s3_have_the_roots_that_aws_sends() -> None:
    expected: dict[str, tuple[dict[str, Any], bytes]] = {
        "ListBuckets": ({"Buckets": [{"Name": "b", "CreationDate": 0}]}, b"<ListAllMyBucketsResult xmlns="),
        "ListObjectsV2": ({"Name": "b", "Contents": [{"Key": "k"}]}, b"<ListBucketResult xmlns="),
        "GetBucketVersioning": ({}, b"<VersioningConfiguration xmlns="),
        "CopyObject": ({"CopyObjectResult": {"ETag": '"e"'}}, b"<CopyObjectResult xmlns="),
        "GetBucketLocation": ({"LocationConstraint": "eu-west-1"},
                              b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</'),
    }
    for name, (result, root) in expected.items():
        body = body_of(wire.write(_operation("s3", name), "rest-xml", result, "r"))
        assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n' + root), name
    listed = body_of(wire.write(_operation("s3", "ListBuckets"), "rest-xml", expected["ListBuckets"][0], "r"))
    assert b"<CreationDate>1970-01-01T00:00:00.000Z</CreationDate>" in listed


def test_header_values_cannot_break_out_of_their_line() -> None:
    reply = wire.write(_operation("s3", "GetObject"), "rest-xml",
                       {"ContentDisposition": "a\r\nSet-Cookie: x", "Metadata": {"k": "v\nw", "u": "ü€"}}, "r")
    for _, value in reply.headers:
        assert "\r" not in value and "\n" not in value
        value.encode("latin-1")


@pytest.mark.parametrize(("service", "headers", "query", "protocol"), [
    ("cloudwatch", {"smithy-protocol": "rpc-v2-cbor"}, "", "smithy-rpc-v2-cbor"),
    ("cloudwatch", {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics"}, "", "json"),
    ("cloudwatch", {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, "", "query"),
    ("cloudwatch", {}, "Action=ListMetrics&Version=2010-08-01", "query"),
    ("sqs", {"X-Amz-Target": "AmazonSQS.ListQueues"}, "", "json"),
    ("sqs", {"content-type": "application/x-www-form-urlencoded"}, "", "query"),
    ("iam", {"content-type": "application/x-www-form-urlencoded"}, "", "query"),
    ("sagemaker", {"X-Amz-Target": "SageMaker.ListModels"}, "", "json"),
    ("s3", {}, "list-type=2", "rest-xml"),
    ("sagemaker-runtime", {"content-type": "text/csv"}, "", "rest-json"),
])
def test_the_protocol_is_told_by_the_headers(service: str, headers: dict, query: str, protocol: str) -> None:
    request = Request("POST", "/", query, Headers(headers.items()))
    assert wire.protocol_for(model.model(service), request) == protocol


@pytest.mark.parametrize(("service", "operation", "protocol", "result"), [
    ("sagemaker", "DescribeTrainingJob", "json", {"BillableTimeInSeconds": 5.0, "LastModifiedTime": 1.0}),
    ("cloudwatch", "DescribeAlarms", "smithy-rpc-v2-cbor", {"MetricAlarms": [{"Period": 60.0, "Threshold": 1}]}),
    ("cloudwatch", "DescribeAlarms", "query", {"MetricAlarms": [{"Period": 60.0, "Threshold": 1}]}),
])
def test_whole_numbers_are_written_whole(service: str, operation: str, protocol: str, result: dict) -> None:
    found = _operation(service, operation)
    reply = wire.write(found, protocol, result, "r")
    assert canonical(found.output_shape, parsed(found, protocol, reply)) == canonical(found.output_shape, result)
    assert b"5.0" not in body_of(reply) and b"60.0" not in body_of(reply)


def test_repeated_metadata_headers_are_joined() -> None:
    request = Request("PUT", "/b/k", "", Headers([("x-amz-meta-a", "1"), ("x-amz-meta-A", "2"), ("x-amz-meta-b", "3")]))
    params = wire.read(_operation("s3", "PutObject"), "rest-xml", request, b"", {"Bucket": "b", "Key": "k"})
    assert params["Metadata"] == {"a": "1,2", "b": "3"}


def test_absent_members_are_left_out() -> None:
    reply = wire.write(_operation("sagemaker", "DescribeModel"), "json",
                       {"ModelName": "m", "ExecutionRoleArn": None, "VpcConfig": None, "Unmodelled": 1}, "r")
    assert body_of(reply) == b'{"ModelName":"m"}'
