"""The job role's credentials: a file that the control plane renews, and the endpoint that a job reads them from.

Called by the agent. The endpoint speaks what AWS's containers speak (AWS_CONTAINER_CREDENTIALS_FULL_URI with an
authorization token), so that every AWS SDK in a job finds them and renews them by itself.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PORT = 51679
PATH = "/credentials"


@dataclass(frozen=True)
class Keys:
    """One set of temporary credentials; has what `core.signing.Keys` wants."""

    access_key: str
    secret_key: str
    token: str
    expires: float


class Wallet:
    """The credentials of the moment. The file is replaced as a whole, so that a read sees one set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = -1
        self._keys = Keys("", "", "", 0.0)
        self._lock = threading.Lock()

    def keys(self) -> Keys:
        """The newest set that was written."""
        with self._lock, suppress(FileNotFoundError):
            version = self.path.stat().st_mtime_ns
            if version != self._seen:
                self._keys = Keys(**json.loads(self.path.read_text()))
                self._seen = version
        return self._keys


def store(path: Path, access_key: str, secret_key: str, token: str, expires: float) -> None:
    """Write a set for a `Wallet` to find; readable by us alone."""
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"access_key": access_key, "secret_key": secret_key, "token": token, "expires": expires}, file)
    new.rename(path)


class Endpoint(threading.Thread):
    """Answers one GET per connection on a socket in the job's network."""

    def __init__(self, listener: socket.socket, wallet: Wallet, token: str) -> None:
        super().__init__(daemon=True, name="credentials")
        self.listener, self.wallet, self.token = listener, wallet, token

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, suppress(OSError, ValueError):
                connection.settimeout(2.0)
                connection.sendall(self._answer(_head(connection)))

    def _answer(self, head: bytes) -> bytes:
        line, *rest = head.decode("latin-1").split("\r\n")
        given = next((text.partition(":")[2].strip() for text in rest if text.lower().startswith("authorization:")), "")
        if line.split(" ")[:2] != ["GET", PATH]:
            return _response("404 Not Found", {"message": "not found"})
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _response("401 Unauthorized", {"message": "the authorization token does not match"})
        keys = self.wallet.keys()
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(keys.expires))
        return _response("200 OK", {"AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key,
                                    "Token": keys.token, "Expiration": until})


def _head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < 16_384:
        piece = connection.recv(4096)
        if not piece:
            break
        data += piece
    return data.partition(b"\r\n\r\n")[0]


def _response(status: str, body: dict[str, str]) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\nConnection: close"
    return head.encode() + b"\r\n\r\n" + text
