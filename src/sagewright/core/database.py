"""Connections, transactions and group commit under the store: SQLite in WAL mode, or PostgreSQL.

SQLite has one writer, so all writes go through one thread that runs whatever is waiting inside a single commit,
each in a savepoint of its own. A caller gets its answer after the commit. PostgreSQL needs none of that: each write
is a transaction on a pooled connection.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

T = TypeVar("T")
_MAX_BATCH = 200


class Database:
    """One database by SQLAlchemy URL (`sqlite:///path` or `postgresql+psycopg://...`)."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._engine()
        self._closed = False
        if self.is_sqlite:
            self._jobs: queue.SimpleQueue[tuple[Callable[[sa.Connection], Any], bool, Future] | None] = \
                queue.SimpleQueue()
            self._writer = threading.Thread(target=self._write_forever, name="store-writer", daemon=True)
            self._writer.start()

    def _engine(self) -> sa.Engine:
        if not self.is_sqlite:
            return sa.create_engine(self.url, pool_size=10, max_overflow=30, pool_pre_ping=True)
        engine = sa.create_engine(self.url, poolclass=QueuePool, pool_size=20, max_overflow=80,
                                  connect_args={"check_same_thread": False, "timeout": 30})
        sa.event.listen(engine, "connect", _configure_sqlite)
        return engine

    def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run a query; sees every write that returned before."""
        with self.engine.connect() as connection:
            return query(connection)

    def write(self, change: Callable[[sa.Connection], T], durable: bool = True) -> T:
        """Run `change` in a transaction; returns after the commit."""
        if self._closed:
            raise RuntimeError("the store is closed")
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                return change(connection)
        done: Future = Future()
        self._jobs.put((change, durable, done))
        return done.result()

    def close(self) -> None:
        """Finish what is queued, then close."""
        if self._closed:
            return
        self._closed = True
        if self.is_sqlite:
            self._jobs.put(None)
            self._writer.join(30)
        self.engine.dispose()

    def _write_forever(self) -> None:
        with self.engine.connect() as connection:
            while True:
                first = self._jobs.get()
                if first is None:
                    return
                batch, last = self._gather(first)
                self._commit(connection, batch)
                if last:
                    return

    def _gather(self, first: Any) -> tuple[list[Any], bool]:
        batch = [first]
        while len(batch) < _MAX_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, connection: sa.Connection, batch: list[Any]) -> None:
        answers: list[tuple[Future, Any, BaseException | None]] = []
        try:
            durable = any(wanted for _, wanted, _ in batch)
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.commit()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for change, _, done in batch:
                answers.append((done, *_in_savepoint(connection, change)))
            connection.commit()
        except BaseException as broken:  # noqa: BLE001 - a full disk or a lost file: every waiter must hear of it
            connection.rollback()
            answers = [(done, None, broken) for _, _, done in batch]
        for done, value, error in answers:
            done.set_exception(error) if error is not None else done.set_result(value)


def _in_savepoint(connection: sa.Connection, change: Callable[[sa.Connection], Any]) -> tuple[Any, Any]:
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        value = change(connection)
    except Exception as error:  # noqa: BLE001 - handed to the caller of write()
        try:
            connection.exec_driver_sql("ROLLBACK TO job")
            connection.exec_driver_sql("RELEASE job")
        except sa.exc.OperationalError:  # on a full disk SQLite has undone the whole transaction: say what went wrong
            raise error from None
        return None, error
    connection.exec_driver_sql("RELEASE job")
    return value, None


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000",
                   "cache_size=-16000", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
