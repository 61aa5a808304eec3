"""Which operations the server answers with behaviour: checks that need others are outside this repository's promise."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sagewright.cli import assembly
from sagewright.core.dispatch import Dispatch

_ROUTED = (("sagemaker-runtime", "InvokeEndpoint"), ("sagemaker-runtime", "InvokeEndpointWithResponseStream"))


@lru_cache(maxsize=1)
def _dispatch() -> Dispatch:
    return Dispatch(assembly.services())


def is_served(service: str, operation: str) -> bool:
    """Whether an operation has a handler."""
    return (service, operation) in _ROUTED or _dispatch().where(service, operation) is not None


def missing(calls: Iterable[tuple[str, str, str | None]]) -> str:
    """The first operation that a test called and saw refused, and that has no handler; "" if there is none."""
    return next((f"{service}.{operation}" for service, operation, code in calls
                 if code and not is_served(service, operation)), "")
