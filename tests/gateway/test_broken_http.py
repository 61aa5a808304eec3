"""What breaks HTTP's own rules is refused in the protocol of the request that it came with."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import Live

FORM = "content-type: application/x-www-form-urlencoded"


def answer(live: Live, data: bytes) -> tuple[bytes, bytes]:
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        connection.sendall(data)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.parametrize(("headers", "kind", "written"), [
    (FORM, b"text/xml", b"<Code>MalformedHttpRequestException</Code>"),
    ("x-amz-target: SageMaker.ListModels", b"application/x-amz-json-1.", b'"__type": "MalformedHttpRequestException"'),
    ("smithy-protocol: rpc-v2-cbor", b"application/cbor", b"MalformedHttpRequestException"),
    ("x-amz-date: 20260101T000000Z", b"text/xml", b"<Code>MalformedHttpRequestException</Code>"),
])
def test_more_body_than_was_announced_is_refused_in_the_requests_protocol(live: Live, headers: str, kind: bytes,
                                                                          written: bytes) -> None:
    data = f"POST / HTTP/1.1\r\nhost: localhost:{live.port}\r\n{headers}\r\ncontent-length: 2\r\n\r\n{{}} ".encode()
    head, body = answer(live, data)
    assert head.startswith(b"http/1.1 400") and b"connection: close" in head and b"requestid" in head.replace(b"-", b"")
    assert kind in head and written.replace(b'": "', b'":"') in body.replace(b'": "', b'":"'), (head, body)


def test_what_is_no_http_at_all_is_refused(live: Live) -> None:
    head, body = answer(live, b"\x16\x03\x01 hello\r\n\r\n")
    assert head.startswith(b"http/1.1 400") and b"MalformedHttpRequestException" in body
    assert live.client("sts").get_caller_identity()["Account"] == live.account
