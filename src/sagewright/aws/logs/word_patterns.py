"""Space-delimited filter patterns: `[ip, user, ..., status = 4* && status != 404, size > 1000]`. Called by `patterns`
and `json_patterns`; pure.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from sagewright.core.errors import AwsError

Test = Callable[[str], bool]

_CLOSING = {"[": "]", '"': '"'}
_BARE = re.compile(r"\S+")
_CONDITION = re.compile(r"\s*([\w.-]*)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*$", re.DOTALL)
def no_regex() -> AwsError:
    """The refusal of %regex%: Python's matcher has no linear bound, so a hostile pattern could hold the server up."""
    return AwsError("InvalidParameterException", "Regular expressions in filter patterns are not supported yet")


def split(message: str) -> list[str]:
    """The words of a line; what stands in brackets or quotes is one word. Takes time in proportion to the line."""
    found, at, unclosed = [], 0, set()
    while at < len(message):
        opening = message[at]
        if opening.isspace():
            at += 1
            continue
        closing = _CLOSING.get(opening)
        if closing is not None and closing not in unclosed:
            end = message.find(closing, at + 1)
            if end >= 0:
                found.append(message[at + 1:end])
                at = end + 1
                continue
            unclosed.add(closing)  # there is none further on either
        word = _BARE.match(message, at)
        found.append(word[0] if word else opening)
        at += len(found[-1])
    return found


def number(text: str) -> float | None:
    """The number that the text is, or None."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def comparison(operator: str, wanted: str) -> Test:
    """A test of one value against the right side of a comparison: a number, a word with * or a phrase."""
    if len(wanted) > 1 and wanted[0] == wanted[-1] == "%":
        raise no_regex()
    bare = wanted[1:-1] if len(wanted) > 1 and wanted[0] == wanted[-1] == '"' else wanted
    figure = number(wanted)
    if operator in ("=", "!="):
        def same(value: str) -> bool:
            other = number(value) if figure is not None else None
            return other == figure if other is not None else like(value, bare)
        return same if operator == "=" else lambda value: not same(value)
    if figure is None:
        raise ValueError(wanted)

    def ordered(value: str) -> bool:
        other = number(value)
        if other is None:
            return False
        return {">": other > figure, "<": other < figure, ">=": other >= figure, "<=": other <= figure}[operator]

    return ordered


def like(value: str, wanted: str) -> bool:
    """Equality where * stands for any text."""
    if "*" not in wanted:
        return value == wanted
    escaped = wanted.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(value, escaped)


def compile_words(text: str) -> tuple[Test, Callable[[str], dict[str, str]]]:
    """match and extract of a space-delimited pattern."""
    if not text.endswith("]"):
        raise ValueError(text)
    names, tests, gap = [], [], -1
    for position, part in enumerate(_fields(text[1:-1])):
        if part == "...":
            if gap >= 0:
                raise ValueError(text)
            gap = position
        names.append(_name(part))
        tests.append(None if part == "..." or not re.search(r"[=<>]", part) else _condition(part))

    def words(message: str) -> list[str] | None:
        found = split(message)
        if gap < 0:
            return found if len(found) == len(names) else None
        after = len(names) - gap - 1
        if len(found) < gap + after:
            return None
        return found[:gap] + [""] + found[len(found) - after:] if after else found[:gap] + [""]

    def match(message: str) -> bool:
        found = words(message)
        return found is not None and all(test is None or test(word) for test, word in zip(tests, found))

    def extract(message: str) -> dict[str, str]:
        found = words(message) or []
        return {f"${name or position + 1}": word for position, (name, word) in enumerate(zip(names, found))
                if names[position] != "..."}

    return match, extract


def _fields(text: str) -> list[str]:
    """The parts between commas outside quotes."""
    parts = re.findall(r'(?:[^,"]|"[^"]*")+|(?<=,)(?=,)', text)
    if not parts or text.count('"') % 2:
        raise ValueError(text)
    return [part.strip() for part in parts]


def _name(part: str) -> str:
    return part if part == "..." else re.split(r"[\s=<>!&|()]", part.strip("( "), maxsplit=1)[0]


def _condition(part: str) -> Test:
    """Comparisons of one word joined by && or ||; && binds tighter."""
    alternatives = []
    for alternative in part.strip().split("||"):
        tests = []
        for clause in alternative.split("&&"):
            found = _CONDITION.match(clause.strip().strip("()"))
            if found is None:
                raise ValueError(part)
            tests.append(comparison(found[2], found[3]))
        alternatives.append(tests)
    return lambda word: any(all(test(word) for test in tests) for tests in alternatives)
