"""A very small S3, Logs and CloudWatch over HTTP that real agents talk to; it knows what they need and no more.

Objects, log events and metric values are kept in dicts that tests look into. Requests must carry a SigV4 header whose
access key is known, or they are refused with 403, as the gateway would.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

KEY = "ASIATESTTESTTESTTEST"


class TinyAws:
    """The server and what it holds."""

    def __init__(self, port: int = 0) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.logs: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.groups: set[str] = set()
        self.metrics: list[dict[str, str]] = []
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.refused: list[str] = []
        self.page = 1000
        self.slow = 0.0
        self.lock = threading.Lock()
        self._serve(port)

    def _serve(self, port: int) -> None:
        handler = type("Handler", (_Handler,), {"aws": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def go_away(self) -> None:
        """Refuse connections from now on."""
        self.server.shutdown()
        self.server.server_close()

    def come_back(self) -> None:
        """Serve again on the same port, with all that was there."""
        self._serve(self.port)

    def put(self, uri: str, data: bytes | str) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.objects[bucket, key] = data.encode() if isinstance(data, str) else data

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.objects[bucket, key]

    def lines(self, group: str, stream: str) -> list[str]:
        return [text for _, text in self.logs.get((group, stream), [])]


class _Handler(BaseHTTPRequestHandler):
    aws: TinyAws
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refused(self) -> bool:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if f"Credential={KEY}/" in self.headers.get("Authorization", ""):
            return False
        self.aws.refused.append(self.path)
        self._answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        return True

    def _where(self) -> tuple[str, str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        return bucket, key, parse_qs(parts.query, keep_blank_values=True)

    def do_GET(self) -> None:
        if self._refused():
            return None
        bucket, key, query = self._where()
        if "list-type" in query:
            return self._list(bucket, query)
        if (bucket, key) not in self.aws.objects:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>No such key.</Message></Error>")
        return self._answer(200, self.aws.objects[bucket, key])

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix, after = query["prefix"][0], query.get("continuation-token", [""])[0]
        keys = sorted(k for b, k in self.aws.objects if b == bucket and k.startswith(prefix) and k > after)
        page = keys[: self.aws.page]
        items = "".join(f"<Contents><Key>{escape(quote(key))}</Key><Size>{len(self.aws.objects[bucket, key])}</Size>"
                        "</Contents>" for key in page)
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(keys) > len(page) else ""
        self._answer(200, f"<ListBucketResult>{items}{more}</ListBucketResult>".encode())

    def do_PUT(self) -> None:
        if self._refused():
            return None
        bucket, key, query = self._where()
        if bucket.startswith("missing"):
            return self._answer(404, b"<Error><Code>NoSuchBucket</Code><Message>No such bucket.</Message></Error>")
        if "uploadId" in query:
            self.aws.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = self.body
        else:
            self.aws.objects[bucket, key] = self.body
        return self._answer(200, headers={"ETag": f'"{hash(self.body):x}"'})

    def do_POST(self) -> None:
        if self._refused():
            return
        target = self.headers.get("X-Amz-Target", "")
        bucket, key, query = self._where()
        if target.startswith("Logs_"):
            self._logs(target.partition(".")[2], json.loads(self.body))
        elif "uploads" in query:
            upload = f"u{len(self.aws.uploads)}"
            self.aws.uploads[upload] = {}
            self._answer(200, f"<R><UploadId>{upload}</UploadId></R>".encode())
        elif "uploadId" in query:
            parts = self.aws.uploads.pop(query["uploadId"][0])
            self.aws.objects[bucket, key] = b"".join(parts[number] for number in sorted(parts))
            self._answer(200, b"<R/>")
        else:
            self._metrics(parse_qs(self.body.decode()))

    def _logs(self, operation: str, params: dict[str, Any]) -> None:
        group, stream = params["logGroupName"], params.get("logStreamName", "")
        with self.aws.lock:
            if operation == "CreateLogGroup":
                self.aws.groups.add(group)
            elif operation == "CreateLogStream":
                self.aws.logs.setdefault((group, stream), [])
            elif (group, stream) not in self.aws.logs:
                return self._answer(400, b'{"__type": "ResourceNotFoundException", "message": "no stream"}')
            else:
                assert len(params["logEvents"]) <= 10_000
                self.aws.logs[group, stream] += [(e["timestamp"], e["message"]) for e in params["logEvents"]]
        return self._answer(200, b"{}")

    def _metrics(self, params: dict[str, list[str]]) -> None:
        flat = {name: values[0] for name, values in params.items()}
        with self.aws.lock:
            for name in flat:
                if found := re.fullmatch(r"MetricData\.member\.(\d+)\.MetricName", name):
                    stem = f"MetricData.member.{found.group(1)}."
                    self.aws.metrics.append({"Namespace": flat["Namespace"],
                                             **{k[len(stem):]: v for k, v in flat.items() if k.startswith(stem)}})
        self._answer(200, b"<PutMetricDataResponse/>")
