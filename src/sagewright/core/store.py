"""The store: rows, tags and one event log, on SQLite (WAL) or PostgreSQL through the same statements.

Guarantees (every implementation passes `tests/contracts/store_suite.py`):

- A write that returned survives kill -9 and power loss (SQLite: WAL, synchronous FULL).
- Writers are serialised on SQLite and share commits (group commit); readers never wait for writers.
- `update` is optimistic: it fails with `Conflict` when the row's version moved since it was read.
- A terminal row never changes status (`Terminal`); its tags may, and it may be deleted.
- Each insert, update and delete appends one event in the same transaction; event numbers only grow.
- Listing is keyset-paged: the cost of a page does not depend on how many rows precede it.

Called by derived verbs, handlers and controllers; calls SQLAlchemy Core only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import sqlalchemy as sa

from sagewright.core import database
from sagewright.core.clock import Clock, SystemClock
from sagewright.core.errors import Conflict, Terminal
from sagewright.core.tables import EVENTS, RESOURCES, TAGS

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One resource. `body` is the AWS dict that Describe answers from; `work` is the controller's own notes.

    `version` counts changes; `created` and `modified` are seconds since the epoch.
    """

    kind: str
    account: str
    region: str
    name: str
    arn: str
    body: dict[str, Any]
    status: str = ""
    terminal: bool = False
    owner: str = ""
    work: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    version: int = 1
    created: float = 0.0
    modified: float = 0.0

    def with_(self, status: str | None = None, terminal: bool | None = None,
              body: dict[str, Any] | None = None, work: dict[str, Any] | None = None) -> Row:
        """A copy with members of `body` and `work` merged in; a value of None removes that member."""
        return replace(
            self,
            status=self.status if status is None else status,
            terminal=self.terminal if terminal is None else terminal,
            body=_merged(self.body, body), work=_merged(self.work, work),
        )


@dataclass(frozen=True)
class Event:
    """One change: "created", "updated" or "deleted"."""

    seq: int
    at: float
    kind: str
    arn: str
    account: str
    change: str
    status: str
    version: int


@dataclass(frozen=True)
class Page:
    """What a listing asks for. `after` is the (sort value, id) of the last row of the previous page."""

    kind: str
    account: str
    region: str
    limit: int = 100
    sort: str = "created"  # created, modified, name or status
    descending: bool = False
    after: tuple[Any, int] | None = None
    statuses: Sequence[str] = ()
    name_contains: str = ""
    owner: str = ""
    created_after: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None


def _merged(old: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    if not changes:
        return old
    return {key: value for key, value in {**old, **changes}.items() if value is not None}


def _row(record: Any) -> Row:
    values = dict(record._mapping)
    values["body"], values["work"] = json.loads(values["body"]), json.loads(values["work"])
    return Row(**values)


def _values(row: Row) -> dict[str, Any]:
    return {"kind": row.kind, "account": row.account, "region": row.region, "name": row.name, "arn": row.arn,
            "status": row.status, "terminal": row.terminal, "owner": row.owner, "version": row.version,
            "created": row.created, "modified": row.modified,
            "body": json.dumps(row.body, separators=(",", ":"), default=_plain),
            "work": json.dumps(row.work, separators=(",", ":"), default=_plain)}


def _plain(value: Any) -> Any:
    """Datetimes are kept as epoch seconds: the wire writer turns numbers into whatever the protocol wants."""
    if hasattr(value, "timestamp"):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} cannot be stored")


class Store:
    """The store over one SQLAlchemy engine."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.db = database.Database(url)
        self._listeners: list[Callable[[list[Event]], None]] = []
        self._listener_lock = threading.Lock()

    # -- access for rooms with tables of their own ------------------------------------------------------------
    def write(self, change: Callable[[sa.Connection], T], durable: bool = True) -> T:
        """Run `change` in a transaction and return its value once that is committed (and durable).

        Writers share commits; an exception in one undoes only its own statements. `change` must be short and must
        not call the store again.
        """
        return self.db.write(change, durable)

    def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run `query` on a reading connection."""
        return self.db.read(query)

    def subscribe(self, listener: Callable[[list[Event]], None]) -> None:
        """Have `listener(events)` called after each commit that appended events, on the writing thread."""
        with self._listener_lock:
            self._listeners.append(listener)

    # -- rows ---------------------------------------------------------------------------------------------------
    def insert(self, row: Row, tags: Iterable[dict[str, str]] = ()) -> Row:
        """Add a row with its tags; `Conflict` where the name or ARN is taken."""
        now = self.clock.now()
        row = replace(row, created=row.created or now, modified=row.modified or now)
        tag_rows = _tag_rows(row.arn, tags)

        def change(tx: sa.Connection) -> tuple[int, Event]:
            try:
                key = tx.execute(RESOURCES.insert().values(**_values(row))).inserted_primary_key
            except sa.exc.IntegrityError as taken:
                raise Conflict(row.arn) from taken
            if tag_rows:
                tx.execute(TAGS.insert(), tag_rows)
            return int(key[0]) if key else 0, _append(tx, row, "created", now)

        identifier, event = self.db.write(change)
        self._tell(event)
        return replace(row, id=identifier)

    def update(self, row: Row, durable: bool = True) -> Row:
        """Store a changed row (made with `row.with_`); `Conflict` if it moved on, `Terminal` if it had ended."""
        now = self.clock.now()
        after = replace(row, version=row.version + 1, modified=max(now, row.created))

        def change(tx: sa.Connection) -> Event:
            same = sa.and_(RESOURCES.c.id == row.id, RESOURCES.c.version == row.version)
            open_row = sa.or_(RESOURCES.c.terminal == sa.false(), RESOURCES.c.status == row.status)
            if tx.execute(RESOURCES.update().where(same, open_row).values(**_values(after))).rowcount != 1:
                found = tx.execute(sa.select(RESOURCES.c.version).where(RESOURCES.c.id == row.id)).scalar()
                raise Terminal(row.arn) if found == row.version else Conflict(row.arn)
            return _append(tx, after, "updated", now)

        self._tell(self.db.write(change, durable))
        return after

    def delete(self, row: Row) -> None:
        """Remove the row and its tags; `Conflict` if it is gone or moved on."""

        def change(tx: sa.Connection) -> Event:
            same = sa.and_(RESOURCES.c.id == row.id, RESOURCES.c.version == row.version)
            if tx.execute(RESOURCES.delete().where(same)).rowcount != 1:
                raise Conflict(row.arn)
            tx.execute(TAGS.delete().where(TAGS.c.arn == row.arn))
            return _append(tx, row, "deleted", self.clock.now())

        self._tell(self.db.write(change))

    def get(self, kind: str, account: str, region: str, name: str) -> Row | None:
        """The row of that kind and name, or None."""
        where = sa.and_(RESOURCES.c.kind == kind, RESOURCES.c.account == account,
                        RESOURCES.c.region == region, RESOURCES.c.name == name)
        return self._one(where)

    def by_arn(self, arn: str) -> Row | None:
        """The row with that ARN, or None."""
        return self._one(RESOURCES.c.arn == arn)

    def page(self, page: Page) -> list[Row]:
        """At most `page.limit` rows in order, starting after `page.after`."""
        query = sa.select(RESOURCES).where(*_conditions(page))
        column = RESOURCES.c[page.sort]
        order = (column.desc(), RESOURCES.c.id.desc()) if page.descending else (column, RESOURCES.c.id)
        if page.after is not None:
            here = sa.tuple_(column, RESOURCES.c.id)
            there = sa.tuple_(sa.literal(page.after[0]), sa.literal(page.after[1]))
            query = query.where(here < there if page.descending else here > there)
        return [_row(r) for r in self.db.read(lambda c: c.execute(query.order_by(*order).limit(page.limit)).all())]

    def all(self, kind: str, account: str | None = None) -> list[Row]:
        """Every row of that kind, for small collections (roles, keys) only."""
        query = sa.select(RESOURCES).where(RESOURCES.c.kind == kind)
        if account is not None:
            query = query.where(RESOURCES.c.account == account)
        return [_row(r) for r in self.db.read(lambda c: c.execute(query.order_by(RESOURCES.c.id)).all())]

    def active(self, kinds: Iterable[str]) -> list[Row]:
        """Every row of those kinds that is not terminal: what the loop enqueues at boot."""
        query = sa.select(RESOURCES).where(RESOURCES.c.kind.in_(list(kinds)), RESOURCES.c.terminal == sa.false())
        return [_row(r) for r in self.db.read(lambda c: c.execute(query.order_by(RESOURCES.c.id)).all())]

    def children(self, owner: str, kind: str = "") -> list[Row]:
        """Rows whose owner is that ARN."""
        query = sa.select(RESOURCES).where(RESOURCES.c.owner == owner)
        if kind:
            query = query.where(RESOURCES.c.kind == kind)
        return [_row(r) for r in self.db.read(lambda c: c.execute(query.order_by(RESOURCES.c.id)).all())]

    def clear(self, account: str) -> None:
        """Remove every row, tag and event of an account: the test hook's reset."""

        def change(tx: sa.Connection) -> None:
            owned = sa.select(RESOURCES.c.arn).where(RESOURCES.c.account == account)
            tx.execute(TAGS.delete().where(TAGS.c.arn.in_(owned)))
            tx.execute(RESOURCES.delete().where(RESOURCES.c.account == account))

        self.db.write(change, durable=False)

    # -- tags ---------------------------------------------------------------------------------------------------
    def tags(self, arn: str) -> list[dict[str, str]]:
        """`[{"Key", "Value"}]` in the order in which they were added."""
        query = sa.select(TAGS.c.key, TAGS.c.value).where(TAGS.c.arn == arn).order_by(TAGS.c.position, TAGS.c.key)
        return [{"Key": key, "Value": value} for key, value in self.db.read(lambda c: c.execute(query).all())]

    def tag(self, arn: str, tags: Iterable[dict[str, str]]) -> list[dict[str, str]]:
        """Add or overwrite tags and return them all."""
        wanted = {tag["Key"]: tag.get("Value", "") for tag in tags}

        def change(tx: sa.Connection) -> None:
            rows = tx.execute(sa.select(TAGS.c.key, TAGS.c.position).where(TAGS.c.arn == arn)).all()
            known = {key for key, _ in rows}
            last = max((position for _, position in rows), default=-1)
            for position, (key, value) in enumerate(wanted.items(), start=last + 1):
                if key in known:
                    tx.execute(TAGS.update().where(TAGS.c.arn == arn, TAGS.c.key == key).values(value=value))
                else:
                    tx.execute(TAGS.insert().values(arn=arn, key=key, value=value, position=position))

        if wanted:
            self.db.write(change)
        return self.tags(arn)

    def untag(self, arn: str, keys: Iterable[str]) -> None:
        """Remove tags by key."""
        self.db.write(lambda tx: tx.execute(TAGS.delete().where(TAGS.c.arn == arn, TAGS.c.key.in_(list(keys)))))

    # -- events -------------------------------------------------------------------------------------------------
    def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events numbered above `after`, in order."""
        query = sa.select(EVENTS).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq).limit(limit)
        return [Event(**r._mapping) for r in self.db.read(lambda c: c.execute(query).all())]

    def close(self) -> None:
        """Finish writes under way and close the database."""
        self.db.close()

    def _one(self, where: Any) -> Row | None:
        record = self.db.read(lambda c: c.execute(sa.select(RESOURCES).where(where)).first())
        return _row(record) if record is not None else None

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener([event])


def _append(tx: sa.Connection, row: Row, change: str, at: float) -> Event:
    values: dict[str, Any] = {"at": at, "kind": row.kind, "arn": row.arn, "account": row.account, "change": change,
              "status": row.status, "version": row.version}
    key = tx.execute(EVENTS.insert().values(**values)).inserted_primary_key
    return Event(seq=int(key[0]) if key else 0, **values)


def _tag_rows(arn: str, tags: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    last = {tag["Key"]: tag.get("Value", "") for tag in tags}
    return [{"arn": arn, "key": key, "value": value, "position": n} for n, (key, value) in enumerate(last.items())]


def _conditions(page: Page) -> list[Any]:
    c = RESOURCES.c
    found = [c.kind == page.kind, c.account == page.account, c.region == page.region]
    if page.statuses:
        found.append(c.status.in_(list(page.statuses)))
    if page.name_contains:
        found.append(sa.func.lower(c.name).contains(page.name_contains.lower(), autoescape=True))
    if page.owner:
        found.append(c.owner == page.owner)
    bounds = ((page.created_after, c.created, 1), (page.created_before, c.created, -1),
              (page.modified_after, c.modified, 1), (page.modified_before, c.modified, -1))
    for bound, column, sign in bounds:
        if bound is not None:
            found.append(column > bound if sign > 0 else column < bound)
    return found
