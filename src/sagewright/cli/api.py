"""The command line as a client: signed JSON calls to the public API, like everybody else's."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from typing import Any

from sagewright.cli.place import Place
from sagewright.core import signing
from sagewright.core.errors import AwsError

_TARGETS = {"sagemaker": "SageMaker", "logs": "Logs_20140328"}


class Api:
    """Calls of one place's server."""

    def __init__(self, place: Place) -> None:
        self._port = place.need_server()["port"]
        self._keys = place.keys()
        self._region = place.facts()["region"]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One call; `AwsError` as the server answers it."""
        body = json.dumps(params).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{_TARGETS[service]}.{operation}"}
        signed = signing.sign("POST", f"http://localhost:{self._port}/", headers, hashlib.sha256(body).hexdigest(),
                              self._keys, self._region, service, time.time())
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=90)
        try:
            connection.request("POST", "/", body, signed)
            answer = connection.getresponse()
            data = json.loads(answer.read() or b"{}")
        finally:
            connection.close()
        if answer.status != 200:
            raise AwsError(data.get("__type", "Error"), data.get("message") or data.get("Message", ""), answer.status)
        return data

    def all(self, service: str, operation: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Every page of a SageMaker List."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call(service, operation, **params)
            found += page.get(key, [])
            if not page.get("NextToken"):
                return found
            params["NextToken"] = page["NextToken"]
