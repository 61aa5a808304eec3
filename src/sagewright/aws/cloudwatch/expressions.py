"""Metric math: the text of an expression and the series it names in, series out.

    m1 + m2 * 100        e1 / PERIOD(e1)        SUM(METRICS()) > 5 AND m1 < 3        IF(m1 > 1, m1, 0)
    FILL(m1, 0)          [m1, m2]               METRICS("error")                     -m1 ^ 2

A value is a number, a `Series`, or a list of series. Pure; called by `query`, which resolves names (expressions may
name other expressions) and calls `functions` for what stands before parentheses.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z]\w*)|
    (?P<text>'[^']*'|"[^"]*")|(?P<op>&&|\|\||==|!=|<=|>=|<>|[-+*/^<>(),\[\]]))""", re.VERBOSE)
_MAX_LENGTH = 2048
_MAX_DEPTH = 40


class Wrong(Exception):
    """The expression cannot be read or computed; the text says why."""


@dataclass(frozen=True)
class Series:
    """Values by time, seconds since the epoch, one every `period` seconds where there are any."""

    values: dict[int, float]
    period: int
    label: str = ""


Value = "float | Series | list[Series]"


@dataclass
class Scope:
    """What an expression may ask for: series by id, every metric of the request, and the span asked about."""

    resolve: Callable[[str], Any]
    metrics: Callable[[str], list[Series]]
    start: int
    end: int
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)


def evaluate(text: str, scope: Scope) -> Any:
    """The value of an expression; raises `Wrong`."""
    if len(text) > _MAX_LENGTH:
        raise Wrong("the expression is too long")
    parser = _Parser(text, scope)
    value = parser.disjunction()
    if parser.peek() is not None:
        raise Wrong(f"unexpected '{parser.peek()}'")
    return value


def apply(function: Callable[[float, float], float | None], left: Any, right: Any) -> Any:
    """A function of two numbers carried over to series and lists of series, point by point."""
    if isinstance(left, str) or isinstance(right, str):
        raise Wrong("text stands where a number or a time series is expected")
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            raise Wrong("the two arrays of time series differ in length")
        return [apply(function, a, b) for a, b in zip(left, right)]
    if isinstance(left, list):
        return [apply(function, item, right) for item in left]
    if isinstance(right, list):
        return [apply(function, left, item) for item in right]
    if isinstance(left, Series):
        return Series(_points(function, left, right), left.period, left.label)
    if isinstance(right, Series):
        return Series(_points(lambda b, a: function(a, b), right, left), right.period, right.label)
    result = function(left, right)
    return math.nan if result is None else result


def _points(function: Callable[[float, float], float | None], series: Series, other: Any) -> dict[int, float]:
    found = {}
    for at, value in series.values.items():
        if isinstance(other, Series) and at not in other.values:
            continue
        result = function(value, other.values[at] if isinstance(other, Series) else other)
        if result is not None and math.isfinite(result):
            found[at] = result
    return found


def _safe(function: Callable[[float, float], float]) -> Callable[[float, float], float | None]:
    """Points that cannot be computed (division by zero, overflow) are left out, as AWS does."""
    def guarded(a: float, b: float) -> float | None:
        try:
            result = function(a, b)
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
        return float(result) if not isinstance(result, complex) else None
    return guarded


_COMPARE = {"==": operator.eq, "!=": operator.ne, "<>": operator.ne, "<": operator.lt, ">": operator.gt,
            "<=": operator.le, ">=": operator.ge}
_SUM = {"+": operator.add, "-": operator.sub}
_PRODUCT = {"*": operator.mul, "/": operator.truediv}


class _Parser:
    """Reads and computes in one go, loosest operators first."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.scope = scope
        self.tokens: list[tuple[str, str]] = []
        self.at, self.depth, position = 0, 0, 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise Wrong(f"unexpected '{text[position:position + 10].strip()}'")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()

    def peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise Wrong("the expression ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, wanted: str) -> None:
        _, text = self.take()
        if text != wanted:
            raise Wrong(f"'{wanted}' expected instead of '{text}'")

    def disjunction(self) -> Any:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Wrong("the expression is nested too deeply")
        value = self.conjunction()
        while self.peek() in ("OR", "||"):
            self.take()
            value = apply(lambda a, b: float(bool(a) or bool(b)), value, self.conjunction())
        self.depth -= 1
        return value

    def conjunction(self) -> Any:
        value = self.comparison()
        while self.peek() in ("AND", "&&"):
            self.take()
            value = apply(lambda a, b: float(bool(a) and bool(b)), value, self.comparison())
        return value

    def comparison(self) -> Any:
        return self.chain(_COMPARE, lambda: self.chain(_SUM, lambda: self.chain(_PRODUCT, self.power)))

    def chain(self, table: dict[str, Any], below: Callable[[], Any]) -> Any:
        value = below()
        while (sign := self.peek()) in table and self.tokens[self.at][0] == "op":
            self.take()
            value = apply(_safe(table[str(sign)]), value, below())
        return value

    def power(self) -> Any:
        negations = 0
        while self.peek() in ("-", "+"):
            negations += self.take()[1] == "-"
        value = self.atom()
        if self.peek() == "^":
            self.take()
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise Wrong("the expression is nested too deeply")
            value = apply(_safe(operator.pow), value, self.power())
            self.depth -= 1
        return apply(lambda a, b: a * b, value, -1.0) if negations % 2 else value

    def atom(self) -> Any:
        kind, text = self.take()
        if kind == "number":
            return float(text)
        if kind == "text":
            return text[1:-1]
        if text == "(":
            value = self.disjunction()
            self.expect(")")
            return value
        if text == "[":
            return _flat(self.arguments("]"))
        if kind != "name":
            raise Wrong(f"unexpected '{text}'")
        return self.call(text.upper()) if self.peek() == "(" else self.named(text)

    def named(self, text: str) -> Any:
        if text in ("REPEAT", "LINEAR", "TRUE", "FALSE"):
            return {"TRUE": 1.0, "FALSE": 0.0}.get(text, text)
        return self.scope.resolve(text)

    def call(self, name: str) -> Any:
        self.take()
        arguments = self.arguments(")")
        if name == "METRICS":
            if len(arguments) > 1 or not all(isinstance(part, str) for part in arguments):
                raise Wrong("METRICS takes one text or nothing")
            return self.scope.metrics(arguments[0] if arguments else "")
        function = self.scope.functions.get(name)
        if function is None:
            raise Wrong(f"the function {name} is not supported")
        try:
            return function(self.scope, *arguments)
        except (TypeError, AttributeError, ValueError, OverflowError, ZeroDivisionError, IndexError):
            raise Wrong(f"wrong arguments of {name}") from None

    def arguments(self, closing: str) -> list[Any]:
        found: list[Any] = []
        if self.peek() == closing:
            self.take()
            return found
        while True:
            found.append(self.disjunction())
            _, text = self.take()
            if text == closing:
                return found
            if text != ",":
                raise Wrong(f"unexpected '{text}'")


def _flat(values: list[Any]) -> list[Series]:
    found: list[Series] = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, Series):
                raise Wrong("only time series may stand in [...]")
            found.append(item)
    return found
