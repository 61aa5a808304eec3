"""Matching a path against the URIs of a REST model, and checking that an operation exists. Called by `route`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.core.http import Request

_LABEL = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True)
class Match:
    """An operation and the decoded labels of its path."""

    operation: str
    labels: dict[str, str]


@dataclass(frozen=True)
class _Uri:
    operation: str
    method: str
    path: re.Pattern[str]
    literals: tuple[tuple[str, str], ...]


@functools.cache
def _uris(service: str) -> tuple[_Uri, ...]:
    found = []
    for operation in model.operations(service):
        path, _, query = operation.http["requestUri"].partition("?")
        literals = tuple((k, v[0]) for k, v in parse_qs(query, keep_blank_values=True).items())
        found.append(_Uri(operation.name, operation.http["method"], _pattern(path), literals))
    return tuple(sorted(found, key=lambda uri: (-len(uri.literals), -len(uri.path.pattern))))


def _pattern(path: str) -> re.Pattern[str]:
    out, at = "", 0
    for label in _LABEL.finditer(path):
        out += re.escape(path[at:label.start()]) + f"(?P<{label.group(1)}>{'.+' if label.group(2) else '[^/]+'})"
        at = label.end()
    return re.compile(out + re.escape(path[at:]) + "/?")


def match(service: str, request: Request) -> Match | None:
    """The operation whose method, path and literal query members fit, or None."""
    query = parse_qs(request.query, keep_blank_values=True)
    for uri in _uris(service):
        if uri.method != request.method or any(query.get(k, [None])[0] != v for k, v in uri.literals):
            continue
        fits = uri.path.fullmatch(request.raw_path)
        if fits:
            return Match(uri.operation, {name: unquote(text) for name, text in fits.groupdict().items()})
    return None


@functools.cache
def _names(service: str) -> frozenset[str]:
    return frozenset(model.operation_names(service))


def known(service: str, operation: str, code: str = "UnknownOperationException") -> str:
    """The operation's name if the model has it; AWS's error for a name that it has not."""
    if operation not in _names(service):
        raise AwsError(code, f"The operation {operation[:100]} is not known to {service}.")
    return operation
