"""Log streams and their events on disk, in a SQLite file of their own under the data directory.

Called by `part.Logs` and the operations; calls `core.database` for group commit. The events have a file of their own
because a job may print gigabytes: they must not swell the control plane's database, nor hold up its commits.

Guarantees: an `append` that returned survives kill -9; a page costs the same however long the stream is; memory is
bounded by a page. Events are kept in the order (timestamp, arrival), which is the order in which AWS returns them.
"""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sagewright.core.database import Database

PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
EVENT_OVERHEAD = 26  # what AWS adds to each message when it counts bytes
_LARGEST = 2**62
_PURGE_ROWS = 5_000

_SCHEMA = """
PRAGMA auto_vacuum=INCREMENTAL;
CREATE TABLE IF NOT EXISTS streams (
  id INTEGER PRIMARY KEY AUTOINCREMENT, grp TEXT NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
  first_ts INTEGER, last_ts INTEGER, ingested INTEGER, bytes INTEGER NOT NULL DEFAULT 0,
  next_seq INTEGER NOT NULL DEFAULT 0, UNIQUE (grp, name));
CREATE INDEX IF NOT EXISTS streams_recent ON streams (grp, coalesce(last_ts, 0), id);
CREATE TABLE IF NOT EXISTS events (
  stream INTEGER NOT NULL, ts INTEGER NOT NULL, seq INTEGER NOT NULL, ingested INTEGER NOT NULL,
  message TEXT NOT NULL, PRIMARY KEY (stream, ts, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped (stream INTEGER PRIMARY KEY);
"""
_COLUMNS = "id, name, created, first_ts, last_ts, ingested, bytes"
_COUNT = """UPDATE streams SET next_seq = next_seq + ?, bytes = bytes + ?, ingested = ?,
  first_ts = min(coalesce(first_ts, ?), ?), last_ts = max(coalesce(last_ts, ?), ?)
  WHERE grp = ? AND name = ? RETURNING id, next_seq"""


@dataclass(frozen=True, slots=True)
class Stream:
    """One log stream; times in milliseconds, None while it has no events."""

    id: int
    name: str
    created: int
    first_ts: int | None
    last_ts: int | None
    ingested: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Event:
    """One stored event. (ts, seq) is its place in the stream."""

    ts: int
    seq: int
    ingested: int
    message: str


Gap = tuple[int, int]
"""A place between events: what comes after it has (ts, seq) >= gap, what comes before it has (ts, seq) < gap."""

HEAD: Gap = (-1, 0)
TAIL: Gap = (_LARGEST, 0)


def clean(message: str) -> str:
    """The message as it can be stored: unpaired surrogates, which UTF-8 cannot carry, become question marks."""
    try:
        message.encode()
    except UnicodeEncodeError:
        return message.encode("utf-8", "replace").decode()
    return message


class Events:
    """Every stream and event of one data directory. `group` is the key of a log group, not its name."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as first:  # auto_vacuum only takes hold before the first table exists
            first.executescript(_SCHEMA)
        first.close()
        self.db = Database(f"sqlite:///{path}")

    def close(self) -> None:
        """Finish writes under way and close the file."""
        self.db.close()

    # -- streams ------------------------------------------------------------------------------------------------
    def create(self, group: str, name: str, now: int) -> bool:
        """Add a stream; False if there is one of that name."""
        statement = "INSERT INTO streams (grp, name, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        return self.db.write(lambda tx: tx.exec_driver_sql(statement, (group, name, now)).rowcount == 1, durable=False)

    def drop(self, group: str, name: str | None = None) -> bool:
        """Remove one stream of the group, or all; their events are out of sight at once and purged later."""
        where, values = ("grp = ?", (group,)) if name is None else ("grp = ? AND name = ?", (group, name))

        def change(tx: sa.Connection) -> bool:
            tx.exec_driver_sql(f"INSERT INTO dropped SELECT id FROM streams WHERE {where}", values)
            return tx.exec_driver_sql(f"DELETE FROM streams WHERE {where}", values).rowcount > 0

        return self.db.write(change)

    def stream(self, group: str, name: str) -> Stream | None:
        """The stream of that name."""
        query = f"SELECT {_COLUMNS} FROM streams WHERE grp = ? AND name = ?"
        row = self.db.read(lambda c: c.exec_driver_sql(query, (group, name)).first())
        return Stream(*row) if row is not None else None

    def by_name(self, group: str, prefix: str, after: str | None, descending: bool, limit: int) -> list[Stream]:
        """A page of streams in order of name, beginning after the name `after`."""
        where, values = ["grp = ?", "name >= ?"], [group, prefix]
        if prefix:
            where.append("name < ?")
            values.append(_after(prefix))
        if after is not None:
            where.append("name < ?" if descending else "name > ?")
            values.append(after)
        order = "name DESC" if descending else "name"
        return self._streams(where, values, order, limit)

    def by_time(self, group: str, after: tuple[int, int] | None, descending: bool, limit: int) -> list[Stream]:
        """A page of streams in order of their last event, beginning after (last_ts or 0, id)."""
        where, values = ["grp = ?"], [group]
        if after is not None:
            where.append(f"(coalesce(last_ts, 0), id) {'<' if descending else '>'} (?, ?)")
            values.extend(after)  # type: ignore[arg-type]
        way = "DESC" if descending else "ASC"
        return self._streams(where, values, f"coalesce(last_ts, 0) {way}, id {way}", limit)

    def within(self, group: str, names: Sequence[str], prefix: str, start: int, end: int) -> list[Stream]:
        """The streams, of those named or with that prefix, that may hold events in [start, end)."""
        where, values = ["grp = ?", "last_ts >= ?", "first_ts < ?"], [group, start, end]
        if names:
            where.append(f"name IN ({','.join('?' * len(names))})")
            values.extend(names)  # type: ignore[arg-type]
        elif prefix:
            where.extend(("name >= ?", "name < ?"))
            values.extend((prefix, _after(prefix)))  # type: ignore[arg-type]
        return self._streams(where, values, "id", _LARGEST)

    def stored_bytes(self, group: str) -> int:
        """The size of every message of the group."""
        query = "SELECT coalesce(sum(bytes), 0) FROM streams WHERE grp = ?"
        return int(self.db.read(lambda c: c.exec_driver_sql(query, (group,)).scalar_one()))

    def _streams(self, where: list[str], values: list[Any], order: str, limit: int) -> list[Stream]:
        query = f"SELECT {_COLUMNS} FROM streams WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?"
        return [Stream(*row) for row in self.db.read(lambda c: c.exec_driver_sql(query, (*values, limit)).all())]

    # -- events -------------------------------------------------------------------------------------------------
    def append(self, group: str, name: str, events: Sequence[tuple[int, str]], now: int) -> bool:
        """Add events (milliseconds, message); False if there is no such stream."""
        if not events:
            return self.stream(group, name) is not None
        times = [ts for ts, _ in events]
        first, last = min(times), max(times)
        size = sum(len(message) for _, message in events) + EVENT_OVERHEAD * len(events)

        def change(tx: sa.Connection) -> bool:
            counted = (len(events), size, now, first, first, last, last, group, name)
            row = tx.exec_driver_sql(_COUNT, counted).first()
            if row is None:
                return False
            stream, base = row[0], row[1] - len(events)
            rows = [(stream, ts, base + n, now, message) for n, (ts, message) in enumerate(events)]
            tx.exec_driver_sql("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            return True

        return self.db.write(change, durable=False)

    def read(self, stream: int, gap: Gap, forward: bool = True, start: int = 0, end: int = _LARGEST,
             limit: int = PAGE_EVENTS, size: int = PAGE_BYTES) -> list[Event]:
        """Events of one stream after (or before) `gap` within [start, end), nearest first, at most a page of them."""
        compare, way = (">=", "ASC") if forward else ("<", "DESC")
        query = f"""SELECT ts, seq, ingested, message FROM events WHERE stream = ? AND (ts, seq) {compare} (?, ?)
                    AND ts >= ? AND ts < ? ORDER BY ts {way}, seq {way} LIMIT ?"""
        values = (stream, *gap, start, min(end, _LARGEST), limit)

        def page(connection: sa.Connection) -> list[Event]:
            cursor = connection.connection.cursor()
            cursor.execute(query, values)
            try:
                return list(_page(cursor, size))  # type: ignore[arg-type]
            finally:
                cursor.close()

        return self.db.read(page)

    # -- housekeeping -------------------------------------------------------------------------------------------
    def expire(self, group: str, cutoff: int) -> bool:
        """Remove some events older than `cutoff`; True if there may be more."""
        query = "SELECT id FROM streams WHERE grp = ? AND first_ts < ? LIMIT 1"
        found = self.db.read(lambda c: c.exec_driver_sql(query, (group, cutoff)).scalar())
        if found is None:
            return False

        def change(tx: sa.Connection) -> None:
            if _remove(tx, found, cutoff) < _PURGE_ROWS:
                tx.exec_driver_sql("""UPDATE streams SET first_ts = (SELECT min(ts) FROM events WHERE stream = ?)
                                      WHERE id = ?""", (found, found))

        self.db.write(change, durable=False)
        return True

    def purge(self) -> bool:
        """Remove some events of dropped streams and give their pages back; True if there may be more."""
        found = self.db.read(lambda c: c.exec_driver_sql("SELECT stream FROM dropped LIMIT 1").scalar())
        if found is None:
            return False

        def change(tx: sa.Connection) -> None:
            if _remove(tx, found, _LARGEST) < _PURGE_ROWS:
                tx.exec_driver_sql("DELETE FROM dropped WHERE stream = ?", (found,))

        self.db.write(change, durable=False)
        return True

    def shrink(self) -> bool:
        """Give some free pages back to the file system; True if there are more."""
        self.db.write(lambda tx: tx.exec_driver_sql("PRAGMA incremental_vacuum(4000)").close(), durable=False)
        return bool(self.db.read(lambda c: c.exec_driver_sql("PRAGMA freelist_count").scalar()))

    def keep_only(self, groups: Iterable[str]) -> None:
        """Drop the streams of groups that are gone: a crash may come between a group's removal and its streams'."""
        query = "SELECT DISTINCT grp FROM streams"
        for group in {row[0] for row in self.db.read(lambda c: c.exec_driver_sql(query).all())} - set(groups):
            self.drop(group)

    def clear(self) -> None:
        """Forget everything."""
        def change(tx: sa.Connection) -> None:
            for table in ("streams", "events", "dropped"):
                tx.exec_driver_sql(f"DELETE FROM {table}")

        self.db.write(change, durable=False)


def _after(prefix: str) -> str:
    """A text behind every text that begins with the prefix."""
    following = min(ord(prefix[-1]) + 1, 0x10FFFF)
    return prefix[:-1] + chr(0xE000 if following == 0xD800 else following)  # no surrogates


def _page(rows: Iterator[tuple[int, int, int, str]], size: int) -> Iterator[Event]:
    """Events from a cursor until their size passes `size`; always at least one, so that paging goes on."""
    total = 0
    for count, row in enumerate(rows):
        total += len(row[3]) + EVENT_OVERHEAD
        if count and total > size:
            return
        yield Event(*row)


def _remove(tx: sa.Connection, stream: int, cutoff: int) -> int:
    doomed = tx.exec_driver_sql("SELECT ts, seq, length(message) FROM events WHERE stream = ? AND ts < ? "
                                "ORDER BY ts, seq LIMIT ?", (stream, cutoff, _PURGE_ROWS)).all()
    if doomed:
        last = doomed[-1]
        tx.exec_driver_sql("DELETE FROM events WHERE stream = ? AND (ts, seq) <= (?, ?)", (stream, last[0], last[1]))
        freed = sum(row[2] + EVENT_OVERHEAD for row in doomed)
        tx.exec_driver_sql("UPDATE streams SET bytes = max(0, bytes - ?) WHERE id = ?", (freed, stream))
    return len(doomed)


def merge(events: Events, streams: Sequence[Stream], gaps: dict[int, Gap], forward: bool, start: int,
          end: int) -> Iterator[tuple[Stream, Event]]:
    """Events of several streams interleaved by (timestamp, stream, arrival); a stream is opened when its turn comes."""
    sign = 1 if forward else -1
    order = itertools.count()
    heap: list[tuple[int, int, int, int, Stream, Iterator[Event] | None, Event | None]] = []
    for stream in streams:
        edge = stream.first_ts if forward else stream.last_ts
        heap.append((sign * (edge or 0), -_LARGEST, 0, next(order), stream, None, None))
    heapq.heapify(heap)
    while heap:
        _, _, _, _, stream, rest, event = heapq.heappop(heap)
        if event is not None:
            yield stream, event
        rest = rest or _walk(events, stream.id, gaps.get(stream.id, HEAD if forward else TAIL), forward, start, end)
        following = next(rest, None)
        if following is not None:
            key = (sign * following.ts, sign * stream.id, sign * following.seq)
            heapq.heappush(heap, (*key, next(order), stream, rest, following))


def _walk(events: Events, stream: int, gap: Gap, forward: bool, start: int, end: int) -> Iterator[Event]:
    while page := events.read(stream, gap, forward, start, end, limit=500, size=256 * 1024):
        yield from page
        last = page[-1]
        gap = (last.ts, last.seq + 1) if forward else (last.ts, last.seq)
