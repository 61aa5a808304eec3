"""The models' regular expressions: Java's dialect turned into Python's, compiled once, guarded against slow matches.

Called by `validate`. A pattern that cannot be turned is not checked (`compiled` answers None); a test lists those.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

# Java classes that Python lacks, as the inside of a bracket expression (Java's are ASCII unless a category is named).
_POSIX = {"Alnum": "0-9A-Za-z", "Alpha": "A-Za-z", "Digit": "0-9", "Lower": "a-z", "Upper": "A-Z",
          "ASCII": "\\x00-\\x7f", "Space": " \\t\\n\\x0b\\f\\r", "Print": "\\x20-\\x7e", "Graph": "\\x21-\\x7e",
          "Punct": "!-/:-@\\[-`{-~", "XDigit": "0-9A-Fa-f", "Blank": " \\t", "Cntrl": "\\x00-\\x1f\\x7f"}
_SURROGATES = "\\uD800\\uDC00-\\uDBFF\\uDFFF"  # every character beyond the basic plane, as Java spells it
_LAST_LETTER = 0x33500  # nothing above is a letter, digit, mark or symbol but for a few marks
# Patterns whose matching takes exponential time, each with an equal one that takes linear time.
REWRITTEN = {
    r"[a-z0-9]([-a-z0-9]*[a-z0-9]){0,39}?": r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?",
    r"https://([.\-_a-zA-Z0-9]+/?){3,1016}": r"https://(?:[.\-_a-zA-Z0-9]/?){3,1016}",
    r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$": r"^[a-z0-9*](?:[._\-/]?[a-z0-9*])*$",
    r"^[ \t]*[^\x00-\x1F:\x7F]+([ \t]+[^\x00-\x1F:\x7F]+)*[ \t]*$":
        r"^\t*[^\x00-\x1F:\x7F][^\x00-\x08\x0A-\x1F:\x7F]*$",
    r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$": r"^\t*[\x20-\x7E][\t\x20-\x7E]*$",
}
# Two repetitions can take quadratic time and more: longer text is not matched against such a pattern (text beyond its
# length constraint is refused in any case).
LONGEST = 4096
_CLASS = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.")
_REPEAT = re.compile(r"[*+{]")


@functools.cache
def _runs() -> list[tuple[str, int, int]]:
    """Category, first and last code point of each run of characters of one category."""
    found: list[tuple[str, int, int]] = []
    current, start = "", 0
    for code in range(_LAST_LETTER + 1):
        category = unicodedata.category(chr(code))
        if category != current:
            found.append((current, start, code - 1))
            current, start = category, code
    return [*found[1:], ("Mn", 0xE0100, 0xE01EF)]  # the variation selectors, far above the rest


@functools.cache
def _category(name: str) -> str:
    """The characters of a Unicode category (or its first letter) as the inside of a bracket expression."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for category, first, last in _runs() if category.startswith(name))


def to_python(pattern: str) -> str:
    """The pattern in Python's dialect; ValueError or re.error where that is impossible."""
    pattern = pattern.replace(_SURROGATES, "\\U00010000-\\U0010FFFF")
    pattern = re.sub(r"\$\{\d+,?\d*\}", "$", pattern)  # a repeated end of text is still the end of text
    pattern = re.sub(r"\\z", r"\\Z", pattern)
    pattern = re.sub(r"\(\?<([A-Za-z]\w*)>", r"(?P<\1>", pattern)
    out, at, inside = [], 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            text, at = _escape(pattern, at, inside)
            out.append(text)
            continue
        if char == "[" and not inside:
            inside = True
            out.append("[" + ("^" if pattern[at + 1:at + 2] == "^" else ""))
            at += len(out[-1])
            continue
        if char == "]" and inside:
            inside = False
        out.append("\\[" if char == "[" else char)
        at += 1
    return "".join(out)


def _escape(pattern: str, at: int, inside: bool) -> tuple[str, int]:
    """One escape sequence, and where the pattern goes on."""
    kind = pattern[at + 1:at + 2]
    if kind in ("p", "P"):
        match = re.compile(r"\\[pP]\{(?:Is)?(\w+)\}").match(pattern, at)
        if match is None or (kind == "P" and inside):
            raise ValueError(f"{pattern} names a class that Python cannot")
        name = match.group(1)
        chars = _POSIX.get(name) or _category(name)
        if not chars:
            raise ValueError(f"{pattern} names the unknown class {name}")
        return (chars if inside else f"[{'^' if kind == 'P' else ''}{chars}]"), match.end()
    end = at + 2
    if inside and kind in tuple("wdsWDS") and pattern[end:end + 1] == "-" and pattern[end + 1:end + 2] != "]":
        return f"\\{kind}\\-", end + 1  # Java reads the hyphen after a class as itself
    return pattern[at:end], end


@functools.cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern ready for `fullmatch`, or None where Python cannot express it."""
    try:
        return re.compile(to_python(REWRITTEN.get(pattern, pattern)), re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError):
        return None


@functools.cache
def limit(pattern: str, most: int | None) -> int:
    """The longest text that may be matched against the pattern of a member whose longest valid text is `most`."""
    if len(_REPEAT.findall(_CLASS.sub("x", pattern))) < 2:
        return sys.maxsize
    return LONGEST if most is None else min(LONGEST, 2 * most + 64)
