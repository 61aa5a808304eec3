"""`world.parts["metrics"]`: metrics, as the operations and in-process writers (the endpoint router, the engine, log
metric filters) share them.

`put` is on the path of every InvokeEndpoint, so it only leaves its data on a queue; a background thread folds them
into one sample per series and minute and writes those out every few seconds. Readers flush first, so they always see
what was put before. A graceful `close` writes everything; kill -9 loses at most the seconds since the last flush
(PutMetricData does not wait in that queue: it is written before it is answered).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sagewright.aws.cloudwatch.points import Dimensions, Metric, Points, Slot
from sagewright.aws.cloudwatch.samples import Sample
from sagewright.core.world import World

Datum = tuple[str, "Mapping[str, str] | Sequence[tuple[str, str]]", float, str, float]
"""(name, dimensions, value, unit, seconds since the epoch)."""

LARGEST = 2.0**360  # AWS's bound
_SOON = 1_000  # so many waiting batches wake the writer: the caller, often the gateway's event loop, never folds...
_QUEUE = 30_000  # ...unless the writer cannot keep up
_SLOTS = 50_000
_FLUSH_SECONDS = 5.0
_AGE_SECONDS = 3600.0
_log = logging.getLogger(__name__)


class Metrics:
    """The metrics of one server."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.points = Points(world.config.data_dir / "metrics" / "metrics.db")
        self._queue: deque[tuple[str, str, str, Sequence[Datum]]] = deque()
        self._samples: dict[tuple[Any, ...], Sample] = {}
        self._folding = threading.Lock()
        self._flushing = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._writer = threading.Thread(target=self._write_forever, name="metrics-writer", daemon=True)
        self._writer.start()

    def put(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        """Count values in, soon. Costs under two microseconds a value in all; memory is bounded; never raises."""
        self._queue.append((account, region, namespace, data))
        waiting = len(self._queue)
        if waiting >= _SOON and not self._wake.is_set():
            self._wake.set()
        if waiting >= _QUEUE:
            self._fold()

    def store(self, samples: Iterable[tuple[Slot, Sample]]) -> None:
        """Count samples in; they survive kill -9 once this returns."""
        self.points.merge(samples)

    def flush(self) -> None:
        """Write out everything that was put before."""
        with self._flushing:
            self._fold()
            with self._folding:
                samples, self._samples = self._samples, {}
            if not samples:
                return
            try:
                self.points.merge([(_slot(key), sample) for key, sample in samples.items()])
            except Exception:
                self._keep(samples)
                raise

    def clear(self) -> None:
        """Forget everything (the test hook's reset)."""
        with self._flushing, self._folding:
            self._queue.clear()
            self._samples = {}
            self.points.clear()

    def close(self) -> None:
        """Write everything out and close the file."""
        self._stop.set()
        self._wake.set()
        self._writer.join(10)
        self._try_flush()
        self.points.close()

    def _fold(self) -> None:
        with self._folding:
            samples, queue = self._samples, self._queue
            for _ in range(len(queue)):
                account, region, namespace, data = queue.popleft()
                given: Any = None
                pairs: Any = ()
                for name, dimensions, value, unit, at in data:
                    if not -LARGEST < value < LARGEST:  # false for NaN too; neither can be stored or summed
                        continue
                    if dimensions is not given:
                        given = dimensions
                        pairs = tuple(dimensions.items()) if isinstance(dimensions, dict) else tuple(dimensions)
                    key = (account, region, namespace, name, pairs, unit, at // 60)
                    sample = samples.get(key)
                    if sample is None:
                        if len(samples) >= 2 * _SLOTS:  # the disk has been full for long: keep what there is room for
                            continue
                        sample = samples[key] = Sample()
                    sample.add(value)

    def _keep(self, samples: dict[tuple[Any, ...], Sample]) -> None:
        """Hold on to what could not be written (a full disk), as far as memory allows."""
        with self._folding:
            for key, sample in samples.items():
                if key in self._samples:
                    self._samples[key].merge(sample)
                elif len(self._samples) < _SLOTS:
                    self._samples[key] = sample

    def _write_forever(self) -> None:
        aged, flushed = self.world.clock.now(), time.monotonic()
        while not self._stop.is_set():
            self._wake.wait(_FLUSH_SECONDS)
            self._wake.clear()
            self._fold()
            if time.monotonic() - flushed < _FLUSH_SECONDS and len(self._samples) < _SLOTS:
                continue
            self._try_flush()
            flushed = time.monotonic()
            try:
                if self.world.clock.now() - aged > _AGE_SECONDS:
                    aged = self.world.clock.now()
                    while not self._stop.is_set() and self.points.age(aged):
                        pass
            except Exception as failed:  # noqa: BLE001 - a full disk must not end the writing for good
                _log.warning("metrics could not be rolled up: %s", failed)

    def _try_flush(self) -> None:
        try:
            self.flush()
        except Exception as failed:  # noqa: BLE001 - a full disk: the samples are kept and tried again
            _log.warning("metrics could not be written: %s", failed)


def _slot(key: tuple[Any, ...]) -> Slot:
    account, region, namespace, name, dimensions, unit, minute = key
    pairs: Dimensions = tuple(sorted((str(k), str(v)) for k, v in dimensions))
    return Slot(Metric(account, region, namespace, name, pairs), unit or "None", int(minute) * 60, 60)
