"""The official protocol vectors: our reader turns `serialized` into `params`, our writer `result` into `response`.

The vectors are written for clients. An answer passes when it is the same JSON, CBOR or XML as the vector's; where the
vector shows something that only a client must tolerate (TOLERANCE), our answer must still be read by botocore as the
vector's `result`. EXCLUDED names what does not apply to a server at all, with the reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from botocore.model import OperationModel, ServiceModel

from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import wire, wire_cbor
from tests.wire.shapes import body_of, canonical, from_base64, labels, load, parsed

VECTORS = Path(__file__).parents[3] / "shared" / "conformance" / "vectors" / "protocols"
_GZIP = "the chain undoes Content-Encoding before it reads; the vector shows no body to read"
_TOKEN = "the vector shows the client filling in a token that its params lack"
_EMPTY = "absent and empty look the same on the wire"
_QUERY_MAP = "a map of all query parameters: the vectors disagree on whether it holds those that members name as well"
_RENAMED = "shape-level and member-level names cannot be told apart in botocore's model; no service here has the case"
_FIXTURE = "the fixture gives the JSON text of a jsonvalue where botocore's params hold the value"

# Vectors that do not apply, or that botocore itself excludes because its model cannot express them.
EXCLUDED: dict[str, str] = {
    **{f"{kind}_{protocol}": _GZIP
       for kind in ("SDKAppliedContentEncoding", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding",
                    "SDKAppendedGzipAfterProvidedEncoding")
       for protocol in ("ec2Query", "awsJson1_1", "awsJson1_0", "awsQuery", "restJson1", "restXml")},
    **dict.fromkeys(("Ec2ProtocolIdempotencyTokenAutoFill", "QueryProtocolIdempotencyTokenAutoFill",
                     "RestJsonQueryIdempotencyTokenAutoFill", "QueryIdempotencyTokenAutoFill"), _TOKEN),
    **dict.fromkeys(("Ec2EmptyQueryLists", "QueryEmptyQueryMaps", "RestJsonHttpPrefixHeadersAreNotPresent",
                     "rest-xml:in:HttpPrefixHeadersAreNotPresent", "RestJsonOmitsEmptyListQueryValues",
                     "RestJsonHttpWithEmptyStructurePayload", "RestJsonHttpWithHeadersButNoPayload",
                     "RestJsonHttpPayloadTraitsWithNoBlobBody:out", "HttpPayloadTraitsWithNoBlobBody:out"), _EMPTY),
    **dict.fromkeys(("RestJsonAllQueryStringTypes", "RestJsonQueryStringEscaping",
                     "RestJsonSupportsNaNFloatQueryValues", "RestJsonSupportsInfinityFloatQueryValues",
                     "RestJsonSupportsNegativeInfinityFloatQueryValues",
                     "RestJsonZeroAndFalseQueryValues", "RestJsonQueryPrecedence",
                     "RestXmlQueryPrecedence"), _QUERY_MAP),
    **dict.fromkeys(("BodyWithXmlName", "RestXmlHttpPayloadWithUnion:out", "HttpPayloadWithXmlName:out",
                     "HttpPayloadWithXmlNamespace:out", "HttpPayloadWithXmlNamespaceAndPrefix:out"), _RENAMED),
    **dict.fromkeys(("MediaTypeHeaderInputBase64", "MediaTypeHeaderOutputBase64"), _FIXTURE),
    "rest-xml:IgnoreQueryParamsInResponse": "an output member placed in the query string; no service here has one",
    "RestJsonIgnoreQueryParamsInResponse": "an output member placed in the query string; no service here has one",
}
_OFFSET = "the vector has a time with an offset; we always write UTC"
_NULLS = "the vector has nulls, a type tag or unknown members for the client to skip; we write none"
_NO_BODY = "the vector has an empty body or an empty object for the client to accept; we write the other of the two"
# Output vectors whose body only a client must be able to read.
TOLERANCE: dict[str, str] = {
    **dict.fromkeys((f"{name}DateTimeWith{sign}Offset"
                     for name in ("Ec2Query", "AwsJson11", "AwsQuery", "RestJson", "RestXml")
                     for sign in ("Negative", "Positive")), _OFFSET),
    **dict.fromkeys(("AwsJson11DeserializeIgnoreType", "AwsJson10DeserializeIgnoreType",
                     "AwsJson10DeserializeAllowNulls", "AwsJson11StructuresDontDeserializeNullValues",
                     "RestJsonDeserializeIgnoreType",
                     "RestJsonDoesntDeserializeNullStructureValues", "RestJsonDeserializesDenseSetMapAndSkipsNull",
                     "RpcV2CborDeserializesDenseSetMapAndSkipsNull", "RpcV2CborPayloadWithUnsetUnion",
                     "RpcV2CborClientDoesntDeserializeNullStructureValues", "handles_unexpected_json_output",
                     "RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients", "AwsJson10HandlesUnexpectedJsonOutput",
                     "SimpleScalarPropertiesWithXMLPreamble"), _NULLS),
    **dict.fromkeys(("handles_empty_output_shape", "AwsJson10HandlesEmptyOutputShape", "QueryEmptyInputAndEmptyOutput",
                     "QueryNoInputAndNoOutput", "QueryNoInputAndOutput", "empty_output_no_body",
                     "NoOutputClientAllowsEmptyCbor", "NoOutputClientAllowsEmptyBody", "RestXmlHttpResponseCode",
                     "RestJsonNoInputAndOutputNoPayload", "RestJsonEmptyInputAndEmptyOutputJsonObjectOutput",
                     "RestJsonGreetingWithErrorsNoPayload", "RestJsonHttpResponseCodeWithNoPayload",
                     "RestJsonIgnoreQueryParamsInResponseNoPayload"), _NO_BODY),
    "AwsJson11IntEnums": "the vector repeats a request header in the answer",
    "parses_the_request_id_from_the_response": "the vector fixes a request id; ours is the caller's",
}
_CLIENT = "we write the vector's body or header, but botocore cannot read it back"
CLIENT_FAULTS: dict[str, str] = dict.fromkeys((
    "Ec2XmlLists", "QueryXmlLists", "XmlLists", "RestJsonInputAndOutputWithQuotedStringHeaders",
    "RestJsonInputAndOutputWithTimestampHeaders", "InputAndOutputWithTimestampHeaders", "HttpPrefixHeadersResponse",
    "RestJsonHttpPayloadWithUnsetUnion", "RestXmlHttpPayloadWithUnsetUnion"), _CLIENT)


def _cases(direction: str) -> list[Any]:
    if not VECTORS.is_dir():
        return []
    found = []
    for path in sorted((VECTORS / direction).glob("*.json")):
        for number, suite in enumerate(load(path)):
            for case in suite["cases"]:
                found.append(pytest.param(suite, case, id=f"{path.stem}-{number}-{case['id']}"))
    return found


needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"the protocol vectors are not at {VECTORS}")


def _operation(suite: dict[str, Any], case: dict[str, Any]) -> tuple[OperationModel, str]:
    given = case["given"]
    if suite["metadata"]["protocol"] == "query" and "output" in given:  # the fixtures leave out what every model has
        given["output"]["resultWrapper"] = f"{given['name']}Result"
    description = {"metadata": suite["metadata"], "operations": {given["name"]: given}, "shapes": suite["shapes"]}
    service = ServiceModel(description, "vectors")
    return service.operation_model(given["name"]), str(suite["metadata"]["protocol"])


def _skip_excluded(case: dict[str, Any], protocol: str, direction: str) -> None:
    name = case["id"]
    for key in (name, f"{protocol}:{name}", f"{name}:{direction}", f"{protocol}:{direction}:{name}"):
        if key in EXCLUDED:
            pytest.skip(EXCLUDED[key])


@needs_vectors
@pytest.mark.parametrize(("suite", "case"), _cases("input"))
def test_a_request_is_read_as_the_vector_says(suite: dict[str, Any], case: dict[str, Any]) -> None:
    operation, protocol = _operation(suite, case)
    _skip_excluded(case, protocol, "in")
    sent = case["serialized"]
    uri = urlsplit(sent.get("uri", "/"))
    text = sent.get("body") or ""
    body = from_base64(text) if protocol == "smithy-rpc-v2-cbor" else text.encode()
    if protocol == "json" and not body:
        body = b"{}"
    request = Request(sent.get("method", "POST"), uri.path, uri.query, Headers(sent.get("headers", {}).items()))
    found = labels(operation.http["requestUri"], uri.path) if protocol.startswith("rest") else {}
    params = wire.read(operation, protocol, request, body, found)
    shape = operation.input_shape
    assert canonical(shape, params) == canonical(shape, case["params"])


@needs_vectors
@pytest.mark.parametrize(("suite", "case"), _cases("output"))
def test_an_answer_is_written_as_the_vector_says(suite: dict[str, Any], case: dict[str, Any]) -> None:
    operation, protocol = _operation(suite, case)
    _skip_excluded(case, protocol, "out")
    expected = case["response"]
    if "error" in case or "errorCode" in case:
        _check_error(operation, protocol, case)
        return
    reply = wire.write(operation, protocol, case["result"], "rid")
    assert reply.status == expected.get("status_code", 200)
    if case["id"] not in TOLERANCE:
        sent = {name.lower(): value for name, value in reply.headers}
        for name, value in expected.get("headers", {}).items():
            assert _same_header(name, sent.get(name.lower(), ""), value), name
        if "body" in expected:
            body = body_of(reply)
            assert _structure(protocol, body) == _structure(protocol, _expected_body(protocol, expected)), body
    shape = operation.output_shape
    if shape is not None and case["id"] not in CLIENT_FAULTS:
        assert canonical(shape, parsed(operation, protocol, reply)) == canonical(shape, case["result"])


def _check_error(operation: OperationModel, protocol: str, case: dict[str, Any]) -> None:
    members = dict(case.get("error", {}))
    message = case.get("errorMessage", "") or members.get("message") or members.get("Message") or ""
    fields = {name: value for name, value in members.items() if name.lower() != "message"}
    error = AwsError(case["errorCode"], message, fields=fields)
    query_mode = operation.service_model.is_query_compatible
    reply = wire.write_error(operation, None, protocol, error, "rid", query_mode=query_mode)
    sent = parsed(operation, protocol, reply)
    assert sent["Error"]["Code"] == case["errorCode"]
    assert (sent["Error"].get("Message") or "") == message
    shape = operation.service_model.error_shapes[0]
    again = parsed(operation, protocol, reply, shape)
    assert canonical(shape, again) == canonical(shape, members)


# -- structural comparison ---------------------------------------------------------------------------------------------
def _expected_body(protocol: str, response: dict[str, Any]) -> bytes:
    text = response.get("body") or ""
    return from_base64(text) if protocol == "smithy-rpc-v2-cbor" else text.encode()


def _same_header(name: str, ours: str, theirs: str) -> bool:
    if name.lower() == "content-length":  # written by the HTTP server below us
        return True
    if name.lower() == "content-type":
        return ours.partition(";")[0] == theirs.partition(";")[0]
    return ours.replace(", ", ",") == theirs.replace(", ", ",")


def _structure(protocol: str, body: bytes) -> Any:
    if not body:
        return None
    if protocol == "smithy-rpc-v2-cbor":
        return repr(_numbers(wire_cbor.parse(body)))
    if protocol in ("json", "rest-json"):
        try:
            return json.loads(body)
        except ValueError:
            return body
    try:
        return _element(ElementTree.fromstring(body))
    except ElementTree.ParseError:
        return body


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _element(node: ElementTree.Element) -> Any:
    children = [_element(child) for child in node if node.tag.rpartition("}")[2] != "ResponseMetadata"
                and child.tag.rpartition("}")[2] not in ("requestId", "ResponseMetadata")]
    children.sort(key=lambda child: child[0])
    return node.tag.rpartition("}")[2], sorted(node.attrib.items()), (node.text or "").strip(), children
