"""HTTP as plain data: what the gateway hands to the chain and what the chain hands back.

Bodies are blocking readers on the way in and one of a few plain forms on the way out (see `Reply.body`), so that
handlers stay synchronous and memory stays constant whatever the size of an object.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Reader(Protocol):
    """A blocking byte source: `read(n)` returns at most n bytes, `b""` at the end, and all of it for n < 0."""

    def read(self, n: int = -1) -> bytes: ...


class Headers:
    """Header fields in wire order; names compare without case, repeated names are kept."""

    __slots__ = ("_first", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: list[tuple[str, str]] = [(name.lower(), value) for name, value in pairs]
        self._first: dict[str, str] = {}
        for name, value in self.pairs:
            self._first.setdefault(name, value)

    def get(self, name: str, default: str = "") -> str:
        """The first value of that header."""
        return self._first.get(name.lower(), default)

    def all(self, name: str) -> list[str]:
        """Every value of that header, in order."""
        name = name.lower()
        return [value for key, value in self.pairs if key == name]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def as_dict(self) -> dict[str, str]:
        """Lower-case name to first value."""
        return dict(self._first)


@dataclass(slots=True)
class Request:
    """One request as it came over the wire. `raw_path` keeps its percent-encoding; `query` is the raw query string."""

    method: str
    raw_path: str
    query: str
    headers: Headers
    body: Reader = field(default_factory=lambda: io.BytesIO(b""))
    scheme: str = "http"
    client: str = ""

    @property
    def host(self) -> str:
        return self.headers.get("host")


@dataclass(frozen=True, slots=True)
class FileSlice:
    """`length` bytes of the file at `path` from `offset`: the gateway streams it without reading it whole."""

    path: str
    offset: int
    length: int


@dataclass(slots=True)
class Reply:
    """One HTTP answer. `body` is bytes, a `FileSlice`, or an iterable of bytes that is streamed chunk by chunk."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | FileSlice | Iterable[bytes] = b""


def header_pairs(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A mapping as header pairs, values as text."""
    return [(str(name), str(value)) for name, value in headers.items()]
