"""Errors on the wire: botocore reads the right code, message and further members out of what we write, per protocol."""

from __future__ import annotations

import json

import pytest

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Reply, Request
from sagewright.gateway import wire, wire_cbor
from tests.wire.shapes import body_of, parsed

# service, operation, protocol, error, the code that clients see, the status
ERRORS = [
    ("sagemaker", "DescribeTrainingJob", "json", AwsError("ValidationException", "Requested resource not found"),
     "ValidationException", 400),
    ("sagemaker", "DescribeDomain", "json", AwsError("ResourceNotFound", "no"), "ResourceNotFound", 400),
    ("logs", "GetLogEvents", "json", AwsError("ResourceNotFoundException", "no"), "ResourceNotFoundException", 400),
    ("kms", "Decrypt", "json", AwsError("NotFoundException", "no key"), "NotFoundException", 400),
    ("sagemaker-runtime", "InvokeEndpoint", "rest-json",
     AwsError("ModelError", "Received server error (500)", fields={"OriginalStatusCode": 500, "OriginalMessage": "x",
                                                                  "LogStreamArn": "arn"}), "ModelError", 424),
    ("sagemaker-runtime", "InvokeEndpoint", "rest-json", AwsError("ValidationError", "no"), "ValidationError", 400),
    ("lambda", "GetFunction", "rest-json",
     AwsError("ResourceNotFoundException", "Function not found", fields={"Type": "User"}),
     "ResourceNotFoundException", 404),
    ("iam", "GetRole", "query", AwsError("NoSuchEntity", "The role with name x cannot be found."), "NoSuchEntity", 404),
    ("iam", "GetRole", "query", AwsError("NoSuchEntityException", "by shape name"), "NoSuchEntity", 404),
    ("sts", "AssumeRole", "query", AwsError("AccessDenied", "not <allowed> & \"so\"", 403), "AccessDenied", 403),
    ("cloudwatch", "GetMetricData", "query", AwsError("InvalidParameterValue", "no"), "InvalidParameterValue", 400),
    ("s3", "GetObject", "rest-xml",
     AwsError("NoSuchKey", "The specified key does not exist.", 404, fields={"Key": "a b&c"}), "NoSuchKey", 404),
    ("sagemaker", "DescribeModel", "json", AwsError("InternalFailure", "sorry", 500), "InternalFailure", 500),
]


@pytest.mark.parametrize(("service", "operation", "protocol", "error", "code", "status"), ERRORS)
def test_botocore_reads_the_error(service: str, operation: str, protocol: str, error: AwsError, code: str,
                                  status: int) -> None:
    found = model.operation(service, operation)
    reply = wire.write_error(found, None, protocol, error, "rid-1")
    seen = parsed(found, protocol, reply)
    assert (seen["Error"]["Code"], seen["Error"]["Message"], reply.status) == (code, error.message, status)
    assert seen["ResponseMetadata"]["RequestId"] == "rid-1"


def _headers(reply: Reply) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers}


def test_json_names_the_message_as_the_shape_does() -> None:
    operation = model.operation("sagemaker", "CreateModel")
    def body(code: str) -> dict:
        return json.loads(body_of(wire.write_error(operation, None, "json", AwsError(code, "m"), "r")))

    assert body("ResourceLimitExceeded") == {"__type": "ResourceLimitExceeded", "Message": "m"}
    assert body("ValidationException") == {"__type": "ValidationException", "message": "m"}
    assert body("AccessDeniedException") == {"__type": "AccessDeniedException", "Message": "m"}


def test_a_serialization_error_without_words_has_none() -> None:
    reply = wire.write_error(None, model.model("sagemaker"), "json", AwsError("SerializationException"), "r")
    assert json.loads(body_of(reply)) == {"__type": "SerializationException"}


def test_members_of_a_modelled_error_reach_the_client() -> None:
    operation = model.operation("sagemaker-runtime", "InvokeEndpoint")
    error = AwsError("ModelError", "m", fields={"OriginalStatusCode": 503, "OriginalMessage": "o", "LogStreamArn": "a"})
    reply = wire.write_error(operation, None, "rest-json", error, "r")
    shape = operation.service_model.shape_for_error_code("ModelError")
    seen = parsed(operation, "rest-json", reply, shape)
    assert seen == {"Message": "m", "OriginalStatusCode": 503, "OriginalMessage": "o", "LogStreamArn": "a"}
    assert _headers(reply)["x-amzn-errortype"] == "ModelError"


def test_members_that_no_model_has_still_reach_the_client() -> None:
    error = AwsError("InvalidRequestException", "m", fields={"AthenaErrorCode": "INVALID_INPUT"})
    reply = wire.write_error(model.operation("athena", "GetWorkGroup"), None, "json", error, "r")
    assert json.loads(body_of(reply))["AthenaErrorCode"] == "INVALID_INPUT"


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor"])
def test_services_that_were_query_tell_the_old_code(protocol: str) -> None:
    operation = model.operation("cloudwatch", "GetDashboard")
    error = AwsError("DashboardNotFoundError", "no dashboard")
    reply = wire.write_error(operation, None, protocol, error, "r", query_mode=True)
    assert _headers(reply)["x-amzn-query-error"] == "ResourceNotFound;Sender"
    assert reply.status == 404
    seen = parsed(operation, protocol, reply)
    assert seen["Error"]["Code"] == "ResourceNotFound" and seen["Error"]["QueryErrorCode"] == "DashboardNotFoundError"
    silent = wire.write_error(operation, None, protocol, error, "r")
    assert "x-amzn-query-error" not in _headers(silent)


def test_sqs_tells_the_old_code_under_either_name() -> None:
    operation = model.operation("sqs", "GetQueueUrl")
    for code in ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"):
        reply = wire.write_error(operation, None, "json", AwsError(code, "no queue"), "r", query_mode=True)
        assert _headers(reply)["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
        assert json.loads(body_of(reply))["__type"] == "QueueDoesNotExist"


def test_cbor_errors_are_cbor() -> None:
    operation = model.operation("cloudwatch", "ListMetrics")
    reply = wire.write_error(operation, None, "smithy-rpc-v2-cbor", AwsError("ValidationError", "no"), "r")
    assert wire_cbor.parse(body_of(reply)) == {"__type": "ValidationException", "message": "no"}
    sent = _headers(reply)
    assert (sent["content-type"], sent["smithy-protocol"]) == ("application/cbor", "rpc-v2-cbor")


def test_s3_errors_have_their_own_form() -> None:
    error = AwsError("NoSuchBucket", "The specified bucket does not exist", 404, fields={"BucketName": "b<"})
    reply = wire.write_error(model.operation("s3", "ListObjects"), None, "rest-xml", error, "rid")
    text = body_of(reply).decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code><Message>')
    assert "<BucketName>b&lt;</BucketName><RequestId>rid</RequestId><HostId>" in text
    assert _headers(reply)["x-amz-request-id"] == "rid" and _headers(reply)["x-amz-id-2"]
    assert _headers(reply)["content-type"] == "application/xml"


def test_query_errors_say_whose_fault_it_was() -> None:
    operation = model.operation("iam", "GetRole")
    theirs = body_of(wire.write_error(operation, None, "query", AwsError("NoSuchEntity", "x"), "rid")).decode()
    ours = body_of(wire.write_error(operation, None, "query", AwsError("ServiceFailure", "x", 500), "rid")).decode()
    assert '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>' in theirs
    assert "<Type>Receiver</Type>" in ours and theirs.endswith("<RequestId>rid</RequestId></ErrorResponse>")


def test_what_xml_cannot_hold_does_not_spoil_an_error() -> None:
    for service, operation, protocol in (("iam", "GetRole", "query"), ("s3", "GetObject", "rest-xml")):
        found = model.operation(service, operation)
        reply = wire.write_error(found, None, protocol, AwsError("Bad", "a\x01\r\ud800\ufffe<b>"), "r")
        assert parsed(found, protocol, reply)["Error"]["Message"] == "a\ufffd\r\ufffd\ufffd<b>"


def test_an_error_before_the_service_is_known_is_still_an_error() -> None:
    for protocol in ("json", "rest-json", "rest-xml", "query", "smithy-rpc-v2-cbor"):
        reply = wire.write_error(None, None, protocol, AwsError("UnknownOperationException", "what?"), "rid")
        operation = model.operation("sagemaker", "ListModels")
        assert parsed(operation, protocol, reply)["Error"]["Code"] == "UnknownOperationException"


# -- requests that cannot be read --------------------------------------------------------------------------------------
NOT_A_REQUEST = [
    (b'{"TrainingJobName": 1}', "NUMBER_VALUE can not be converted to a String"),
    (b'{"TrainingJobName": true}', "TRUE_VALUE can not be converted to a String"),
    (b'{"TrainingJobName": ["x"]}', "Start of list found where not expected"),
    (b'{"TrainingJobName": {}}', "Start of structure or map found where not expected."),
    (b'{"ResourceConfig": {"InstanceCount": "1"}}', "STRING_VALUE can not be converted to an Integer"),
    (b'{"ResourceConfig": "x"}', "Expected null"),
    (b'{"ResourceConfig": []}', "Start of list found where not expected"),
    (b'{"Tags": "x"}', "Expected list or null"),
    (b'{"Tags": {}}', "Start of structure or map found where not expected."),
    (b'{"HyperParameters": "x"}', "Expected map or null"),
    (b'{"EnableNetworkIsolation": "true"}', "STRING_VALUE can not be converted to a Boolean"),
    (b"[]", "Start of list found where not expected"),
    (b"", ""), (b"{", ""), (b"null", ""), (b'"x"', ""), (b'{"a": 1,}', ""), (b"\xff\xfe{}", ""), (b'{"a": NaN}', ""),
    (b'{"HyperParameters": {"a": "\\ud800"}}', ""),
    (b"[" * 100_000, ""), (b'{"a":' * 100_000, ""), (b'{"a": ' + b"9" * 10_000 + b"}", ""),
]


@pytest.mark.parametrize(("body", "message"), NOT_A_REQUEST)
def test_json_that_does_not_fit_is_a_serialization_exception(body: bytes, message: str) -> None:
    with pytest.raises(AwsError) as raised:
        wire.read(model.operation("sagemaker", "CreateTrainingJob"), "json", _request(), body, {})
    assert (raised.value.code, raised.value.message, raised.value.status) == ("SerializationException", message, 400)


def _request(query: str = "", **headers: str) -> Request:
    return Request("POST", "/", query, Headers(headers.items()))


def test_nulls_and_unknown_members_are_as_good_as_absent() -> None:
    body = b'{"TrainingJobName": null, "Nonsense": {"a": [1]}, "RoleArn": "r"}'
    operation = model.operation("sagemaker", "CreateTrainingJob")
    assert wire.read(operation, "json", _request(), body, {}) == {"RoleArn": "r"}


def test_numbers_too_large_for_their_type_stay_too_large() -> None:
    body = b'{"ResourceConfig": {"InstanceCount": 99999999999999999999999, "VolumeSizeInGB": 1.9}}'
    params = wire.read(model.operation("sagemaker", "CreateTrainingJob"), "json", _request(), body, {})
    assert params["ResourceConfig"] == {"InstanceCount": 2**31 - 1, "VolumeSizeInGB": 1}


def test_structures_nested_without_end_are_refused_not_followed() -> None:
    operation = model.operation("sagemaker", "Search")
    with pytest.raises(AwsError) as raised:
        wire.read(operation, "json", _request(), b'{"SearchExpression":' + b'{"SubExpressions":[' * 50_000, {})
    assert raised.value.code == "SerializationException"
    nested = b'{"SearchExpression":' + b'{"SubExpressions":[' * 3000 + b"]}" * 3000 + b"}"
    with pytest.raises(AwsError) as raised:
        wire.read(operation, "json", _request(), nested, {})
    assert raised.value.code == "SerializationException"


@pytest.mark.parametrize("body", [
    b"<Delete>", b"not xml", b"<Other><Object><Key>k</Key></Object></Other>",
    b'<!DOCTYPE x [<!ENTITY a "b">]><Delete/>', b"<Delete><Quiet>perhaps</Quiet></Delete>",
    b"\xff\xff<Delete/>", b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
])
def test_xml_that_does_not_fit_is_malformed(body: bytes) -> None:
    with pytest.raises(AwsError) as raised:
        wire.read(model.operation("s3", "DeleteObjects"), "rest-xml", _request("delete"), body, {"Bucket": "b"})
    assert raised.value.code == "MalformedXML"


def test_xml_nested_without_end_does_not_bring_us_down() -> None:
    body = b"<Delete>" + b"<Object>" * 200_000 + b"</Object>" * 200_000 + b"</Delete>"
    params = wire.read(model.operation("s3", "DeleteObjects"), "rest-xml", _request("delete"), body, {"Bucket": "b"})
    assert params["Delete"] == {"Objects": [{}]}


@pytest.mark.parametrize("body", [
    b"", b"\x9f", b"\xbf" * 50_000, b"\x81" * 50_000, b"\xa1",
    b"\x7b\xff\xff\xff\xff\xff\xff\xff\xffx", b"\x9b" + b"\xff" * 8,
    b"\xa1\x80\x01", b"\xc0\x61a", b"\x62\xff\xff", b"\xf8\x01", b"\x01", b"\xa0\x00", b"\xa1\x69Namespace\x01",
])
def test_cbor_that_does_not_fit_is_a_serialization_exception(body: bytes) -> None:
    operation = model.operation("cloudwatch", "ListMetrics")
    if not body:
        assert wire.read(operation, "smithy-rpc-v2-cbor", _request(), body, {}) == {}
        return
    with pytest.raises(AwsError) as raised:
        wire.read(operation, "smithy-rpc-v2-cbor", _request(), body, {})
    assert raised.value.code == "SerializationException"


@pytest.mark.parametrize(("body", "code"), [
    (b"Action=GetMetricData&MaxDatapoints=many", "ValidationError"),
    (b"Action=GetMetricData&StartTime=yesterday", "ValidationError"),
    (b"Action=GetMetricData&" + b"a=1&" * 200_000, "ValidationError"),
    (b"\xff\xfe", "ValidationError"),
])
def test_forms_that_do_not_fit_are_refused_with_a_common_error(body: bytes, code: str) -> None:
    with pytest.raises(AwsError) as raised:
        wire.read(model.operation("cloudwatch", "GetMetricData"), "query", _request(), body, {})
    assert raised.value.code == code


def test_a_form_with_endless_dots_is_read_only_as_deep_as_a_model_goes() -> None:
    body = b"Action=ListMetrics&Dimensions" + b".member.1" * 50_000 + b"=x&Namespace=n"
    params = wire.read(model.operation("cloudwatch", "ListMetrics"), "query", _request(), body, {})
    assert params["Namespace"] == "n"


def test_s3_names_an_argument_that_is_none() -> None:
    with pytest.raises(AwsError) as raised:
        wire.read(model.operation("s3", "ListObjectsV2"), "rest-xml", _request("max-keys=many"), b"", {"Bucket": "b"})
    assert raised.value.code == "InvalidArgument"
    assert raised.value.message == "Provided max-keys not an integer or within integer range"
    assert raised.value.fields == {"ArgumentName": "max-keys", "ArgumentValue": "many"}


def test_a_condition_with_an_invalid_date_is_no_condition() -> None:
    request = Request("GET", "/b/k", "", Headers([("If-Modified-Since", "yesterday"), ("If-Match", "e")]))
    params = wire.read(model.operation("s3", "GetObject"), "rest-xml", request, b"", {"Bucket": "b", "Key": "k"})
    assert params == {"Bucket": "b", "Key": "k", "IfMatch": "e"}


def test_s3_wants_the_body_that_an_operation_is_about() -> None:
    with pytest.raises(AwsError, match="MissingRequestBodyError: Request Body is empty"):
        wire.read(model.operation("s3", "PutBucketTagging"), "rest-xml", _request("tagging"), b"", {"Bucket": "b"})
