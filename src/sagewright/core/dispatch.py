"""Which handler answers which operation: a table built once from the services that `cli/assembly.py` lists.

At boot every operation of every served model is derived, written or refused by name; `where` says which (for
`sagewright ops` and the coverage pages).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagewright.core import model, verbs
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.service import Handler, Service


@dataclass(frozen=True)
class Place:
    """Where an operation lives: module of its handler, and "derived" or "written"."""

    room: str
    how: str


class Dispatch:
    """(botocore service, operation) -> handler."""

    def __init__(self, services: Iterable[Service],
                 refusals: Mapping[str, Callable[[str], AwsError]] | None = None) -> None:
        self.services = tuple(services)
        self._refusals = dict(refusals or {})
        self._table: dict[tuple[str, str], Handler] = {}
        self._places: dict[tuple[str, str], Place] = {}
        for service in self.services:
            for noun in service.nouns:
                for name, handler in verbs.derive(noun).items():
                    self._add(noun.service, name, handler, noun.admit.__module__ if noun.admit else "core.verbs",
                              "derived")
        for service in self.services:
            for name, handler in service.operations.items():
                self._add(service.aws, name, handler, handler.__module__, "written")

    @property
    def served(self) -> tuple[str, ...]:
        """The botocore services that anything is served of."""
        return tuple(dict.fromkeys(service.aws for service in self.services))

    def handler(self, service: str, operation: str) -> Handler:
        """The handler, or the error that names what is not there."""
        found = self._table.get((service, model.method_name(operation)))
        if found is None:
            raise self._refusals.get(service, lambda name: unsupported(service, name))(operation)
        return found

    def where(self, service: str, operation: str) -> Place | None:
        """Where an operation lives, or None if it is not served."""
        return self._places.get((service, model.method_name(operation)))

    def invoke(self, call: Call) -> dict[str, Any]:
        """Run the operation and give its result (an empty dict where AWS answers nothing)."""
        return self.handler(call.service, call.operation)(call) or {}

    def _add(self, service: str, name: str, handler: Handler, room: str, how: str) -> None:
        self._table[service, name] = handler
        self._places[service, name] = Place(room.removeprefix("sagewright."), how)


def unsupported(service: str, operation: str) -> AwsError:
    """How an operation that is modelled but not served is refused."""
    if service == "s3":
        return AwsError("MethodNotAllowed", f"{operation} is not available here.", 405)
    return AwsError("UnknownOperationException", f"{operation} of {service} is not available in this Sagewright.")
