"""Series and their points on disk, in a SQLite file of their own under the data directory.

A series is one metric with one set of dimensions; a point is a `Sample` of one series, period and unit. Called by
`part.Metrics`; calls `core.database`. Points age as on AWS: a second for 3 hours, a minute for 15 days, 5 minutes for
63 days, an hour for 455 days.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sagewright.aws.cloudwatch.samples import Sample, unpack
from sagewright.core.database import Database

Dimensions = tuple[tuple[str, str], ...]

_DAY = 86_400
_AGES = ((1, 3 * 3600, 60), (60, 15 * _DAY, 300), (300, 63 * _DAY, 3600), (3600, 455 * _DAY, 0))
_SWEEP_ROWS = 2_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
  name TEXT NOT NULL, dimensions TEXT NOT NULL, latest INTEGER NOT NULL,
  UNIQUE (account, region, namespace, name, dimensions));
CREATE TABLE IF NOT EXISTS points (
  series INTEGER NOT NULL, at INTEGER NOT NULL, span INTEGER NOT NULL, unit TEXT NOT NULL, count REAL NOT NULL,
  total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, distribution TEXT,
  PRIMARY KEY (series, at, span, unit)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_age ON points (span, at);
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """Which series, within an account and region. Dimensions are sorted by name."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(frozen=True, slots=True)
class Slot:
    """One period of one series and unit: what a sample is collected for."""

    metric: Metric
    unit: str
    at: int
    span: int


class Points:
    """Every metric of one data directory."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as first:
            first.executescript(_SCHEMA)
        first.close()
        self.db = Database(f"sqlite:///{path}")
        self._ids: dict[Metric, int] = {}

    def close(self) -> None:
        """Finish writes under way and close the file."""
        self.db.close()

    def merge(self, samples: Iterable[tuple[Slot, Sample]]) -> None:
        """Add samples to what is stored, all or none; survives kill -9 once it returns."""
        samples = list(samples)

        def change(tx: sa.Connection) -> None:
            cursor = tx.connection.cursor()
            known: dict[Metric, int] = {}
            latest: dict[int, int] = {}
            for slot, sample in samples:
                series = known.get(slot.metric) or self._series(cursor, slot.metric)
                known[slot.metric] = series
                latest[series] = max(latest.get(series, 0), slot.at)
                _add(cursor, series, slot.at, slot.span, slot.unit, sample)
            cursor.executemany("UPDATE series SET latest = max(latest, ?) WHERE id = ?",
                               [(at, series) for series, at in latest.items()])
            cursor.close()

        if samples:
            self.db.write(change, durable=False)

    def read(self, metric: Metric, start: int, end: int, period: int, unit: str = "",
             values: bool = True) -> dict[tuple[int, str], Sample]:
        """(start of period, unit) -> sample for [start, end), periods counted from `start`.

        A minute's points stand at its start if a shorter period is asked for, as on AWS. Without `values` the samples
        have no distribution, which is most of what there is to read.
        """
        query = f"""SELECT at, unit, count, total, low, high, {'distribution' if values else 'NULL'} FROM points
                    WHERE span <= ? AND at >= ? AND at < ? AND series = (SELECT id FROM series WHERE account = ?
                    AND region = ? AND namespace = ? AND name = ? AND dimensions = ?)"""
        found: dict[tuple[int, str], Sample] = {}

        def gather(connection: sa.Connection) -> None:
            cursor = connection.connection.cursor()
            cursor.execute(query, (max(period, 60), start, end, *_key(metric)))
            for at, its_unit, *parts in cursor:  # type: ignore[attr-defined]
                place = (start + (at - start) // period * period, its_unit)
                if unit and its_unit != unit:
                    continue
                if place in found:
                    found[place].merge(unpack(*parts))
                else:
                    found[place] = unpack(*parts)
            cursor.close()

        self.db.read(gather)
        return found

    def metrics(self, account: str, region: str, namespace: str | None, name: str | None, since: int,
                after: int, limit: int) -> list[tuple[int, Metric]]:
        """A page of metrics with points since then, by number; `after` is the last number of the previous page."""
        where, values = ["account = ?", "region = ?", "latest >= ?", "id > ?"], [account, region, since, after]
        for column, wanted in (("namespace", namespace), ("name", name)):
            if wanted is not None:
                where.append(f"{column} = ?")
                values.append(wanted)
        query = f"""SELECT id, namespace, name, dimensions FROM series WHERE {' AND '.join(where)}
                    ORDER BY id LIMIT ?"""
        rows = self.db.read(lambda c: c.exec_driver_sql(query, (*values, limit)).all())
        return [(number, Metric(account, region, space, title, _pairs(dimensions)))
                for number, space, title, dimensions in rows]

    def age(self, now: float) -> bool:
        """Roll some old points up into longer periods, or drop them; True if there may be more."""
        left = [self._age(span, int(now - keep), longer) for span, keep, longer in _AGES]
        return any(left)

    def clear(self) -> None:
        """Forget everything."""
        def change(tx: sa.Connection) -> None:
            tx.exec_driver_sql("DELETE FROM points")
            tx.exec_driver_sql("DELETE FROM series")

        self.db.write(change, durable=False)

    def _series(self, cursor: Any, metric: Metric) -> int:
        key = _key(metric)
        cursor.execute("INSERT INTO series (account, region, namespace, name, dimensions, latest) "
                       "VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING", key)
        cursor.execute("SELECT id FROM series WHERE account = ? AND region = ? AND namespace = ? AND name = ? "
                       "AND dimensions = ?", key)
        return int(cursor.fetchone()[0])

    def _age(self, span: int, cutoff: int, longer: int) -> bool:
        def change(tx: sa.Connection) -> int:
            cursor = tx.connection.cursor()
            cursor.execute("SELECT series, at, unit, count, total, low, high, distribution FROM points "
                           "WHERE span = ? AND at < ? ORDER BY at LIMIT ?", (span, cutoff, _SWEEP_ROWS))
            rows = cursor.fetchall()
            for series, at, unit, *parts in rows:
                cursor.execute("DELETE FROM points WHERE series = ? AND at = ? AND span = ? AND unit = ?",
                               (series, at, span, unit))
                if longer:
                    _add(cursor, series, at // longer * longer, longer, unit, unpack(*parts))
            cursor.close()
            return len(rows)

        query = "SELECT 1 FROM points WHERE span = ? AND at < ? LIMIT 1"
        if self.db.read(lambda c: c.exec_driver_sql(query, (span, cutoff)).first()) is None:
            return False
        return self.db.write(change, durable=False) == _SWEEP_ROWS


def _add(cursor: Any, series: int, at: int, span: int, unit: str, sample: Sample) -> None:
    cursor.execute("SELECT count, total, low, high, distribution FROM points "
                   "WHERE series = ? AND at = ? AND span = ? AND unit = ?", (series, at, span, unit))
    stored = cursor.fetchone()
    if stored is not None:
        merged = unpack(*stored)
        merged.merge(sample)
        sample = merged
    cursor.execute("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   (series, at, span, unit, sample.count, sample.total, sample.low, sample.high, sample.packed()))


def _key(metric: Metric) -> tuple[str, str, str, str, str]:
    dimensions = json.dumps(metric.dimensions, separators=(",", ":"))
    return metric.account, metric.region, metric.namespace, metric.name, dimensions


def _pairs(text: str) -> Dimensions:
    return tuple((name, value) for name, value in json.loads(text))


def sort_dimensions(dimensions: Iterable[tuple[str, str]] | Sequence[tuple[str, str]]) -> Dimensions:
    """Dimensions as a series is known by."""
    return tuple(sorted(dimensions))
