"""Which operation a request is for: every operation of every service as botocore sends it, and what else may arrive."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import OperationModel

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import route
from tests.wire.shapes import Values, request_of

# Deprecated twins and operations of directory buckets: one path, two names, and S3 itself answers the other.
TWINS = {"GetBucketLifecycle": "GetBucketLifecycleConfiguration", "PutBucketLifecycle":
         "PutBucketLifecycleConfiguration", "GetBucketNotification": "GetBucketNotificationConfiguration",
         "PutBucketNotification": "PutBucketNotificationConfiguration", "ListDirectoryBuckets": "ListBuckets"}
ELSEWHERE = {"WriteGetObjectResponse"}  # has a host of its own, of Object Lambda
CASES = [(service, protocol) for service in route.SIGNING_NAME
         for protocol in model.model(service).metadata["protocols"]]


def scope(signing: str, region: str = "eu-west-1") -> str:
    return f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/{region}/{signing}/aws4_request, SignedHeaders=host, Signature=x"


def asked(method: str = "POST", path: str = "/", query: str = "", host: str = "localhost:4566",
          **headers: str) -> Request:
    pairs = [("host", host), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return Request(method, path, query, Headers(pairs))


def minimal(operation: OperationModel) -> dict[str, Any]:
    """The required params of an operation, plain enough for a path."""
    params = Values(7, "").of(operation.input_shape) or {} if operation.input_shape else {}
    required = operation.input_shape.required_members if operation.input_shape else []
    kept = {name: value for name, value in params.items() if name in required}
    for name, member in model.members(operation.input_shape).items():
        if member.serialization.get("location") == "uri" and member.type_name == "string" and not member.enum:
            kept[name] = "some-thing"
    return kept


def with_scope(request: Request, signing: str) -> Request:
    request.headers = Headers([("host", "localhost:4566"), *request.headers.pairs, ("authorization", scope(signing))])
    return request


@pytest.mark.parametrize(("service", "protocol"), CASES)
def test_every_operation_arrives_as_what_it_was_sent_as(service: str, protocol: str) -> None:
    for operation in model.operations(service):
        if operation.name in ELSEWHERE and service == "s3":
            continue
        request, body, _ = request_of(operation, protocol, minimal(operation))
        found = route.resolve(with_scope(request, model.signing_name(service)), body)
        wanted = TWINS.get(operation.name, operation.name) if service == "s3" else operation.name
        assert (found.service, found.operation) == (service, wanted), (operation.name, request.raw_path, request.query)
        assert found.signing == model.signing_name(service)


def test_labels_are_decoded_once() -> None:
    found = route.resolve(asked("POST", "/endpoints/a%2Fb%2525/invocations", authorization=scope("sagemaker")), b"")
    assert found.operation == "InvokeEndpoint" and found.labels == {"EndpointName": "a/b%25"}


@pytest.mark.parametrize("headers, region_and_name", [
    ({"authorization": scope("sagemaker")}, ("eu-west-1", "sagemaker")),
    ({"authorization": "AWS4-HMAC-SHA256 Credential=AKIA/with/slashes/20260101/us-east-1/s3/aws4_request"},
     ("us-east-1", "s3")),
    ({"authorization": "AWS4-HMAC-SHA256 Credential=AKIA"}, ("", "")), ({"authorization": "Basic eDp5"}, ("", "")),
    ({}, ("", ""))])
def test_the_scope_is_read_from_the_header(headers: dict[str, str], region_and_name: tuple[str, str]) -> None:
    assert route.scope_of(asked(**headers)) == region_and_name


def test_the_scope_is_read_from_a_presigned_query() -> None:
    query = urlencode({"X-Amz-Credential": "AKIA/20260101/ap-south-1/sts/aws4_request"})
    assert route.scope_of(asked(query=query)) == ("ap-south-1", "sts")


FORM = "application/x-www-form-urlencoded; charset=utf-8"


@pytest.mark.parametrize("request_, body, service, operation", [
    (asked(x_amz_target="SageMaker.ListModels"), b"{}", "sagemaker", "ListModels"),
    (asked(x_amz_target=" SageMaker.ListModels "), b"{}", "sagemaker", "ListModels"),
    (asked(query="Action=GetCallerIdentity&Version=2011-06-15"), b"", "sts", "GetCallerIdentity"),
    (asked(content_type=FORM), b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15", "sts",
     "AssumeRoleWithWebIdentity"),
    (asked(content_type=FORM), b"Action=ListUsers&Version=2010-05-08", "iam", "ListUsers"),
    (asked(host="sts.us-west-2.amazonaws.com", content_type=FORM), b"Action=GetCallerIdentity", "sts",
     "GetCallerIdentity"),
    (asked("GET", "/bucket/key"), b"", "s3", "GetObject"),
    (asked("GET", "/bucket/key", host="s3.eu-west-1.amazonaws.com"), b"", "s3", "GetObject"),
    (asked("POST", "/endpoints/e/invocations", host="runtime.sagemaker.us-west-2.amazonaws.com"), b"{}",
     "sagemaker-runtime", "InvokeEndpoint"),
    (asked("POST", "/endpoints/e/invocations"), b"{}", "sagemaker-runtime", "InvokeEndpoint")])
def test_an_unsigned_request_is_placed_by_target_host_or_form(request_: Request, body: bytes, service: str,
                                                              operation: str) -> None:
    found = route.resolve(request_, body)
    assert (found.service, found.operation) == (service, operation)


@pytest.mark.parametrize("request_, body, code", [
    (asked(x_amz_target="SageMaker.MakeCoffee"), b"{}", "UnknownOperationException"),
    (asked(x_amz_target="Nobody_1999.ListModels"), b"{}", "UnknownOperationException"),
    (asked(x_amz_target="SageMaker"), b"{}", "UnknownOperationException"),
    (asked(x_amz_target="."), b"{}", "UnknownOperationException"),
    (asked(authorization=scope("dynamodb")), b"{}", "UnrecognizedClientException"),
    (asked(authorization=scope("iam")), b"", "MissingAction"),
    (asked(authorization=scope("iam"), query="Action=MakeCoffee"), b"", "InvalidAction"),
    (asked(authorization=scope("iam"), query="Action="), b"", "MissingAction"),
    (asked(authorization=scope("sagemaker")), b"{}", "UnknownOperationException"),
    (asked("PATCH", "/endpoints/e/invocations", authorization=scope("sagemaker")), b"", "UnknownOperationException"),
    (asked(path="/service/Nobody/operation/X", smithy_protocol="rpc-v2-cbor"), b"", "UnknownOperationException"),
    (asked(path="/service/GraniteServiceVersion20100801/operation/X", smithy_protocol="rpc-v2-cbor"), b"",
     "UnknownOperationException"),
    (asked(path="/", smithy_protocol="rpc-v2-cbor"), b"", "UnknownOperationException"),
    (asked("BREW", "/bucket/key"), b"", "MethodNotAllowed")])
def test_what_leads_nowhere_is_refused_as_a_client_error(request_: Request, body: bytes, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        route.resolve(request_, body)
    assert refused.value.code == code and refused.value.status in (400, 404, 405)


def test_a_form_with_a_hundred_thousand_fields_is_refused() -> None:
    body = "&".join(f"f{n}=1" for n in range(100_000)).encode()
    with pytest.raises(AwsError) as refused:
        route.resolve(asked(authorization=scope("iam"), content_type=FORM), body)
    assert refused.value.status == 400 and "too many fields" in refused.value.message


def test_a_form_that_is_not_utf8_is_no_fault() -> None:
    found = route.resolve(asked(authorization=scope("iam"), content_type=FORM), b"Action=ListUsers&x=\xff\xfe")
    assert found.operation == "ListUsers"
