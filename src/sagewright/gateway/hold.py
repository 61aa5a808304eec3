"""No wasted polling: an answer about a resource in transition may be held until the resource has moved on.

The store tells every change; `Changes` wakes the requests that wait for that ARN. A waiting request costs one future
and no thread. Bounded in time (`patience`) and in number (`MOST`): beyond that, answers go out at once.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict

from sagewright.core.store import Event, Store

MOST = 512
# Who sleeps before asking again, and how many times longer than a person it is held: SDK 2 10 to 30 s, SDK 3 5 s,
# botocore's waiters (feature "B") 30 to 120 s.
_POLLING = ((re.compile(r"AWS-SageMaker-Python-SDK|(?:^| )m/(?:[^ ,]+,)*B(?:,|\s|$)"), 5.0),
            (re.compile(r"AWS-SageMakerCore"), 2.5))


def patience(user_agent: str, hold: float) -> float:
    """How long this answer may be held: `Config.hold`, a multiple of that for a program that polls.

    A person who describes a resource wants to see it now. A program that would sleep for longer than this gains by it,
    unless the answer is what it shows: so not longer than the SDKs' own pause between two looks at a log.
    """
    return hold * next((times for client, times in _POLLING if client.search(user_agent)), 1.0)


class Changes:
    """Futures by ARN, resolved from the store's writing thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: defaultdict[str, list[asyncio.Future[str]]] = defaultdict(list)
        self._count = 0

    def listen(self, store: Store) -> None:
        """Hear of every change that commits."""
        store.subscribe(self._on_events)

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if event.arn in self._waiting:
                self._loop.call_soon_threadsafe(self._wake, event.arn, event.status)

    def _wake(self, arn: str, status: str) -> None:
        for future in self._waiting.pop(arn, ()):
            if not future.done():
                future.set_result(status)

    async def moved(self, arn: str, moving: frozenset[str], seconds: float, store: Store) -> bool:
        """Wait until the resource is in none of the `moving` states; False if it still is after that time."""
        if self._count >= MOST or seconds <= 0:
            return False
        self._count += 1
        future: asyncio.Future[str] = self._loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    future = self._loop.create_future()
                    self._waiting[arn].append(future)
                    row = await self._loop.run_in_executor(None, store.by_arn, arn)
                    if row is None or row.status not in moving:
                        return True
                    if await future not in moving:
                        return True
        except TimeoutError:
            return False
        finally:
            self._count -= 1
            self._leave(arn, future)

    def _leave(self, arn: str, future: asyncio.Future[str]) -> None:
        """Whoever stops waiting must not stay listed until the resource moves, which may be never."""
        waiting = self._waiting.get(arn, [])
        if future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[arn]
