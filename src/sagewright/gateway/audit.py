"""The call log: one JSON line per management call, for people and for the later CloudTrail reader.

Lines go to `<data>/calls/YYYY-MM-DD.jsonl`, written by one background thread so that the request path never waits on
the disk; a full queue drops lines and counts them. Data events (whatever names an S3 object, InvokeEndpoint) are not
logged, as on AWS.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagewright.core import log

if TYPE_CHECKING:
    from sagewright.gateway.chain import Exchange

_DATA_EVENTS = frozenset({"DeleteObjects", "ListObjects", "ListObjectsV2", "ListObjectVersions", "InvokeEndpoint",
                          "InvokeEndpointAsync", "InvokeEndpointWithResponseStream", "PutLogEvents", "PutMetricData"})


class CallLog:
    """Writes lines in the background; `close` finishes what waits."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lines: queue.Queue[str | None] = queue.Queue(maxsize=10_000)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="call-log", daemon=True)
        self._thread.start()

    def add(self, entry: dict[str, Any]) -> None:
        """Queue one line."""
        try:
            self._lines.put_nowait(json.dumps(entry, separators=(",", ":"), default=str))
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Write what is queued and stop."""
        self._lines.put(None)
        self._thread.join(10)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                with (self._folder / time.strftime("%Y-%m-%d.jsonl", time.gmtime())).open("a") as file:
                    file.write(line + "\n")
                    while not self._lines.empty() and (line := self._lines.get()) is not None:
                        file.write(line + "\n")
            except OSError:
                log.trouble("call log not written")
            if line is None:
                return


def record(x: Exchange) -> None:
    """Note a finished call."""
    calls: CallLog | None = x.world.parts.get("call_log")
    if calls is None or x.route is None or x.route.operation in _DATA_EVENTS or "Key" in x.route.labels:
        return
    principal = x.verified.principal.arn if x.verified is not None else ""
    entry = {"eventTime": x.world.clock.now(), "eventSource": f"{x.route.signing}.amazonaws.com",
             "eventName": x.route.operation, "requestID": x.request_id, "principal": principal,
             "sourceIPAddress": x.request.client, "userAgent": x.request.headers.get("user-agent")[:300]}
    if x.error is not None:
        entry |= {"errorCode": x.error.code, "errorMessage": x.error.message[:500]}
    calls.add(entry)
