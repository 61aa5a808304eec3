"""Walking a bucket in key order with prefix, delimiter and paging: pure logic over a `fetch` of sorted rows.

Called by the list operations for objects, versions and uploads. A common prefix is passed by seeking to the first
key after it, so a page costs the same wherever it lies and however many keys a prefix holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

R = TypeVar("R")
_SMALL = 16  # rows fetched where a common prefix may have to be passed; grows while none is met


def successor(prefix: bytes) -> bytes | None:
    """The first byte string after every one that starts with `prefix`; None if there is none."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None


@dataclass
class Page(Generic[R]):
    """Rows and common prefixes of one page, in order; `last` is the key or prefix that ended it."""

    rows: list[R] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    truncated: bool = False
    last: bytes = b""
    last_row: R | None = None

    def __len__(self) -> int:
        return len(self.rows) + len(self.prefixes)


@dataclass(frozen=True)
class Walk(Generic[R]):
    """What to list.

    `fetch(start, beyond, stop, limit)` gives sorted rows with start <= key < stop, or those beyond a row that it gave
    before. A key's rows (versions, uploads) may be several.
    """

    fetch: Callable[[bytes, R | None, bytes | None, int], list[R]]
    key: Callable[[R], bytes]
    prefix: bytes = b""
    delimiter: bytes = b""

    def page(self, after: bytes, limit: int, beyond: R | None = None) -> Page[R]:
        """Up to `limit` entries that come after the key or common prefix `after`, or beyond that row of it."""
        page: Page[R] = Page()
        start = self._start(after)
        if beyond is not None and self._group(self.key(beyond)) is not None:
            beyond = None
        batch = _SMALL if self.delimiter else limit + 1
        while start is not None and limit > 0:
            want = min(limit - len(page) + 1, batch)
            rows = self.fetch(start, beyond, successor(self.prefix), want)
            if not all(self._add(page, row, limit) for row in rows) or len(rows) < want:
                break
            beyond = rows[-1]
            group = self._group(self.key(beyond))
            batch = _SMALL if group is not None else batch * 4
            if group is not None:
                start, beyond = successor(group), None
        return page

    def _start(self, after: bytes) -> bytes | None:
        if not after or after < self.prefix:
            return self.prefix
        # The least byte string above `after`; a common prefix is passed with all that it holds.
        return successor(after) if self._group(after) == after else after + b"\0"

    def _add(self, page: Page[R], row: R, limit: int) -> bool:
        """Take one row in; False once the page is full and more was found."""
        key = self.key(row)
        group = self._group(key)
        if group is not None and page.prefixes and page.prefixes[-1] == group:
            return True
        if len(page) >= limit:
            page.truncated = True
            return False
        if group is not None:
            page.prefixes.append(group)
            page.last, page.last_row = group, None
        else:
            page.rows.append(row)
            page.last, page.last_row = key, row
        return True

    def _group(self, key: bytes) -> bytes | None:
        """The common prefix that a key falls under, if any."""
        if not self.delimiter or not key.startswith(self.prefix):
            return None
        at = key.find(self.delimiter, len(self.prefix))
        return None if at < 0 else key[:at + len(self.delimiter)]
