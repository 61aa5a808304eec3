"""The kit's own S3 download: signatures equal botocore's, credentials from where containers have them, clear errors."""

from __future__ import annotations

import datetime
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sagewright_kit.contract import s3
from sagewright_kit.contract.errors import ClientError

VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
    "S3_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "SAGEMAKER_REGION", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "HTTP_PROXY", "http_proxy",
)  # fmt: skip


class Peer:
    """An HTTP server that keeps what it was asked and answers from a table."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, body = peer.answers.get(self.path, (404, b"<Error><Code>NoSuchKey</Code></Error>"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    started = Peer()
    monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
    yield started
    started.server.shutdown()


@pytest.mark.parametrize("key", ["a/sourcedir.tar.gz", "with space/é+%25?#&=.tar", "~x_y-z"])
@pytest.mark.parametrize("token", ["", "session/token+"])
def test_the_signature_is_the_one_that_botocore_computes(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, token: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret/key")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.download(f"s3://my-bucket/{key}", str(tmp_path / "x"))
    path, headers = peer.asked[0]
    request = AWSRequest("GET", peer.url + path, headers={"x-amz-content-sha256": headers["x-amz-content-sha256"]})
    signer = S3SigV4Auth(Credentials("AKIAEXAMPLE", "secret/key", token or None), "s3", "eu-central-1")
    at = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = headers["x-amz-date"]
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: at, raising=False)
    request.context["payload_signing_enabled"] = True
    signer.add_auth(request)
    assert headers["authorization"] == request.headers["Authorization"]


def test_an_object_is_written_whole(peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    content = bytes(range(256)) * 10000
    peer.answers["/b/k"] = (200, content)
    s3.download("s3://b/k", str(tmp_path / "x"))
    assert (tmp_path / "x").read_bytes() == content


def test_credentials_come_from_the_container_endpoint(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"AccessKeyId": "ASIAROLE", "SecretAccessKey": "s", "Token": "t"}
    peer.answers.update({"/creds": (200, json.dumps(given).encode()), "/b/k": (200, b"x")})
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", peer.url + "/creds")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "letmein")
    s3.download("s3://b/k", str(tmp_path / "x"))
    assert peer.asked[0][1]["authorization"] == "letmein"
    headers = peer.asked[1][1]
    assert "Credential=ASIAROLE/" in headers["authorization"] and headers["x-amz-security-token"] == "t"


@pytest.mark.parametrize("uri", ["http://b/k", "s3:///k", "nothing"])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(ClientError, match="s3"):
        s3.split(uri)
