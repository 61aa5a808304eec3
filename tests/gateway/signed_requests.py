"""Requests signed by botocore, as a server receives them: what the tests of the verifier are made of."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreKeys

from sagewright.core import seams
from sagewright.core.call import Principal
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import sigv4

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PRINCIPAL = Principal("123456789012", "arn:aws:iam::123456789012:root", "123456789012")
PERMANENT = BotocoreKeys("AKIDPERMANENT", SECRET)
TEMPORARY = BotocoreKeys("ASIATEMPORARY", SECRET, "FwoGZXIvYXdzE//+=token")
EXPIRED = BotocoreKeys("ASIAEXPIRED", SECRET, "old-token")
REGION = "us-west-2"
SIGNERS = {"json": auth.SigV4Auth, "rest-json": auth.SigV4Auth, "query": auth.SigV4Auth, "s3": auth.S3SigV4Auth}
SERVICES = {"json": "sagemaker", "rest-json": "sagemaker", "query": "sts", "s3": "s3"}


def lookup(access_key: str) -> tuple[str, Principal, seams.Credentials | None] | None:
    now = time.time()
    return {
        "AKIDPERMANENT": (SECRET, PRINCIPAL, None),
        "ASIATEMPORARY": (SECRET, PRINCIPAL, seams.Credentials("ASIATEMPORARY", SECRET, TEMPORARY.token, now + 900)),
        "ASIAEXPIRED": (SECRET, PRINCIPAL, seams.Credentials("ASIAEXPIRED", SECRET, EXPIRED.token, now - 1)),
    }.get(access_key)


def received(signed: AWSRequest) -> Request:
    """The request as a server sees it once botocore has prepared it for the wire."""
    sent = signed.prepare()
    parts = urlsplit(sent.url)
    pairs = [("Host", parts.netloc)] if "host" not in {name.lower() for name in sent.headers} else []
    pairs += [(name, value.decode("latin-1") if isinstance(value, bytes) else str(value))
              for name, value in sent.headers.items()]
    body = sent.body if isinstance(sent.body, bytes) else (sent.body or "").encode()
    return Request(sent.method, parts.path, parts.query, Headers(pairs), io.BytesIO(body))


def signed(protocol: str = "json", method: str = "POST", path: str = "/", body: bytes = b"{}",
           headers: dict[str, str] | None = None, keys: BotocoreKeys = PERMANENT, region: str = REGION,
           service: str = "", signer: Any = None, **options: Any) -> Request:
    request = AWSRequest(method, f"http://localhost:4566{path}", headers=headers or {}, data=body)
    (signer or SIGNERS[protocol])(keys, service or SERVICES[protocol], region, **options).add_auth(request)
    return received(request)


def authenticate(request: Request, protocol: str = "json", body: bytes | None = b"{}", now: float | None = None,
                 **known: Any) -> sigv4.Verified:
    return sigv4.authenticate(request, body, lookup, time.time() if now is None else now,
                              service=SERVICES[protocol], protocol=protocol, **known)


def refusal(act: Callable[[], Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        act()
    return caught.value


def with_headers(request: Request, **changed: str | None) -> Request:
    """The request with these headers set, or left out for None; underscores stand for hyphens."""
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    pairs = [(name, value) for name, value in request.headers if name not in names]
    pairs += [(name, value) for name, value in names.items() if value is not None]
    return Request(request.method, request.raw_path, request.query, Headers(pairs), request.body)


def our_keys(keys: BotocoreKeys) -> seams.Credentials:
    return seams.Credentials(keys.access_key, keys.secret_key, keys.token or "", 0.0)
