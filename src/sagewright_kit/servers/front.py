"""What passes between the HTTP side of a model server and a framework's front."""

from __future__ import annotations

from typing import Any, Iterable


class Request:
    """One request as a front sees it; header names are lower case."""

    __slots__ = ("method", "path", "headers", "body")

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.headers, self.body = method, path, headers, body

    @property
    def content_type(self) -> str:
        headers = self.headers
        return headers.get("content-type") or headers.get("contenttype") or ""

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")


class Answer:
    """One response. A `body` that is neither bytes nor text is iterated over and streamed in chunks."""

    __slots__ = ("status", "body", "content_type", "headers")

    def __init__(
        self,
        body: bytes | str | Iterable[Any] = b"",
        content_type: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.content_type, self.headers = status, content_type, headers
        self.body = body.encode("utf-8") if isinstance(body, str) else body


class Front:
    """A framework's way to answer. `load` runs once per worker, before the first request."""

    ping = Answer()

    def load(self) -> None:
        """Load the model; raising here ends the container."""

    def invoke(self, request: Request) -> Answer:
        """Answer POST /invocations."""
        raise NotImplementedError

    def execution_parameters(self) -> Answer:
        """Answer GET /execution-parameters; 404 says that the container states none."""
        return Answer(status=404)
