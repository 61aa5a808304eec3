"""XML bodies (S3, IAM, STS, SNS, CloudWatch query): elements read by shape, and text written by shape.

Called by `wire_rest`, `wire_query`, `wire_errors` and `eventstream`; calls core.model's shapes. Readers are lenient
about order, namespaces and unknown elements; document type definitions are refused, as S3 does. Writers append text to
a list.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from sagewright.core.model import ServiceModel, Shape
from sagewright.gateway.wire_scalars import Unreadable, text_reader, text_writer

Element = ElementTree.Element
Reader = Callable[[Any], Any]
Writer = Callable[[list[str], str, Any], None]

_SPECIAL = re.compile("[&<>\"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile("[\\w \\-.:/@+=]*").fullmatch
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xd;"}


def escape(text: str) -> str:
    """Text for an element or attribute; what XML cannot hold is replaced, so that every parser reads the rest."""
    return text if _PLAIN(text) else _SPECIAL.sub(lambda match: _ENTITIES.get(match.group(), "\ufffd"), text)


def escape_key(text: str) -> str:
    """The same for S3, which writes control characters of a key as references although parsers refuse them."""
    return text if _PLAIN(text) else _SPECIAL.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    char = match.group()
    return _ENTITIES.get(char) or ("\ufffd" if char >= "\ud800" else f"&#x{ord(char):x};")


def local(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def parse(body: bytes) -> Element:
    """The root element of a body."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Unreadable("")
    try:
        return ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as broken:
        raise Unreadable("") from broken


def wire_name(shape: Shape, default: str) -> str:
    """`locationName` of a member, else the default."""
    return str(shape.serialization.get("name") or default)


def is_flat(shape: Shape) -> bool:
    """Whether a list or map repeats its own element instead of wrapping its members in one."""
    return bool(shape.serialization.get("flattened"))


def namespace(shape: Shape) -> str:
    """The `xmlns` attribute that the model asks for, or nothing."""
    asked = shape.serialization.get("xmlNamespace")
    if not asked:
        return ""
    if isinstance(asked, str):
        return f' xmlns="{escape(asked)}"'
    prefix = f":{asked['prefix']}" if asked.get("prefix") else ""
    return f' xmlns{prefix}="{escape(asked["uri"])}"'


class Xml:
    """The compiled XML readers and writers of one service's structures."""

    def __init__(self, is_s3: bool) -> None:
        self._always_millis = is_s3
        self._escape = escape_key if is_s3 else escape
        self._readers: dict[str, Reader] = {}
        self._writers: dict[str, Callable[[list[str], list[str], dict[str, Any]], None]] = {}
        self._lock = threading.RLock()  # a half-compiled structure must not be seen by another thread

    # -- reading -----------------------------------------------------------------------------------------------------
    def reader(self, shape: Shape) -> Reader:
        """A function from an element (from a list of them where the shape is flat) to the params value."""
        with self._lock:
            return self._reader(shape)

    def _reader(self, shape: Shape) -> Reader:
        kind = shape.type_name
        if kind == "structure":
            return self._structure_reader(shape)
        if kind == "list":
            read = self._reader(shape.member)
            return lambda elements: [read(element) for element in elements]
        if kind == "map":
            return self._map_reader(shape)
        text = text_reader(shape)
        return lambda element: text(element.text or "")

    def _map_reader(self, shape: Shape) -> Reader:
        key_name, value_name = wire_name(shape.key, "key"), wire_name(shape.value, "value")
        key, value = self._reader(shape.key), self._reader(shape.value)

        def read_map(entries: Any) -> dict[str, Any]:
            out = {}
            for entry in entries:
                parts = {local(child.tag): child for child in entry}
                if key_name in parts:
                    out[key(parts[key_name])] = value(parts[value_name]) if value_name in parts else None
            return out

        return read_map

    def _structure_reader(self, shape: Shape) -> Reader:
        if found := self._readers.get(shape.name):
            return found
        table: dict[str, tuple[str, Reader, bool]] = {}
        attributes: dict[str, str] = {}

        def read_structure(element: Element) -> dict[str, Any]:
            out: dict[str, Any] = {}
            repeated: dict[str, tuple[Reader, list[Element]]] = {}
            for child in element:
                if (member := table.get(local(child.tag))) is None:
                    continue
                name, read, flat = member
                if flat:
                    repeated.setdefault(name, (read, []))[1].append(child)
                else:
                    out[name] = read(child)
            for name, (read, children) in repeated.items():
                out[name] = read(children)
            if attributes:
                out.update({attributes[tag]: text for key, text in element.attrib.items()
                            if (tag := local(key)) in attributes})
            return out

        self._readers[shape.name] = read_structure
        for name, member in shape.members.items():
            if member.serialization.get("xmlAttribute"):
                attributes[wire_name(member, name).rpartition(":")[2]] = name
            elif not member.serialization.get("location"):
                flat = member.type_name in ("list", "map") and is_flat(member)
                entry = (name, self._reader(member), flat)
                table[wire_name(member, name)] = entry
                if flat and member.type_name == "list":
                    table.setdefault(wire_name(member.member, name), entry)
        return read_structure

    # -- writing -----------------------------------------------------------------------------------------------------
    def writer(self, shape: Shape) -> Writer:
        """A function that appends the element `name` with a value."""
        with self._lock:
            return self._writer(shape)

    def _writer(self, shape: Shape) -> Writer:
        kind = shape.type_name
        if kind == "structure":
            return self._structure_writer(shape)
        if kind == "list":
            return self._list_writer(shape)
        if kind == "map":
            return self._map_writer(shape)
        text, attribute, safe = text_writer(shape, "iso8601", self._always_millis), namespace(shape), self._escape

        def write_scalar(out: list[str], name: str, value: Any) -> None:
            out.append(f"<{name}{attribute}>{safe(text(value))}</{name}>")

        return write_scalar

    def _list_writer(self, shape: Shape) -> Writer:
        write, attribute, flat = self._writer(shape.member), namespace(shape), is_flat(shape)
        item_name = shape.member.serialization.get("name")

        def write_list(out: list[str], name: str, value: Any) -> None:
            items = [item for item in value if item is not None]
            if flat:
                for item in items:
                    write(out, name, item)
                return
            out.append(f"<{name}{attribute}>")
            for item in items:
                write(out, item_name or "member", item)
            out.append(f"</{name}>")

        return write_list

    def _map_writer(self, shape: Shape) -> Writer:
        key_name, value_name = wire_name(shape.key, "key"), wire_name(shape.value, "value")
        key, item, attribute, flat = self._writer(shape.key), self._writer(shape.value), namespace(shape), \
            is_flat(shape)

        def write_map(out: list[str], name: str, value: Any) -> None:
            entry = name if flat else "entry"
            if not flat:
                out.append(f"<{name}{attribute}>")
            for one, other in value.items():
                out.append(f"<{entry}>")
                key(out, key_name, one)
                if other is not None:
                    item(out, value_name, other)
                out.append(f"</{entry}>")
            if not flat:
                out.append(f"</{name}>")

        return write_map

    def _structure_writer(self, shape: Shape) -> Writer:
        body, attribute = self._body(shape), namespace(shape)
        has_attributes = any(member.serialization.get("xmlAttribute") for member in shape.members.values())

        def write_plain(out: list[str], name: str, value: Any) -> None:
            out.append(f"<{name}{attribute}>")
            body(out, [], value)
            out.append(f"</{name}>")

        if not has_attributes:
            return write_plain

        def write_structure(out: list[str], name: str, value: Any) -> None:
            inside: list[str] = []
            attributes: list[str] = []
            body(inside, attributes, value)
            out.append(f"<{name}{attribute}{''.join(attributes)}>")
            out += inside
            out.append(f"</{name}>")

        return write_structure

    def _body(self, shape: Shape) -> Callable[[list[str], list[str], dict[str, Any]], None]:
        if found := self._writers.get(shape.name):
            return found
        table: dict[str, tuple[str, Writer | None]] = {}

        def write_members(out: list[str], attributes: list[str], value: dict[str, Any]) -> None:
            for name, raw in value.items():
                if raw is None or (member := table.get(name)) is None:
                    continue
                key, write = member
                if write is None:
                    attributes.append(f' {key}="{escape(str(raw))}"')
                else:
                    write(out, key, raw)

        self._writers[shape.name] = write_members
        for name, member in shape.members.items():
            if member.serialization.get("location"):
                continue
            is_attribute = member.serialization.get("xmlAttribute")
            table[name] = (wire_name(member, name), None if is_attribute else self._writer(member))
        return write_members

    def members(self, shape: Shape, value: dict[str, Any]) -> str:
        """The members of a structure without an element around them."""
        out: list[str] = []
        with self._lock:
            body = self._body(shape)
        body(out, [], value)
        return "".join(out)


@functools.cache
def xml(service_model: ServiceModel) -> Xml:
    """The compiled XML codecs of a service. S3 always writes milliseconds, others only where there are any."""
    return Xml(is_s3=service_model.service_name in ("s3", "s3control"))
