"""REST-JSON and REST-XML: which member of a shape travels in the path, query string, headers, status or body.

Called by `wire` and `wire_errors`; calls the JSON and XML codecs. One `Plan` per operation (and direction) is compiled
once. S3's own habits that its model cannot say are here and nowhere else. Not covered: streams sent by the client.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sagewright.core.errors import AwsError
from sagewright.core.http import Reader, Request
from sagewright.core.model import OperationModel, ServiceModel, Shape
from sagewright.gateway import wire_json, wire_scalars, wire_xml
from sagewright.gateway.wire_query import namespace_of
from sagewright.gateway.wire_scalars import BadArgument, Unreadable

_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True)
class Place:
    """One member outside the body: its name, its name on the wire, and the function that turns its text."""

    member: str
    wire: str
    shape: Shape
    turn: Callable[[Any], Any]

    def read(self, given: Any) -> Any:
        """The value of the text that a request has in this place."""
        try:
            return self.turn(given)
        except Unreadable as broken:
            raise BadArgument(str(broken), self.wire, given if isinstance(given, str) else ", ".join(given)) from None


@dataclass(frozen=True)
class Plan:
    """Where the members of one shape travel. `payload` is the member that is the body, `in_body` whether others are."""

    uri: tuple[Place, ...]
    query: tuple[Place, ...]
    query_map: tuple[Place, ...]
    header: tuple[Place, ...]
    prefixed: tuple[Place, ...]
    status: str
    payload: str
    in_body: bool


def _plan(shape: Shape, turn: Callable[[Shape, str], Callable[[Any], Any]]) -> Plan:
    found: dict[str, list[Place]] = {"uri": [], "querystring": [], "header": [], "headers": [], "map": []}
    status, payload, in_body = "", str(shape.serialization.get("payload") or ""), False
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location == "statusCode":
            status = name
        elif location in found:
            kind = "map" if location == "querystring" and member.type_name == "map" else location
            wire = str(member.serialization.get("name", name))
            found[kind].append(Place(name, wire, member, turn(member, location)))
        elif name != payload:
            in_body = True
    return Plan(tuple(found["uri"]), tuple(found["querystring"]), tuple(found["map"]), tuple(found["header"]),
                tuple(found["headers"]), status, payload, in_body and not payload)


# -- requests ----------------------------------------------------------------------------------------------------------
@functools.cache
def _input_plan(operation: OperationModel) -> Plan | None:
    shape = operation.input_shape
    return _plan(shape, _text_turn) if shape is not None else None


def _text_turn(shape: Shape, location: str) -> Callable[[Any], Any]:
    if shape.type_name == "list":
        item = wire_scalars.text_reader(shape.member)
        if location == "querystring":
            return lambda texts: [item(text) for text in texts]
        is_date = shape.member.type_name == "timestamp" and \
            str(shape.member.serialization.get("timestampFormat") or "rfc822").lower() == "rfc822"
        return lambda text: [item(part) for part in split_header(text, 2 if is_date else 1)]
    if shape.serialization.get("jsonvalue"):
        return wire_scalars.read_json_value
    if shape.type_name == "map":
        return lambda value: value
    return wire_scalars.text_reader(shape)


def split_header(text: str, commas: int = 1) -> list[str]:
    """The items of a header list; items in double quotes may hold commas, dates hold one each (`commas=2`)."""
    items: list[str] = []
    if not text.strip():
        return items
    current, quoted, escaped = "", False, False
    for char in text:
        if escaped:
            current, escaped = current + char, False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"' and (quoted or not current.strip()):
            quoted = not quoted
        elif char == "," and not quoted:
            items.append(current.strip())
            current = ""
        else:
            current += char
    items.append(current.strip())
    if commas == 1:
        return items
    return [", ".join(items[at:at + commas]) for at in range(0, len(items), commas)]


def read(operation: OperationModel, is_xml: bool, request: Request, body: bytes | Reader,
         path_params: dict[str, str]) -> dict[str, Any]:
    """The params of a REST request."""
    plan, shape = _input_plan(operation), operation.input_shape
    if plan is None or shape is None:
        return {}
    params: dict[str, Any] = {}
    for place in plan.uri:
        label = path_params.get(place.wire, path_params.get(place.member))
        if label is not None:
            params[place.member] = place.read(label)
    if plan.query or plan.query_map:
        _read_query(plan, request.query, params)
    for place in plan.header:
        values = request.headers.all(place.wire)
        if values:
            _read_header(place, values, params)
    for place in plan.prefixed:
        if found := _prefixed(place.wire.lower(), request):
            params[place.member] = found
    _read_body(operation, is_xml, plan, shape, body, params)
    return params


def _prefixed(prefix: str, request: Request) -> dict[str, str]:
    """Headers that start so, by the rest of their name; a repeated one is one value with commas, as HTTP says."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        if name.startswith(prefix):
            key = name[len(prefix):]
            found[key] = f"{found[key]},{value}" if key in found else value
    return found


def _read_header(place: Place, values: list[str], params: dict[str, Any]) -> None:
    try:
        params[place.member] = place.read(",".join(values) if place.shape.type_name == "list" else values[0])
    except BadArgument:
        if not place.wire.lower().startswith("if-"):  # HTTP: a condition with an invalid date is no condition
            raise


def _read_query(plan: Plan, query: str, params: dict[str, Any]) -> None:
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        given.setdefault(name, []).append(value)
    for place in plan.query:
        values = given.pop(place.wire, None)
        if values is not None:
            params[place.member] = place.read(values if place.shape.type_name == "list" else values[0])
    for place in plan.query_map:
        if given:
            many = place.shape.value.type_name == "list"
            params[place.member] = {name: values if many else values[0] for name, values in given.items()}


def _read_body(operation: OperationModel, is_xml: bool, plan: Plan, shape: Shape, body: bytes | Reader,
               params: dict[str, Any]) -> None:
    member = shape.members[plan.payload] if plan.payload else None
    if member is not None and member.type_name == "blob" and member.serialization.get("streaming"):
        params[plan.payload] = body
        return
    if member is None and not plan.in_body:
        return
    data = body if isinstance(body, bytes) else body.read()
    if member is not None and member.type_name in ("blob", "string"):
        if data or plan.payload in shape.required_members:
            params[plan.payload] = data if member.type_name == "blob" else _text(data)
    elif data:
        target = member if member is not None else shape
        value = _structured(operation.service_model, is_xml, target, data)
        params.update(value if member is None else {plan.payload: value})
    elif plan.payload in shape.required_members and operation.service_model.service_name == "s3":
        raise AwsError("MissingRequestBodyError", "Request Body is empty")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as broken:
        raise Unreadable("") from broken


def _structured(service: ServiceModel, is_xml: bool, shape: Shape, data: bytes) -> Any:
    if is_xml:
        root = wire_xml.parse(data)
        wanted = shape.serialization.get("name")
        if wanted and service.service_name == "s3" and wire_xml.local(root.tag) != wanted:
            raise Unreadable("")
        return wire_xml.xml(service).reader(shape)(root)
    if shape.is_document_type:
        return wire_json.parse(data)
    return _located_out(shape, wire_json.trees(service).reader(shape)(wire_json.parse_object(data)))


def _located_out(shape: Shape, value: dict[str, Any]) -> dict[str, Any]:
    """Without members that the model places outside the body: a body cannot override a path or header."""
    members = shape.members
    return {name: item for name, item in value.items() if not members[name].serialization.get("location")}


# -- answers -----------------------------------------------------------------------------------------------------------
def _header_turn(shape: Shape, location: str) -> Callable[[Any], Any]:
    if shape.type_name == "list":
        item = wire_scalars.text_writer(shape.member, "rfc822")
        quote = shape.member.type_name == "string"
        return lambda values: ", ".join(_quoted(item(value)) if quote else item(value)
                                        for value in values if value is not None)
    if shape.serialization.get("jsonvalue"):
        return wire_scalars.write_json_value
    if shape.type_name == "map":
        return lambda value: value
    return wire_scalars.text_writer(shape, "rfc822")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if "," in text or '"' in text else text


@functools.lru_cache(maxsize=4096)
def output_plan(shape: Shape) -> Plan:
    """Where the members of an output or error shape travel."""
    return _plan(shape, _header_turn)


def safe(value: str) -> str:
    """A header value that HTTP can carry: no line breaks, text beyond Latin-1 as UTF-8 bytes, as S3 sends it."""
    if not value.isprintable():
        value = "".join(char if char >= " " or char == "\t" else " " for char in value)
    try:
        value.encode("latin-1")
        return value
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("latin-1")


def headers(plan: Plan, result: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers that carry members of a result."""
    out = []
    for place in plan.header:
        value = result.get(place.member)
        if value is not None and not (place.shape.type_name == "list" and not value):
            out.append((place.wire, safe(place.turn(value))))
    for place in plan.prefixed:
        for name, value in (result.get(place.member) or {}).items():
            out.append((place.wire + str(name), safe(str(value))))
    return out


def body(operation: OperationModel, is_xml: bool, shape: Shape, result: dict[str, Any]) -> tuple[str, bytes]:
    """Content type and body of a result whose body is no stream."""
    plan, service = output_plan(shape), operation.service_model
    if not plan.payload:
        if not plan.in_body:  # REST-JSON services send an empty object, REST-XML services nothing
            return ("", b"") if is_xml else ("application/json", b"{}")
        return (_xml_body(operation, shape, result) if is_xml else _json_body(service, shape, result))
    member, value = shape.members[plan.payload], result.get(plan.payload)
    if value is None:
        return "", b""
    if member.type_name == "blob":
        return "application/octet-stream", wire_scalars.as_bytes(value)
    if member.type_name == "string":
        return _text_type(service), str(value).encode("utf-8", "replace")
    if not is_xml:
        return _json_body(service, member, value)
    out: list[str] = []
    root = str(member.serialization.get("name") or member.name)
    wire_xml.xml(service).writer(member)(out, root, value)
    return "application/xml", _document(service, member, root, "".join(out))


def _text_type(service: ServiceModel) -> str:
    return "application/json" if service.service_name == "s3" else "text/plain"  # S3's one text payload is a policy


def _json_body(service: ServiceModel, shape: Shape, value: Any) -> tuple[str, bytes]:
    if shape.type_name == "structure" and not shape.is_document_type:
        value = _located_out(shape, {name: item for name, item in value.items() if name in shape.members})
    return "application/json", wire_json.dump(wire_json.trees(service).writer(shape)(value))


def _xml_body(operation: OperationModel, shape: Shape, result: dict[str, Any]) -> tuple[str, bytes]:
    service = operation.service_model
    if operation.name == "GetBucketLocation" and service.service_name == "s3":
        # The answer is the bare location: one element, empty for us-east-1.
        where = wire_xml.escape(str(result.get("LocationConstraint") or ""))
        text = f"<LocationConstraint>{where}</LocationConstraint>"
        return "application/xml", _document(service, shape, "LocationConstraint", text)
    root = str(shape.serialization.get("name") or shape.name)
    out: list[str] = []
    wire_xml.xml(service).writer(shape)(out, root, result)
    return "application/xml", _document(service, shape, root, "".join(out))


def _document(service: ServiceModel, shape: Shape, root: str, text: str) -> bytes:
    uri = namespace_of(service)
    if not uri and service.service_name == "s3":
        uri = "http://s3.amazonaws.com/doc/2006-03-01/"
    if uri and not shape.serialization.get("xmlNamespace"):
        text = f'<{root} xmlns="{wire_xml.escape(uri)}"' + text[len(root) + 1:]
    return (_XML_HEAD + text).encode()
