"""JSON filter patterns: `{ ($.level = "ERROR" || $.code >= 500) && $.user.id IS NOT NULL }`.

A recursive-descent parser that yields a test on the decoded message. Called by `patterns`; pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sagewright.aws.logs import word_patterns

Check = Callable[[Any], bool]

_TOKEN = re.compile(r"""\s*(?:
    (?P<selector>\$(?:\.[\w\-]+|\.\*|\[\s*\d+\s*\]|\[\s*\*\s*\]|\[\s*"[^"]*"\s*\]|\[\s*'[^']*'\s*\])*) |
    (?P<op>&&|\|\||!=|>=|<=|=|>|<|\(|\)|!) |
    (?P<word>IS\b|NOT\b|EXISTS\b|TRUE\b|FALSE\b|NULL\b) |
    (?P<value>"(?:[^"\\]|\\.)*"|%[^%]+%|[^\s()&|=<>!"]+)
)""", re.VERBOSE)
_STEP = re.compile(r"""\.([\w\-*]+)|\[\s*(\d+|\*)\s*\]|\[\s*["']([^"']*)["']\s*\]""")
_MISSING = object()
_MAX_DEPTH = 50


def select(document: Any, selector: str) -> Any:
    """The value that `$.a.b[0]` names, or `_MISSING`."""
    for name, index, quoted in _STEP.findall(selector[1:]):
        if index:
            if not isinstance(document, list) or not document:
                return _MISSING
            if index != "*" and int(index) >= len(document):
                return _MISSING
            document = document[0 if index == "*" else int(index)]
        else:
            key = quoted or name
            if not isinstance(document, dict) or key not in document:
                return _MISSING
            document = document[key]
    return document


def compile_json(text: str) -> tuple[Callable[[str], bool], Callable[[str], dict[str, str]]]:
    """match and extract of a JSON pattern."""
    if not text.endswith("}"):
        raise ValueError(text)
    parser = _Parser(text[1:-1])
    check = parser.alternatives()
    if parser.peek() is not None:
        raise ValueError(text)

    def match(message: str) -> bool:
        document = _load(message)
        return document is not _MISSING and check(document)

    def extract(message: str) -> dict[str, str]:
        document = _load(message)
        found = {selector: select(document, selector) for selector in parser.selectors}
        return {selector: text_of(value) for selector, value in found.items() if value is not _MISSING}

    return match, extract


def text_of(value: Any) -> str:
    """A JSON value as text."""
    return value if isinstance(value, str) else json.dumps(value)


def value_in(message: str, selector: str) -> str | None:
    """The text of what a selector names in a message, or None."""
    found = select(_load(message), selector)
    return None if found is _MISSING else text_of(found)


def _load(message: str) -> Any:
    """The JSON object that a message is, or `_MISSING`."""
    try:
        document = json.loads(message) if message.lstrip()[:1] in ("{", "[") else _MISSING
    except (ValueError, RecursionError):
        return _MISSING
    return document


class _Parser:
    """Tokens of one pattern and the grammar over them: `||` over `&&` over comparisons and parentheses."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.selectors: list[str] = []
        self.at = 0
        self.depth = 0
        end = len(text.rstrip())
        position = 0
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise ValueError(text)
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()

    def peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise ValueError("unexpected end")
        self.at += 1
        return self.tokens[self.at - 1]

    def alternatives(self) -> Check:
        checks = [self.conjunction()]
        while self.peek() == "||":
            self.take()
            checks.append(self.conjunction())
        return checks[0] if len(checks) == 1 else lambda document: any(check(document) for check in checks)

    def conjunction(self) -> Check:
        checks = [self.term()]
        while self.peek() == "&&":
            self.take()
            checks.append(self.term())
        return checks[0] if len(checks) == 1 else lambda document: all(check(document) for check in checks)

    def term(self) -> Check:
        kind, text = self.take()
        if text == "(" and kind == "op":
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise ValueError("too deep")
            inner = self.alternatives()
            if self.take()[1] != ")":
                raise ValueError("unbalanced")
            self.depth -= 1
            return inner
        if text == "!" and kind == "op":
            negated = self.term()
            return lambda document: not negated(document)
        if kind != "selector" or text == "$":
            raise ValueError(text)
        self.selectors.append(text)
        return self.comparison(text)

    def comparison(self, selector: str) -> Check:
        kind, operator = self.take()
        if kind == "word":
            return self.nature(selector, operator)
        if kind != "op" or operator not in ("=", "!=", ">", "<", ">=", "<="):
            raise ValueError(operator)
        kind, wanted = self.take()
        if kind not in ("value", "word"):
            raise ValueError(wanted)
        if wanted[0] == '"':
            wanted = '"' + re.sub(r"\\(.)", r"\1", wanted[1:-1]) + '"'
        test = word_patterns.comparison(operator, wanted)

        def check(document: Any) -> bool:
            value = select(document, selector)
            if value is _MISSING or isinstance(value, (dict, list)) or value is None:
                return False
            return test(text_of(value))

        return check

    def nature(self, selector: str, word: str) -> Check:
        """IS TRUE, IS FALSE, IS NULL, IS NOT NULL, NOT EXISTS, EXISTS."""
        words = [word]
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "word":
            words.append(self.take()[1])
        checks: dict[tuple[str, ...], Callable[[Any], bool]] = {
            ("IS", "TRUE"): lambda value: value is True,
            ("IS", "FALSE"): lambda value: value is False,
            ("IS", "NULL"): lambda value: value is None,
            ("IS", "NOT", "NULL"): lambda value: value is not _MISSING and value is not None,
            ("NOT", "EXISTS"): lambda value: value is _MISSING,
            ("EXISTS",): lambda value: value is not _MISSING,
        }
        if tuple(words) not in checks:
            raise ValueError(" ".join(words))
        check = checks[tuple(words)]
        return lambda document: check(select(document, selector))
