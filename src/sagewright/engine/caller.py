"""AWS calls from the agent: signed HTTP to the gateway with the standard library, patient while the gateway is away.

Called by `transfer.py`, `tail.py`, `metrics.py`. One `Caller` per thread: it keeps one connection open. botocore would
do the same after 200 ms of imports.
"""

from __future__ import annotations

import hashlib
import html
import http.client
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from sagewright.core import signing

AWAY_LIMIT = 6 * 3600.0  # how long a gateway that is not there is waited for,
FAULT_LIMIT = 120.0  # and one that answers with faults of its own
TIMEOUT = 120.0
_TARGETS = {"logs": "Logs_20140328"}
_RETRIED = (500, 502, 503, 504)
_AWAY = (OSError, http.client.HTTPException)


class CallError(Exception):
    """An AWS error answer, or the gateway away for longer than AWAY_LIMIT (status 0)."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code, self.message, self.status = code, message, status


class Caller:
    """Calls as the job's role. `keys()` gives the credentials of the moment; `check()` may raise to abandon a wait."""

    def __init__(self, url: str, region: str, keys: Callable[[], signing.Keys],
                 check: Callable[[], None] = lambda: None) -> None:
        self.url, self.region, self.keys, self.check = url.rstrip("/"), region, keys, check
        self.away_limit = AWAY_LIMIT
        self._connection: http.client.HTTPConnection | None = None

    def json(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """An operation of a JSON 1.1 service."""
        headers = {"X-Amz-Target": f"{_TARGETS[service]}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        _, text = self.patiently("POST", "/", service=service, headers=headers, body=json.dumps(params).encode())
        return json.loads(text) if text.strip() else {}

    def query(self, service: str, version: str, operation: str, params: Mapping[str, Any]) -> None:
        """An operation of a query-protocol service, whose answer does not matter."""
        body = urlencode({"Action": operation, "Version": version, **params}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        self.patiently("POST", "/", service=service, headers=headers, body=body)

    def patiently(self, method: str, path: str, *, service: str = "s3", query: str = "",
                  headers: Mapping[str, str] | None = None, body: bytes = b"",
                  file: tuple[BinaryIO, int, int] | None = None,
                  into: Callable[[http.client.HTTPResponse], None] | None = None) -> tuple[Mapping[str, str], bytes]:
        """Send until answered. `file` is (file, offset, length) to send; `into` reads a 2xx body as a stream."""
        began, pause = time.monotonic(), 0.1
        while True:
            self.check()
            try:
                response = self._send(method, path, service, query, headers or {}, body, file)
                if response.status < 300:
                    if into is not None:
                        into(response)
                    return {k.lower(): v for k, v in response.getheaders()}, response.read()
                error = _error(response.status, response.read())
                if error.status not in _RETRIED and error.code not in ("SlowDown", "ThrottlingException"):
                    raise error
            except _AWAY as trouble:
                self.close()
                error = CallError("ServiceUnavailable", f"{type(trouble).__name__}: {trouble}", 0)
            if time.monotonic() - began > (FAULT_LIMIT if error.status else self.away_limit):
                raise error
            self._wait(pause)
            pause = min(5.0, pause * 1.7) * random.uniform(0.8, 1.2)

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(0.2, left))

    def _send(self, method: str, path: str, service: str, query: str, headers: Mapping[str, str], body: bytes,
              file: tuple[BinaryIO, int, int] | None) -> http.client.HTTPResponse:
        target = quote(path, safe="/-_.~") + (f"?{query}" if query else "")
        digest = signing.UNSIGNED if file else hashlib.sha256(body).hexdigest() if body else signing.EMPTY_HASH
        signed = signing.sign(method, self.url + target, headers, digest, self.keys(), self.region, service,
                              time.time())
        signed["Content-Length"] = str(file[2] if file else len(body))
        connection = self._connect()
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in signed.items():
            connection.putheader(name, value)
        connection.endheaders(body if body and not file else None)
        if file:
            _pour(connection, *file)
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self.url)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(parts.hostname or "localhost", parts.port, timeout=TIMEOUT)
        return self._connection


def _pour(connection: http.client.HTTPConnection, file: BinaryIO, offset: int, length: int) -> None:
    file.seek(offset)
    while length > 0:
        piece = file.read(min(length, 1 << 20))
        if not piece:
            raise OSError("the file became shorter while it was sent")
        connection.send(piece)
        length -= len(piece)


def _error(status: int, body: bytes) -> CallError:
    """Code and message of a JSON or XML error body."""
    text = body.decode(errors="replace")
    code = message = ""
    if text.lstrip().startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError:
            fields = {}
        code = str(fields.get("__type", fields.get("code", ""))).rpartition("#")[2]
        message = str(fields.get("message", fields.get("Message", "")))
    else:
        code, message = between(text, "Code"), between(text, "Message")
    return CallError(code or f"HTTP {status}", message, status)


def between(text: str, tag: str) -> str:
    """The unescaped text of the first element of that name, "" if there is none."""
    start = text.find(f"<{tag}>")
    end = text.find(f"</{tag}>", start)
    if start < 0 or end < 0:
        return ""
    raw = text[start + len(tag) + 2 : end]
    return html.unescape(raw)
