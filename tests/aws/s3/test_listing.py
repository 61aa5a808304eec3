"""The walk over sorted keys: pages, prefixes, delimiters, and how little it fetches."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass, field

import pytest

from sagewright.aws.s3.listing import Walk, successor


@dataclass
class Shelf:
    """Sorted keys, and how many rows were fetched of them."""

    keys: list[bytes]
    fetched: int = 0
    fetches: list[int] = field(default_factory=list)

    def fetch(self, start: bytes, beyond: bytes | None, stop: bytes | None, limit: int) -> list[bytes]:
        at = bisect.bisect_left(self.keys, start) if beyond is None else bisect.bisect_right(self.keys, beyond)
        rows = [key for key in self.keys[at:at + limit] if stop is None or key < stop]
        self.fetched += len(rows)
        self.fetches.append(len(rows))
        return rows

    def walk(self, prefix: bytes = b"", delimiter: bytes = b"") -> Walk[bytes]:
        return Walk(self.fetch, lambda key: key, prefix, delimiter)


def expected(keys: list[bytes], prefix: bytes, delimiter: bytes) -> list[bytes]:
    """What a listing must give in all, computed the slow way."""
    found = []
    for key in sorted(keys):
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            found.append(key if at < 0 else key[:at + len(delimiter)])
    return list(dict.fromkeys(found))


def all_pages(walk: Walk[bytes], size: int) -> list[bytes]:
    found: list[bytes] = []
    after = b""
    for _ in range(10_000):
        page = walk.page(after, size)
        assert len(page) <= size
        found += sorted([*page.rows, *page.prefixes])
        if not page.truncated:
            return found
        after = page.last
    raise AssertionError("the listing does not end")


KEYS = [b"".join(parts) for parts in itertools.product([b"a", b"b/", b"c/d", b"\xc3\xa9/"], [b"", b"/", b"1", b"x/y"],
                                                       [b"", b"2/", b"zz"])]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("delimiter", [b"", b"/", b"/y", b"z"])
@pytest.mark.parametrize("prefix", [b"", b"a", b"b/", b"b", b"c/d1", b"zzz"])
def test_pages_of_any_size_add_up_to_the_whole(prefix: bytes, delimiter: bytes, size: int) -> None:
    shelf = Shelf(sorted(set(KEYS)))
    assert all_pages(shelf.walk(prefix, delimiter), size) == expected(shelf.keys, prefix, delimiter)


def test_a_common_prefix_is_passed_without_reading_it() -> None:
    shelf = Shelf(sorted(b"%d/%06d" % (folder, n) for folder in range(10) for n in range(10_000)))
    page = shelf.walk(delimiter=b"/").page(b"", 1000)
    assert page.prefixes == [b"%d/" % folder for folder in range(10)] and not page.truncated
    assert shelf.fetched < 3000


def test_a_page_late_in_a_large_bucket_reads_no_more_than_an_early_one() -> None:
    shelf = Shelf([b"%08d" % n for n in range(100_000)])
    early, late = Shelf(shelf.keys), Shelf(shelf.keys)
    early.walk().page(b"", 1000)
    late.walk().page(b"00098000", 1000)
    assert early.fetched == late.fetched == 1001


def test_a_marker_inside_a_common_prefix_still_shows_that_prefix() -> None:
    shelf = Shelf([b"a/1", b"a/2", b"b"])
    assert shelf.walk(delimiter=b"/").page(b"a/1", 10).prefixes == [b"a/"]
    assert shelf.walk(delimiter=b"/").page(b"a/", 10).prefixes == []


def test_no_entries_wanted_is_an_empty_page_that_is_not_truncated() -> None:
    page = Shelf([b"a"]).walk().page(b"", 0)
    assert (len(page), page.truncated) == (0, False)


@pytest.mark.parametrize(("prefix", "after"), [(b"a", b"b"), (b"a/", b"a0"), (b"a\xff", b"b"), (b"", None),
                                               (b"\xff", None)])
def test_the_first_text_after_all_with_a_prefix(prefix: bytes, after: bytes | None) -> None:
    assert successor(prefix) == after
