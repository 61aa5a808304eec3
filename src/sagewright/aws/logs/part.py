"""`world.parts["logs"]`: log groups and their events, as the operations and in-process writers (the gateway for
endpoints, the engine's ingest) share them.

Groups are rows of the store (kind LogGroup; `work["key"]` names their streams for good, whatever a later group is
called). Streams and events are in `events.Events`. A background thread applies retention and purges what was deleted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sagewright.aws.logs.events import Events, clean
from sagewright.core import arns, ids
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Row
from sagewright.core.world import World

KIND = "LogGroup"
_SWEEP_SECONDS = 600.0
_DAY = 86_400_000
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)

Ingested = Callable[[Row, str, Sequence[tuple[int, str]]], None]


def missing_group() -> AwsError:
    """What AWS answers when there is no such group."""
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def missing_stream() -> AwsError:
    """What AWS answers when there is no such stream."""
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


class Logs:
    """Log groups, streams and events of one server. `ingested` hears of every batch (metric filters)."""

    def __init__(self, world: World, ingested: Ingested | None = None) -> None:
        self.world = world
        self.events = Events(world.config.data_dir / "logs" / "events.db")
        self._ingested = ingested
        self._keys: dict[tuple[str, str, str], Row] = {}
        self._wake = threading.Event()
        self._closed = False
        self.events.keep_only(row.work["key"] for row in world.store.all(KIND))
        self._sweeper = threading.Thread(target=self._sweep_forever, name="logs-sweeper", daemon=True)
        self._sweeper.start()

    def now(self) -> int:
        """The time in milliseconds, as CloudWatch Logs counts."""
        return int(self.world.clock.now() * 1000)

    # -- groups -------------------------------------------------------------------------------------------------
    def group(self, account: str, region: str, name: str) -> Row | None:
        """The row of a log group."""
        return self.world.store.get(KIND, account, region, name)

    def create_group(self, account: str, region: str, name: str, body: dict[str, Any],
                     tags: Sequence[dict[str, str]] = ()) -> Row:
        """Add a log group; `Conflict` where the name is taken."""
        body = {"logGroupName": name, "creationTime": self.now(), "logGroupClass": "STANDARD", **body}
        row = Row(kind=KIND, account=account, region=region, name=name, body=body, work={"key": ids.short(16)},
                  arn=arns.make("logs", region, account, f"log-group:{name}"))
        return self.world.store.insert(row, tags)

    def delete_group(self, row: Row) -> None:
        """Remove a group with its streams; the events' space is reclaimed in the background."""
        self._keys.pop((row.account, row.region, row.name), None)
        self.world.store.delete(row)
        self.events.drop(row.work["key"])
        self._wake.set()

    def reclaim(self) -> None:
        """Have the sweeper look now."""
        self._wake.set()

    def cutoff(self, row: Row) -> int:
        """Events before this time have outlived the group's retention; 0 where it keeps them for ever."""
        days = row.body.get("retentionInDays")
        return self.now() - days * _DAY if days else 0

    def change_group(self, account: str, region: str, name: str, body: dict[str, Any] | None = None,
                     work: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Row:
        """Merge members into a group's row, whoever else is changing it; None removes a member."""
        while True:
            row = self.group(account, region, name)
            if row is None:
                raise missing_group()
            try:
                changed = self.world.store.update(row.with_(body=body, work=work(row.work) if work else None))
            except Conflict:
                continue
            self._keys.pop((account, region, name), None)
            return changed

    # -- writing ------------------------------------------------------------------------------------------------
    def append(self, account: str, region: str, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Add events (milliseconds, message), making the group and the stream where they are missing.

        Returns once they would survive kill -9. Takes any time stamp: it is the platform's own.
        """
        cleaned = [(ts, clean(message)) for ts, message in events]
        for _ in range(5):  # each round heals one deletion that came between
            row = self._known(account, region, group)
            if row is None:
                try:
                    self.create_group(account, region, group, {})
                except Conflict:
                    pass
                continue
            if self.write(row, stream, cleaned):
                return
            if self.group(account, region, group) is None:
                self._keys.pop((account, region, group), None)
                continue
            self.events.create(row.work["key"], stream, self.now())
        raise missing_stream()

    def write(self, row: Row, stream: str, events: Sequence[tuple[int, str]]) -> bool:
        """Add cleaned events to a stream of the group; False if there is no such stream."""
        try:
            written = self.events.append(row.work["key"], stream, events, self.now())
        except Exception as failed:
            raise AwsError("ServiceUnavailableException", "The service cannot complete the request.", 503) from failed
        if written and events and self._ingested is not None:
            try:
                self._ingested(row, stream, events)
            except Exception as failed:  # noqa: BLE001 - the events are stored: a writer must not send them again
                _log.warning("metric filters of %s failed: %s", row.name, failed)
        return written

    def _known(self, account: str, region: str, name: str) -> Row | None:
        key = (account, region, name)
        row = self._keys.get(key)
        if row is None:
            row = self.group(account, region, name)
            if row is not None:
                if len(self._keys) >= _REMEMBERED:
                    self._keys.clear()
                self._keys[key] = row
        return row

    # -- housekeeping -------------------------------------------------------------------------------------------
    def sweep(self) -> None:
        """Apply retention and purge what was deleted, in small transactions."""
        for row in self.world.store.all(KIND):
            cutoff = self.cutoff(row)
            while cutoff and not self._closed and self.events.expire(row.work["key"], cutoff):
                pass
        while not self._closed and self.events.purge():
            pass
        while not self._closed and self.events.shrink():
            pass

    def clear(self) -> None:
        """Forget everything (the test hook's reset); the store's rows are the hook's own business."""
        self._keys.clear()
        self.events.clear()

    def close(self) -> None:
        """Stop sweeping, finish writes and close the file."""
        self._closed = True
        self._wake.set()
        self._sweeper.join(10)
        self.events.close()

    def _sweep_forever(self) -> None:
        while not self._closed:
            self._wake.wait(_SWEEP_SECONDS)
            self._wake.clear()
            if self._closed:
                return
            try:
                self.sweep()
            except Exception:  # noqa: BLE001 - a full disk must not end housekeeping; the next round tries again
                continue
