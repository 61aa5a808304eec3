"""Metric definitions: regexes over the job's log lines, their last values, PutMetricData.

Called by the agent. Regexes come from strangers, and Python's can take exponential time. They run in the main thread
only, where a timer signal interrupts even a running match; one that takes longer than LIMIT is switched off and named.
"""

from __future__ import annotations

import collections
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sagewright.engine.caller import Caller, CallError

LIMIT = 0.2
QUEUE = 100_000
VERSION = "2010-08-01"
PER_CALL = 150
_LONGEST = 16_384


class _TooSlow(Exception):
    """The timer rang during a match."""


@contextmanager
def _timer(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Scanner:
    """Lines in (any thread), metric values out (main thread)."""

    def __init__(self, definitions: Sequence[Mapping[str, str]], say: Callable[[str], None]) -> None:
        self.say = say
        self.last: dict[str, tuple[float, float]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._lines: collections.deque[tuple[float, str]] = collections.deque(maxlen=QUEUE)
        for definition in definitions:
            try:
                self._patterns[definition["Name"]] = re.compile(definition["Regex"])
            except (re.error, RecursionError, OverflowError) as error:
                say(f"[sagewright] The metric {definition['Name']} is off: its regex is not valid ({error}).")

    def offer(self, lines: list[str], at: float) -> None:
        """Remember lines for the next scan; the oldest make room when scans cannot keep up."""
        if self._patterns:
            self._lines.extend((at, line) for line in lines)

    def scan(self, seconds: float = 0.5) -> list[tuple[str, float, float]]:
        """(name, value, at) in the lines so far, spending about that long at most."""
        found: list[tuple[str, float, float]] = []
        budget = max(1, int(seconds * 100_000))
        while self._lines and budget > 0:
            at, line = self._lines.popleft()
            budget -= len(self._patterns)
            for name, value in self._values(line[:_LONGEST]):
                found.append((name, value, at))
                self.last[name] = (value, at)
        return found

    @property
    def behind(self) -> bool:
        """Whether lines wait."""
        return bool(self._lines)

    def _values(self, line: str) -> list[tuple[str, float]]:
        found, name = [], ""
        try:
            with _timer(LIMIT):
                for name, pattern in self._patterns.items():
                    match = pattern.search(line)
                    if match and (value := _number(match)) is not None:
                        found.append((name, value))
        except _TooSlow:
            del self._patterns[name]
            self.say(f"[sagewright] The metric {name} is off: its regex took longer than {LIMIT} s on one line.")
        return found

    def final(self) -> list[dict[str, Any]]:
        """The last value of each metric, as FinalMetricDataList has it."""
        return [{"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self.last.items()]


def _number(match: re.Match[str]) -> float | None:
    try:
        value = float(match.group(1))
    except (IndexError, TypeError, ValueError):
        return None
    return value


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"


class Publisher(threading.Thread):
    """Sends values to CloudWatch, patiently."""

    def __init__(self, caller: Caller, namespace: str, dimensions: Mapping[str, str]) -> None:
        super().__init__(daemon=True, name="publish")
        self.caller, self.namespace, self.dimensions = caller, namespace, dimensions
        self._values: collections.deque[tuple[str, float, float]] = collections.deque(maxlen=QUEUE)
        self._changed, self._end = threading.Condition(), False
        self.refused = ""

    def put(self, values: list[tuple[str, float, float]]) -> None:
        """Queue values; CloudWatch takes no NaN and no infinity."""
        finite = [each for each in values if abs(each[1]) < 1e100]
        if finite:
            with self._changed:
                self._values.extend(finite)
                self._changed.notify_all()

    def run(self) -> None:
        while True:
            with self._changed:
                while not self._values and not self._end:
                    self._changed.wait()
                if not self._values:
                    return
                batch = [self._values.popleft() for _ in range(min(PER_CALL, len(self._values)))]
            try:
                self.caller.query("monitoring", VERSION, "PutMetricData", self._params(batch))
            except CallError as error:
                self.refused = str(error)

    def finish(self, patience: float) -> bool:
        """Deliver what is queued and end."""
        with self._changed:
            self._end = True
            self._changed.notify_all()
        self.join(patience)
        return not self.is_alive()

    def _params(self, batch: list[tuple[str, float, float]]) -> dict[str, str]:
        params = {"Namespace": self.namespace}
        for number, (name, value, at) in enumerate(batch, 1):
            member = f"MetricData.member.{number}"
            params |= {f"{member}.MetricName": name, f"{member}.Value": repr(value), f"{member}.Timestamp": _stamp(at),
                       f"{member}.StorageResolution": "1"}
            for index, (key, text) in enumerate(self.dimensions.items(), 1):
                params[f"{member}.Dimensions.member.{index}.Name"] = key
                params[f"{member}.Dimensions.member.{index}.Value"] = text
        return params
