"""JSON-like trees (JSON and CBOR bodies) read and written by shape, compiled once per structure into closures.

Called by `wire_json`, `wire_cbor` and `eventstream`; calls core.model's shapes. A `Form` says how one encoding spells
scalars; `Trees` compiles and remembers the closures of one service for one form.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagewright.core.model import Shape
from sagewright.gateway.wire_scalars import clamp, wrong_type

Turn = Callable[[Any], Any]


@dataclass(frozen=True)
class Form:
    """One encoding's scalars: shape -> reader, shape -> writer (None where the value is written as it is).

    `renamed` says whether `locationName` changes the key of a member (JSON: yes, CBOR: no).
    """

    reader: Callable[[Shape], Turn]
    writer: Callable[[Shape], Turn | None]
    renamed: bool = True

    def key(self, name: str, shape: Shape) -> str:
        """The key of a member in the tree."""
        return str(shape.serialization.get("name", name)) if self.renamed else name


class Trees:
    """The compiled readers and writers of one service's structures."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._readers: dict[str, Turn] = {}
        self._writers: dict[str, Turn] = {}
        self._lock = threading.RLock()  # a half-compiled structure must not be seen by another thread

    def reader(self, shape: Shape) -> Turn:
        """A function from the tree's value to the params value."""
        with self._lock:
            return self._reader(shape)

    def writer(self, shape: Shape) -> Turn:
        """A function from a handler's value to the tree's value."""
        with self._lock:
            return self._writer(shape) or _same

    def _reader(self, shape: Shape) -> Turn:
        kind = shape.type_name
        if kind == "structure":
            return _same if shape.is_document_type else self._structure_reader(shape)
        if kind == "list":
            return _list_reader(self._reader(shape.member))
        if kind == "map":
            return _map_reader(self._reader(shape.value))
        return self._form.reader(shape)

    def _structure_reader(self, shape: Shape) -> Turn:
        if found := self._readers.get(shape.name):
            return found
        table: dict[str, tuple[str, Turn]] = {}

        def read_structure(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise wrong_type(value, "structure")
            out = {}
            for key, raw in value.items():
                if raw is not None and (member := table.get(key)) is not None:
                    out[member[0]] = member[1](raw)
            return out

        self._readers[shape.name] = read_structure
        for name, member in shape.members.items():
            table[self._form.key(name, member)] = (name, self._reader(member))
        return read_structure

    def _writer(self, shape: Shape) -> Turn | None:
        kind = shape.type_name
        if kind == "structure":
            return None if shape.is_document_type else self._structure_writer(shape)
        if kind == "list":
            return _list_writer(self._writer(shape.member))
        if kind == "map":
            return _map_writer(self._writer(shape.value))
        return self._form.writer(shape)

    def _structure_writer(self, shape: Shape) -> Turn:
        if found := self._writers.get(shape.name):
            return found
        table: dict[str, tuple[str, Turn | None]] = {}

        def write_structure(value: dict[str, Any]) -> dict[str, Any]:
            out = {}
            for name, raw in value.items():
                if raw is not None and (member := table.get(name)) is not None:
                    key, write = member
                    out[key] = raw if write is None else write(raw)
            return out

        self._writers[shape.name] = write_structure
        for name, member in shape.members.items():
            table[name] = (self._form.key(name, member), self._writer(member))
        return write_structure


def _same(value: Any) -> Any:
    return value


def _list_reader(read: Turn) -> Turn:
    def read_list(value: Any) -> list[Any]:
        if type(value) is not list:
            raise wrong_type(value, "list")
        return [None if item is None else read(item) for item in value]

    return read_list


def _map_reader(read: Turn) -> Turn:
    def read_map(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise wrong_type(value, "map")
        return {key: None if item is None else read(item) for key, item in value.items()}

    return read_map


def _list_writer(write: Turn | None) -> Turn:
    if write is None:
        return list
    return lambda value: [None if item is None else write(item) for item in value]


def _map_writer(write: Turn | None) -> Turn:
    if write is None:
        return lambda value: {str(key): item for key, item in value.items()}
    return lambda value: {str(key): None if item is None else write(item) for key, item in value.items()}


# -- scalars that JSON and CBOR share ----------------------------------------------------------------------------------
def read_string(value: Any) -> str:
    """Text and nothing else."""
    if type(value) is not str:
        raise wrong_type(value, "string")
    return value


def read_boolean(value: Any) -> bool:
    """true or false and nothing else."""
    if type(value) is not bool:
        raise wrong_type(value, "boolean")
    return value


def integer_reader(kind: str) -> Turn:
    """Whole numbers; AWS cuts the fraction off a number that has one."""

    def read_integer(value: Any) -> int:
        if type(value) is int:
            return clamp(value, kind)
        if type(value) is float and abs(value) != float("inf") and value == value:
            return clamp(int(value), kind)
        raise wrong_type(value, kind)

    return read_integer


def write_integer(value: Any) -> int:
    """A whole number, also where a handler counted in floats: strict clients refuse 5.0."""
    return value if type(value) is int else int(value)
