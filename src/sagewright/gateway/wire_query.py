"""The query protocol (IAM, STS, SNS, CloudWatch) and EC2's dialect of it: form-encoded parameters in, wrapped XML out.

Called by `wire`; calls `wire_xml` for answers. EC2 services have no room here; their dialect is read and written
because the vectors exist and it costs a few lines. Not covered: the names that SQS's lists and maps had in its old form
dialect (`Attribute.1.Name`), which its model no longer holds; its plain members are read.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from sagewright.core.model import OperationModel, ServiceModel, Shape
from sagewright.gateway.wire_scalars import Unreadable, text_reader
from sagewright.gateway.wire_xml import escape, is_flat, wire_name, xml

# A node of the tree that dotted names make: its own text under "", its children under their names.
Node = dict[str, Any]
Read = Callable[[Node], Any]
_MAX_FIELDS = 100_000


def fields(query: str, body: bytes) -> list[tuple[str, str]]:
    """The parameters in a query string and a form body."""
    pairs: list[tuple[str, str]] = []
    try:
        for text in (query, body.decode()):
            pairs += parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as broken:
        raise Unreadable("the parameters are not form-encoded") from broken
    return pairs


def tree(pairs: list[tuple[str, str]]) -> Node:
    """Dotted names as a tree."""
    root: Node = {}
    for name, value in pairs:
        node = root
        for part in name.split(".", 64)[:64]:
            node = node.setdefault(part, {})
        node[""] = value
    return root


class Forms:
    """The compiled readers of one service's structures."""

    def __init__(self, ec2: bool) -> None:
        self._ec2 = ec2
        self._readers: dict[str, Read] = {}
        self._lock = threading.RLock()  # a half-compiled structure must not be seen by another thread

    def reader(self, shape: Shape) -> Read:
        """A function from a node to the params value."""
        with self._lock:
            return self._reader(shape)

    def _name(self, shape: Shape, default: str) -> str:
        if not self._ec2:
            return wire_name(shape, default)
        if name := shape.serialization.get("queryName"):
            return str(name)
        name = wire_name(shape, default)
        return name[:1].upper() + name[1:]

    def _reader(self, shape: Shape) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        text = text_reader(shape)
        return lambda node: text(node.get("", ""))

    def _structure(self, shape: Shape) -> Read:
        if found := self._readers.get(shape.name):
            return found
        table: list[tuple[str, str, Read]] = []

        def read_structure(node: Node) -> dict[str, Any]:
            return {name: read(node[key]) for key, name, read in table if key in node}

        self._readers[shape.name] = read_structure
        for name, member in shape.members.items():
            read = self._reader(member)
            table.append((self._name(member, name), name, read))
            # A flattened list is sent under its members' name, where they have one.
            if not self._ec2 and member.type_name == "list" and is_flat(member) \
                    and (other := member.member.serialization.get("name")):
                table.append((str(other), name, read))
        return read_structure

    def _list(self, shape: Shape) -> Read:
        read, flat = self._reader(shape.member), self._ec2 or is_flat(shape)
        item_name = wire_name(shape.member, "member")

        def read_list(node: Node) -> list[Any]:
            inner = node if flat else node.get(item_name, node)
            return [read(item) for item in _numbered(inner)]

        return read_list

    def _map(self, shape: Shape) -> Read:
        key_name, value_name = wire_name(shape.key, "key"), wire_name(shape.value, "value")
        key, value, flat = self._reader(shape.key), self._reader(shape.value), is_flat(shape)

        def read_map(node: Node) -> dict[str, Any]:
            out = {}
            for entry in _numbered(node if flat else node.get("entry", {})):
                if key_name in entry:
                    out[key(entry[key_name])] = value(entry.get(value_name, {}))
            return out

        return read_map


def _numbered(node: Node) -> list[Node]:
    numbers = sorted((key for key in node if key.isascii() and key.isdigit() and len(key) < 9), key=int)
    return [node[number] for number in numbers]


@functools.cache
def forms(service_model: ServiceModel, ec2: bool = False) -> Forms:
    """The compiled form readers of a service."""
    return Forms(ec2)


def read(operation: OperationModel, query: str, body: bytes, ec2: bool) -> dict[str, Any]:
    """The params of a query request."""
    if operation.input_shape is None:
        return {}
    return forms(operation.service_model, ec2).reader(operation.input_shape)(tree(fields(query, body)))


def write(operation: OperationModel, result: dict[str, Any], request_id: str, ec2: bool) -> bytes:
    """The XML answer of a query operation."""
    shape, name = operation.output_shape, operation.name
    inside = xml(operation.service_model).members(shape, result) if shape is not None else ""
    identifier = escape(request_id)
    if ec2:
        inside = f"<requestId>{identifier}</requestId>{inside}"
    else:
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper") or f"{name}Result"
            inside = f"<{wrapper}>{inside}</{wrapper}>"
        inside += f"<ResponseMetadata><RequestId>{identifier}</RequestId></ResponseMetadata>"
    uri = namespace_of(operation.service_model)
    attribute = f' xmlns="{escape(uri)}"' if uri else ""
    return f"<{name}Response{attribute}>{inside}</{name}Response>".encode()


def namespace_of(service_model: ServiceModel) -> str:
    """The service's XML namespace."""
    asked = service_model.metadata.get("xmlNamespace", "")
    return str(asked.get("uri", "")) if isinstance(asked, dict) else str(asked)
