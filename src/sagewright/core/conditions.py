"""Condition blocks of policies: every operator of the IAM policy language.

Called by core/policy.py; calls core/wildcards.py. Pure functions: a block and a context in, a truth value out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sagewright.core import wildcards

Context = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Unanswerable(Exception):
    """The block cannot be evaluated: an unknown operator, a number that is none. The caller fails closed."""


def as_list(value: Any) -> list[Any]:
    """A single value as a list of one."""
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def values_of(context: Context, key: str) -> list[str] | None:
    """The values of a context key (names compare without case), or None where the request has none."""
    found = context.get(key.lower())
    return None if found is None else [_text(value) for value in as_list(found)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fill(pattern: str, context: Context) -> str | None:
    """The pattern with its policy variables replaced; None if one has no value and no default."""
    if "${" not in pattern:
        return pattern
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = match.group(1).partition(",")
        if name.strip() in ("*", "?", "$"):
            return wildcards.literal(name.strip())
        found = values_of(context, name.strip())
        if found is not None and len(found) == 1:
            return wildcards.literal(found[0])
        missing = missing or not default
        return wildcards.literal(default.strip().strip("'"))

    filled = _VARIABLE.sub(value, pattern)
    return None if missing else filled


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _address(actual: str, wanted: str) -> bool:
    network = ipaddress.ip_network(wanted, strict=False)
    address = ipaddress.ip_address(actual)
    return address.version == network.version and address in network


def _arn(actual: str, wanted: str) -> bool:
    """ARNs match part by part, so that a star does not cross a colon."""
    theirs, ours = actual.split(":", 5), wanted.split(":", 5)
    return len(theirs) == len(ours) == 6 and all(map(wildcards.matches, ours, theirs))


def _exactly(actual: str, wanted: str) -> bool:
    return actual == wildcards.plain(wanted)


# operator -> how one actual value compares with one wanted value
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": _exactly,
    "stringequalsignorecase": lambda actual, wanted: _exactly(actual.lower(), wanted.lower()),
    "stringlike": lambda actual, wanted: wildcards.matches(wanted, actual),
    "numericequals": lambda actual, wanted: float(actual) == float(wanted),
    "numericlessthan": lambda actual, wanted: float(actual) < float(wanted),
    "numericlessthanequals": lambda actual, wanted: float(actual) <= float(wanted),
    "numericgreaterthan": lambda actual, wanted: float(actual) > float(wanted),
    "numericgreaterthanequals": lambda actual, wanted: float(actual) >= float(wanted),
    "dateequals": lambda actual, wanted: _moment(actual) == _moment(wanted),
    "datelessthan": lambda actual, wanted: _moment(actual) < _moment(wanted),
    "datelessthanequals": lambda actual, wanted: _moment(actual) <= _moment(wanted),
    "dategreaterthan": lambda actual, wanted: _moment(actual) > _moment(wanted),
    "dategreaterthanequals": lambda actual, wanted: _moment(actual) >= _moment(wanted),
    "bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "binaryequals": _exactly,
    "ipaddress": _address,
    "arnequals": _arn,
    "arnlike": _arn,
}
_NEGATED = {"stringnotequals": "stringequals", "stringnotequalsignorecase": "stringequalsignorecase",
            "stringnotlike": "stringlike", "numericnotequals": "numericequals", "datenotequals": "dateequals",
            "notipaddress": "ipaddress", "arnnotequals": "arnequals", "arnnotlike": "arnlike"}
_SETS = ("forallvalues:", "foranyvalue:")


def is_operator(name: str) -> bool:
    """Whether the policy language has that condition operator."""
    _, operator, _ = _take_apart(name)
    return operator in _OPERATORS or operator in _NEGATED or operator == "null"


def _take_apart(name: str) -> tuple[str, str, bool]:
    """(set prefix, operator, IfExists) of a condition operator, in lower case."""
    name = name.lower()
    prefix = next((each for each in _SETS if name.startswith(each)), "")
    name = name[len(prefix):]
    return prefix, name.removesuffix("ifexists"), name.endswith("ifexists")


def hold(block: Mapping[str, Any], context: Context, missing: set[str] | None = None) -> bool:
    """Whether every operator and key of a condition block holds; keys without a value are added to `missing`."""
    answers = [_key_holds(name, key, as_list(wanted), context, missing)
               for name, keys in block.items() for key, wanted in keys.items()]
    return all(answers)


def _key_holds(name: str, key: str, wanted: Sequence[Any], context: Context, missing: set[str] | None) -> bool:
    prefix, operator, if_exists = _take_apart(name)
    actual = values_of(context, key)
    if operator == "null":
        return (actual is None) == any(_text(value).lower() == "true" for value in wanted)
    negated = operator in _NEGATED
    compare = _OPERATORS.get(_NEGATED.get(operator, operator))
    if compare is None:
        raise Unanswerable(name)
    if not actual:
        if missing is not None and actual is None:
            missing.add(key)
        return prefix == _SETS[0] or (prefix == "" and (if_exists or negated))
    filled = [text for text in (fill(_text(value), context) for value in wanted) if text is not None]
    try:
        answers = [any(compare(value, text) for text in filled) != negated for value in actual]
    except ValueError as broken:
        raise Unanswerable(name) from broken
    return all(answers) if prefix == _SETS[0] or (negated and not prefix) else any(answers)
