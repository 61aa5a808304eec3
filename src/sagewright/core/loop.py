"""The reconcile loop: moves every row that is not terminal one step at a time until it is.

Level-triggered: a controller sees the row as it is, never the event that woke it. One row is handled by one thread at a
time; different rows run side by side. Started by `cli/assembly.py`; wakes from the store's events, from timers, and
from `wake` (the engine calls it when a sandbox changed). At boot every row that is not terminal is looked at.

What a controller may do: return None (wake me when something changes), return seconds (look again then), raise
`Retry` (look again after its delay), raise `Failed` (the row's noun fails it). A `Conflict` means that the row moved
under it: look again at once. Anything else is a fault of ours: logged, and tried again with growing delays.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping

from sagewright.core import log
from sagewright.core.errors import Conflict, Failed, Retry, Terminal
from sagewright.core.service import Reconcile
from sagewright.core.store import Event, Row
from sagewright.core.world import World

Fail = Callable[[Row, World, str], None]
_LONGEST_DELAY = 60.0


class Loop:
    """Runs controllers by row kind on a few threads. `fail(row, world, reason)` ends a row that raised `Failed`."""

    def __init__(self, world: World, controllers: Mapping[str, Reconcile], fail: Fail, threads: int = 4) -> None:
        self.world, self.controllers, self.fail = world, dict(controllers), fail
        self._due: list[tuple[float, str]] = []
        self._at: dict[str, float] = {}
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._faults: dict[str, int] = {}
        self._change = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"loop-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Enqueue what is not terminal and begin."""
        self.world.store.subscribe(self._on_events)
        for row in self.world.store.active(self.controllers):
            self.wake(row.arn)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the steps under way and stop."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)

    def wake(self, arn: str, after: float = 0.0) -> None:
        """Look at that row soon (or after some seconds)."""
        with self._change:
            self._push(arn, time.monotonic() + after)

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if event.kind in self.controllers and event.change != "deleted":
                self.wake(event.arn)
            row = self.world.store.by_arn(event.arn) if event.change == "updated" else None
            if row is not None and row.owner:
                self.wake(row.owner)

    def _push(self, arn: str, at: float) -> None:
        if arn in self._running and at <= time.monotonic():
            self._again.add(arn)
            return
        if arn not in self._at or at < self._at[arn]:
            self._at[arn] = at
            heapq.heappush(self._due, (at, arn))
            self._change.notify()

    def _take(self) -> str | None:
        with self._change:
            while not self._stopping:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    at, arn = heapq.heappop(self._due)
                    if self._at.get(arn) != at or arn in self._running:
                        if arn in self._running:
                            self._again.add(arn)
                            self._at.pop(arn, None)
                        continue
                    del self._at[arn]
                    self._running.add(arn)
                    return arn
                self._change.wait(self._due[0][0] - now if self._due else None)
            return None

    def _work(self) -> None:
        while (arn := self._take()) is not None:
            delay = self._step(arn)
            with self._change:
                self._running.discard(arn)
                if arn in self._again:
                    self._again.discard(arn)
                    delay = 0.0
                if delay is not None:
                    self._push(arn, time.monotonic() + delay)

    def _step(self, arn: str) -> float | None:
        try:
            row = self.world.store.by_arn(arn)
            if row is None or row.terminal or row.kind not in self.controllers:
                return None
            try:
                delay = self.controllers[row.kind](row, self.world)
            except Failed as failed:
                log.say("failed", arn=arn, reason=str(failed))
                self.fail(row, self.world, str(failed))
                delay = None
            self._faults.pop(arn, None)
            return delay
        except Retry as retry:
            return retry.after
        except (Conflict, Terminal):
            return 0.0
        except Exception:  # noqa: BLE001 - a fault in one controller must not stop the others
            self._faults[arn] = self._faults.get(arn, 0) + 1
            log.trouble("controller fault", arn=arn, times=self._faults[arn])
            return min(_LONGEST_DELAY, 0.2 * 2 ** self._faults[arn])
