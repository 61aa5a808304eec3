"""CloudWatch Logs filter patterns: which messages match, and what they extract.

    ERROR Exception        every term            ?ERROR ?WARN        any of them
    ERROR -Exiting         but not that one      "exact phrase"
    { $.latency > 100 && $.user.name = "x*" }    JSON               [ip, user, status = 4*, ...]   words of a line

Called by FilterLogEvents, metric filters and TestMetricFilter; pure. `compile_pattern` raises AwsError for a pattern
that AWS would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sagewright.aws.logs import json_patterns, word_patterns
from sagewright.core.errors import AwsError

MAX_PATTERN = 1024


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern. `match` says whether a message matches; `extract` what it gives by name ("$1", "$.a")."""

    match: Callable[[str], bool]
    extract: Callable[[str], dict[str, str]] = field(default=lambda message: {})


def invalid() -> AwsError:
    """What AWS answers to a pattern it cannot read."""
    return AwsError("InvalidParameterException", "Invalid filter pattern")


def compile_pattern(text: str) -> Pattern:
    """The pattern's meaning; an empty pattern matches everything."""
    text = text.strip()
    try:
        if not text:
            return Pattern(lambda message: True)
        if text.startswith("{"):
            return Pattern(*json_patterns.compile_json(text))
        if text.startswith("["):
            return Pattern(*word_patterns.compile_words(text))
        return Pattern(_terms(text))
    except (ValueError, re.error, RecursionError):
        raise invalid() from None


_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%[^%]+%)|(\S+))\s*')


def _terms(text: str) -> Callable[[str], bool]:
    wanted: list[Callable[[str], bool]] = []
    optional: list[Callable[[str], bool]] = []
    refused: list[Callable[[str], bool]] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise ValueError(text)
        sign, quoted, regex, bare = found.groups()
        at = found.end()
        test = _contains(quoted, regex, bare)
        (optional if sign == "?" else refused if sign == "-" else wanted).append(test)
    if wanted:  # AWS ignores ?terms beside required ones
        optional = []

    def match(message: str) -> bool:
        return (all(test(message) for test in wanted) and (not optional or any(test(message) for test in optional))
                and not any(test(message) for test in refused))

    return match


def _contains(quoted: str | None, regex: str | None, bare: str | None) -> Callable[[str], bool]:
    if regex is not None:
        raise word_patterns.no_regex()
    if quoted is not None:
        phrase = re.sub(r"\\(.)", r"\1", quoted)
        return lambda message: phrase in message
    if bare is None or not re.fullmatch(r"[^\s\"{}\[\]()]+", bare):
        raise ValueError(bare)  # AWS wants anything but letters, digits and _ quoted; the usual signs pass here
    return lambda message: bare in message
