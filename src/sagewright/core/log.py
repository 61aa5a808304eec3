"""Log lines as key=value pairs on standard error, through one function. Always say which resource (`arn=`)."""

from __future__ import annotations

import logging
from typing import Any

_LOGGER = logging.getLogger("sagewright")


def say(what: str, **facts: Any) -> None:
    """One decision, one line."""
    _LOGGER.info("%s %s", what, _pairs(facts))


def warn(what: str, **facts: Any) -> None:
    """Something an operator should look at."""
    _LOGGER.warning("%s %s", what, _pairs(facts))


def trouble(what: str, **facts: Any) -> None:
    """A fault of ours, with its traceback; call from an except block."""
    _LOGGER.error("%s %s", what, _pairs(facts), exc_info=True)


def _pairs(facts: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in facts.items())
