"""Kinds of hyperparameters and their checks, in the words of AWS's algorithm toolkit.

Called by each algorithm's `*_hyperparameters` module. Every value arrives as text.
"""

from __future__ import annotations

import ast
from typing import Any, Callable, Sequence

from sagewright_kit.algorithms.errors import UserError

Check = Callable[[Any, "dict[str, Any]"], None]


class Interval:
    """A range of numbers; brackets say which ends belong to it: Interval("(", 0, 1, "]")."""

    def __init__(self, left: str, low: float | None, high: float | None, right: str) -> None:
        self.left, self.low, self.high, self.right = left, low, high, right

    def __contains__(self, value: float) -> bool:
        if value != value:
            return False
        low = self.low is None or value > self.low or (self.left == "[" and value == self.low)
        high = self.high is None or value < self.high or (self.right == "]" and value == self.high)
        return low and high

    def __str__(self) -> str:
        low = "(-inf" if self.low is None else "%s%s" % (self.left, self.low)
        high = "+inf)" if self.high is None else "%s%s" % (self.high, self.right)
        return "%s, %s" % (low, high)


def at_least(low: float) -> Interval:
    return Interval("[", low, None, ")")


def between(low: float, high: float) -> Interval:
    return Interval("[", low, high, "]")


class Hyperparameter:
    """Free text with an optional list of what is allowed."""

    def __init__(self, allowed: Any = None, required: bool = False, check: Check | None = None) -> None:
        self.allowed, self.required, self.check = allowed, required, check

    def parse(self, text: Any) -> Any:
        return text

    def verify(self, name: str, value: Any) -> None:
        if self.allowed is not None and value not in self.allowed:
            raise UserError("Hyperparameter %s: %s is not in %s" % (name, value, self.allowed))


class Integer(Hyperparameter):
    def parse(self, text: Any) -> int:
        return int(text)


class Continuous(Hyperparameter):
    def parse(self, text: Any) -> float:
        return float(text)


class Choice(Hyperparameter):
    pass


class Many(Hyperparameter):
    """Several values in one: a check per element."""

    def elements(self, value: Any) -> Sequence[Any]:
        return value

    def verify(self, name: str, value: Any) -> None:
        if any(element not in self.allowed for element in self.elements(value)):
            raise UserError("Hyperparameter %s: value %s not in range %s" % (name, value, self.allowed))


class CommaList(Many):
    def parse(self, text: Any) -> list[str]:
        if isinstance(text, (list, tuple)):
            return [str(one) for one in text]
        if str(text).lstrip().startswith("["):
            return [str(one) for one in _literal(text)]
        return [one.strip() for one in str(text).split(",")]


class NestedList(Many):
    def parse(self, text: Any) -> list[list[int]]:
        value = _literal(text)
        if not all(isinstance(inner, (list, tuple)) for inner in value):
            raise ValueError(text)
        return [list(inner) for inner in value]

    def elements(self, value: Any) -> Sequence[Any]:
        return [element for inner in value for element in inner]


class Tuple(Many):
    def parse(self, text: Any) -> tuple[Any, ...]:
        return tuple(_literal(text))


def _literal(text: Any) -> Any:
    value = ast.literal_eval(str(text).strip())
    return value if isinstance(value, (list, tuple)) else (value,)


def validate(schema: dict[str, Hyperparameter], aliases: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    """Parsed values, or a UserError that says what is wrong."""
    given = {aliases.get(name, name): value for name, value in given.items()}
    for name, kind in schema.items():
        if kind.required and name not in given:
            raise UserError("Missing required hyperparameter: %s" % name)
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in schema:
            raise UserError("Extraneous hyperparameter found: %s" % name)
        try:
            values[name] = schema[name].parse(text)
        except (ValueError, SyntaxError, TypeError) as error:
            words = "Hyperparameter %s: could not parse value (caused by %s)"
            raise UserError(words % (name, type(error).__name__)) from error
    for name, value in values.items():
        schema[name].verify(name, value)
    for name, value in values.items():
        check = schema[name].check
        if check is not None:
            check(value, values)
    return values
