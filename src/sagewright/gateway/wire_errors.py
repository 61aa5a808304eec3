"""Errors as each protocol and service sends them: status, code, message, extra members, headers.

Called by `wire` and `chain`; calls the body codecs. The model decides the spelling of the message, the status where the
error gives none but the default, and the code that query clients know; S3's errors have a form of their own.
"""

from __future__ import annotations

import functools
from typing import Any

from sagewright.core.errors import AwsError
from sagewright.core.http import Reply
from sagewright.core.model import OperationModel, ServiceModel, Shape
from sagewright.gateway import wire_cbor, wire_json, wire_rest, wire_scalars, wire_xml
from sagewright.gateway.wire_query import namespace_of

# Errors of the framework that spell their message with a capital although no model says so.
_CAPITAL = frozenset({"SerializationException", "AccessDeniedException"})


def request_id_headers(service: ServiceModel | None, protocol: str, request_id: str) -> list[tuple[str, str]]:
    """The headers that name the request; S3 has its own two."""
    if service is not None and service.service_name == "s3":
        return [("x-amz-request-id", request_id), ("x-amz-id-2", host_id(request_id))]
    out = [("x-amzn-RequestId", request_id)]
    return [("smithy-protocol", "rpc-v2-cbor"), *out] if protocol == "smithy-rpc-v2-cbor" else out


def host_id(request_id: str) -> str:
    """S3's second identifier of a request, derived from the first."""
    return wire_scalars.write_base64(f"host/{request_id}")


@functools.cache
def _errors(service: ServiceModel) -> dict[str, Shape]:
    """Error shapes by shape name and by code; shape names win."""
    found: dict[str, Shape] = {}
    for shape in service.error_shapes:
        found.setdefault(str((shape.metadata.get("error") or {}).get("code") or shape.name), shape)
    return found | {shape.name: shape for shape in service.error_shapes}


def write_error(operation: OperationModel | None, service: ServiceModel | None, protocol: str, error: AwsError,
                request_id: str, *, query_mode: bool = False) -> Reply:
    """The answer to a call that failed. The caller drops the body for HEAD."""
    service = service or (operation.service_model if operation is not None else None)
    shape = _errors(service).get(error.code) if service is not None else None
    status = _status(error, shape)
    headers = request_id_headers(service, protocol, request_id)
    headers += [(name, wire_rest.safe(value)) for name, value in error.headers.items()]
    if service is not None and query_mode and protocol in ("json", "smithy-rpc-v2-cbor"):
        fault = "Sender" if status < 500 else "Receiver"
        headers.append(("x-amzn-query-error", f"{_query_code(error, shape)};{fault}"))
    if service is not None and service.service_name == "s3":
        return Reply(status, [("Content-Type", "application/xml"), *headers], _s3_body(error, request_id))
    if protocol in ("query", "ec2", "rest-xml"):
        if shape is not None and protocol == "rest-xml":
            headers += wire_rest.headers(wire_rest.output_plan(shape), error.fields)
        body = _xml_body(service, protocol, error, shape, status, request_id)
        return Reply(status, [("Content-Type", "text/xml"), *headers], body)
    return _tree_error(service, protocol, _type(operation, error, shape), error, shape, Reply(status, headers))


def _status(error: AwsError, shape: Shape | None) -> int:
    """The handler's status, unless it is the default and the model knows better."""
    if error.status != 400 or shape is None:
        return error.status
    modelled = (shape.metadata.get("error") or {}).get("httpStatusCode")
    return int(modelled or (500 if shape.metadata.get("fault") else 400))


def _type(operation: OperationModel | None, error: AwsError, shape: Shape | None) -> str:
    """The error's shape; its plain code where the operation does not declare that shape, so that SDKs know it."""
    if shape is None:
        return error.code
    declared = {each.name for each in operation.error_shapes} if operation is not None else {shape.name}
    return shape.name if shape.name in declared | {"ValidationException"} else _query_code(error, shape)


def _query_code(error: AwsError, shape: Shape | None) -> str:
    code = (shape.metadata.get("error") or {}).get("code") if shape is not None else None
    return str(code or error.code)


def _members(error: AwsError, shape: Shape | None) -> dict[str, Any]:
    """The members of the error, its message under the name that its shape gives it."""
    name = "Message" if error.code in _CAPITAL else "message"
    if shape is not None:
        name = next((key for key in shape.members if key.lower() == "message"), name)
    return {**({name: error.message} if error.message else {}), **error.fields}


# -- JSON and CBOR -----------------------------------------------------------------------------------------------------
def _tree_error(service: ServiceModel | None, protocol: str, code: str, error: AwsError, shape: Shape | None,
                reply: Reply) -> Reply:
    members = _members(error, shape)
    if protocol == "rest-json":
        reply.headers.append(("x-amzn-ErrorType", code))
        if shape is not None:
            plan = wire_rest.output_plan(shape)
            reply.headers += wire_rest.headers(plan, members)
            located = {place.member for place in plan.header + plan.prefixed}
            members = {name: value for name, value in members.items() if name not in located}
    if protocol == "smithy-rpc-v2-cbor":
        tree = _tree(service, shape, members, wire_cbor.trees if service is not None else None)
        reply.headers.insert(0, ("Content-Type", "application/cbor"))
        reply.body = wire_cbor.dump({"__type": code, **tree})
        return reply
    tree = _tree(service, shape, members, wire_json.trees if service is not None else None)
    reply.headers.insert(0, ("Content-Type", _json_type(service, protocol)))
    reply.body = wire_json.dump({"__type": code, **tree} if protocol != "rest-json" else tree)
    return reply


def _json_type(service: ServiceModel | None, protocol: str) -> str:
    if protocol == "rest-json":
        return "application/json"
    return f"application/x-amz-json-{service.metadata.get('jsonVersion', '1.1') if service is not None else '1.1'}"


def _tree(service: ServiceModel | None, shape: Shape | None, members: dict[str, Any], trees: Any) -> dict[str, Any]:
    if service is None or shape is None or trees is None:
        return members
    modelled = trees(service).writer(shape)(members)
    return {**{name: value for name, value in members.items() if name not in shape.members}, **modelled}


# -- XML ---------------------------------------------------------------------------------------------------------------
def _xml_body(service: ServiceModel | None, protocol: str, error: AwsError, shape: Shape | None, status: int,
              request_id: str) -> bytes:
    fault = "Sender" if status < 500 else "Receiver"
    code, identifier = wire_xml.escape(_query_code(error, shape)), wire_xml.escape(request_id)
    fields = wire_xml.xml(service).members(shape, error.fields) if service is not None and shape is not None else \
        _plain(error.fields)
    inside = f"<Code>{code}</Code><Message>{wire_xml.escape(error.message)}</Message>{fields}"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{inside}</Error></Errors><RequestID>{identifier}</RequestID></Response>"
        return ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()
    uri = namespace_of(service) if service is not None else ""
    attribute = f' xmlns="{wire_xml.escape(uri)}"' if uri else ""
    return (f"<ErrorResponse{attribute}><Error><Type>{fault}</Type>{inside}</Error>"
            f"<RequestId>{identifier}</RequestId></ErrorResponse>").encode()


def _plain(fields: dict[str, Any]) -> str:
    return "".join(f"<{name}>{wire_xml.escape(str(value))}</{name}>" for name, value in fields.items()
                   if value is not None)


def _s3_body(error: AwsError, request_id: str) -> bytes:
    inside = _plain({"Code": error.code, "Message": error.message, **error.fields, "RequestId": request_id,
                     "HostId": host_id(request_id)})
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'.encode()
