"""Wildcard matching (`*` and `?`) in linear time: policies are hostile input, and regular expressions backtrack.

Called by core/policy.py; calls nothing of ours.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

# Stand-ins for a star and a question mark that are meant literally (Unicode noncharacters: never in a document).
_STAR, _MARK = "\ufdd0", "\ufdd1"


def literal(text: str) -> str:
    """The text with its wildcards taken literally, for values put into a pattern."""
    return text.replace("*", _STAR).replace("?", _MARK)


def plain(text: str) -> str:
    """The text that `literal` was given."""
    return text.replace(_STAR, "*").replace(_MARK, "?")


@dataclass(frozen=True)
class _Piece:
    """What stands between two stars; `marked` is set where it has question marks, of the same fixed length."""

    text: str
    marked: re.Pattern[str] | None = None

    def ends(self, text: str, at: int) -> int:
        """Where the piece ends if it stands at that place, else -1."""
        found = self.marked.match(text, at) is not None if self.marked else text.startswith(self.text, at)
        return at + len(self.text) if found else -1

    def find(self, text: str, at: int) -> int:
        """Where its first occurrence from that place on ends, or -1."""
        if self.marked:
            match = self.marked.search(text, at)
            return match.end() if match else -1
        found = text.find(self.text, at)
        return found + len(self.text) if found >= 0 else -1


def _piece(part: str) -> _Piece:
    if "?" not in part:
        return _Piece(plain(part))
    letters = ["." if letter == "?" else re.escape(plain(letter)) for letter in part]
    return _Piece(part, re.compile("".join(letters), re.DOTALL))


@functools.lru_cache(maxsize=8192)
def _pieces(pattern: str) -> tuple[_Piece, ...]:
    return tuple(_piece(part) for part in pattern.split("*"))


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern."""
    if pattern == "*":
        return True
    pieces = _pieces(pattern)
    at = pieces[0].ends(text, 0)
    if at < 0 or len(pieces) == 1:
        return at == len(text)
    for piece in pieces[1:-1]:
        at = piece.find(text, at)
        if at < 0:
            return False
    tail = len(text) - len(pieces[-1].text)
    return tail >= at and pieces[-1].ends(text, tail) == len(text)
