"""A job's output: captured, rendered as CloudWatch shows it, spooled on disk, shipped with PutLogEvents.

Called by the agent. Two threads: one reads the sandbox's pipe and never waits long for the network; one ships from
the spool and is patient. A TAB becomes #011 and other control characters #ooo, as syslog does on AWS; what is not
UTF-8 becomes U+FFFD; long lines are split. The spool is bounded: with the gateway there, the job is slowed down to what
it can take; with the gateway away, what does not fit is dropped, counted and said.
"""

from __future__ import annotations

import codecs
import collections
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sagewright.engine import namespaces
from sagewright.engine.caller import Caller, CallError

LINE = 200_000  # bytes; AWS allows 256 KiB with overhead
SPOOL = 64 << 20
HOLE = 8 << 20
KEPT = 512 << 20  # all that one host may log
BATCH_BYTES, BATCH_EVENTS, OVERHEAD = 900_000, 5_000, 26
_CONTROL = {code: f"#{code:03o}" for code in (*range(10), *range(11, 32), 127)}


class Renderer:
    """Bytes to lines; the incomplete last line waits for its end."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes, last: bool = False) -> list[str]:
        """The lines that these bytes complete; with `last`, also what is left."""
        text = self._rest + self._decode(data, last)
        *lines, self._rest = text.split("\n")
        if len(self._rest) > LINE // 4:
            lines.append(self._rest)
            self._rest = ""
        if last and self._rest:
            lines.append(self._rest)
            self._rest = ""
        return [piece for line in lines for piece in _pieces(line.removesuffix("\r").translate(_CONTROL))]


def _pieces(line: str) -> list[str]:
    step = LINE // 4  # a character is at most four bytes
    return [line[at : at + step] for at in range(0, len(line), step)] if len(line) > step else [line]


class Spool:
    """Lines on disk, between the reader and the shipper. Positions are file offsets; shipped space is given back."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._start, self._end, self._given_back = 0, os.fstat(self._file).st_size, 0
        self.changed = threading.Condition()

    def append(self, lines: list[str], at: float) -> None:
        """Add lines read at that time."""
        stamp = f"{int(at * 1000)}\t"
        data = "".join(f"{stamp}{line}\n" for line in lines).encode()
        with self.changed:
            written = os.pwrite(self._file, data, self._end)
            self._end += written
            self.changed.notify_all()

    @property
    def waiting(self) -> int:
        """Bytes not shipped yet."""
        return self._end - self._start

    def batch(self) -> tuple[list[tuple[int, str]], int]:
        """The oldest events that fit into one PutLogEvents, and the offset behind them."""
        data = os.pread(self._file, min(self._end - self._start, BATCH_BYTES), self._start)
        events: list[tuple[int, str]] = []
        size = used = 0
        for raw in data.split(b"\n")[:-1]:
            size += len(raw) + OVERHEAD
            if events and (size > BATCH_BYTES or len(events) >= BATCH_EVENTS):
                break
            used += len(raw) + 1
            stamp, _, text = raw.partition(b"\t")
            events.append((int(stamp), text.decode(errors="replace") or " "))
        return events, self._start + used

    def shipped(self, offset: int) -> None:
        """Everything before the offset has arrived."""
        with self.changed:
            self._start = offset
            if self._start == self._end:
                os.ftruncate(self._file, 0)
                self._start = self._end = self._given_back = 0
            elif self._start - self._given_back > HOLE:
                with suppress(OSError):  # not every file system can
                    namespaces.punch_hole(self._file, 0, self._start)
                self._given_back = self._start
            self.changed.notify_all()


class Capture(threading.Thread):
    """Reads a sandbox's output until its end. `each` sees every line as well."""

    def __init__(self, fd: int, spool: Spool | None, each: Callable[[list[str], float], None],
                 reachable: Callable[[], bool]) -> None:
        super().__init__(daemon=True, name="capture")
        self.fd, self.spool, self.each, self.reachable = fd, spool, each, reachable
        self.last: collections.deque[str] = collections.deque(maxlen=40)
        self._kept = self._dropped = 0

    def run(self) -> None:
        renderer = Renderer()
        while True:
            data = os.read(self.fd, 1 << 16)
            lines, now = renderer.feed(data, last=not data), time.time()
            if lines:
                self.last.extend(lines[-40:])
                self.each(lines, now)
                self._keep(lines, now)
            if not data:
                break
        os.close(self.fd)
        self._say_dropped(time.time())

    def _keep(self, lines: list[str], now: float) -> None:
        size = sum(len(line) + OVERHEAD for line in lines)
        if self.spool is None or self._kept > KEPT:
            return
        if self._kept + size > KEPT:
            lines = [f"[sagewright] This host has logged {KEPT >> 20} MiB; later output is not kept."]
        elif not self._room():
            self._dropped += len(lines)
            return
        self._kept += size
        self._say_dropped(now)
        self._append(lines, now)

    def _append(self, lines: list[str], now: float) -> None:
        try:
            if self.spool is not None:
                self.spool.append(lines, now)
        except OSError:  # the disk is full: the job's fate is decided elsewhere
            self._dropped += len(lines)

    def _room(self) -> bool:
        assert self.spool is not None
        with self.spool.changed:
            while self.spool.waiting > SPOOL:
                if not self.reachable():
                    return False
                self.spool.changed.wait(0.5)
        return True

    def _say_dropped(self, now: float) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._append([f"[sagewright] {count} lines were dropped: the log could not be delivered in time."], now)


class Shipper(threading.Thread):
    """Sends the spool to its log stream."""

    def __init__(self, spool: Spool, caller: Caller, group: str, stream: str) -> None:
        super().__init__(daemon=True, name="ship")
        self.spool, self.caller, self.group, self.stream = spool, caller, group, stream
        self.refused = ""
        self._end = False
        self._answered = time.monotonic()

    @property
    def reachable(self) -> bool:
        """Whether the gateway answered lately."""
        return time.monotonic() - self._answered < 5.0

    def run(self) -> None:
        with suppress(CallError):
            self._create()
        while True:
            with self.spool.changed:
                while not self.spool.waiting and not self._end:
                    self.spool.changed.wait()
                if not self.spool.waiting:
                    return
            events, offset = self.spool.batch()
            self._deliver(events)
            self.spool.shipped(offset)
            if not self._end and self.spool.waiting < BATCH_BYTES:
                time.sleep(0.05)  # let lines gather: one call for many

    def finish(self, patience: float) -> bool:
        """Deliver what is there and end; False if that took longer than `patience`."""
        with self.spool.changed:
            self._end = True
            self.spool.changed.notify_all()
        self.join(patience)
        return not self.is_alive()

    def _deliver(self, events: list[tuple[int, str]]) -> None:
        body = [{"timestamp": at, "message": text} for at, text in events]
        for create in (True, False):
            try:
                self.caller.json("logs", "PutLogEvents", logGroupName=self.group, logStreamName=self.stream,
                                 logEvents=body)
                self._answered = time.monotonic()
                return
            except CallError as error:
                self._answered = time.monotonic() if error.status else self._answered
                if create and error.code == "ResourceNotFoundException":
                    with suppress(CallError):
                        self._create()
                    continue
                self.refused = str(error)
                return

    def _create(self) -> None:
        for operation, extra in (("CreateLogGroup", {}), ("CreateLogStream", {"logStreamName": self.stream})):
            try:
                self.caller.json("logs", operation, logGroupName=self.group, **extra)
            except CallError as error:
                if error.code not in ("ResourceAlreadyExistsException", "OperationAbortedException"):
                    self.refused = str(error)
                    raise
        self._answered = time.monotonic()

