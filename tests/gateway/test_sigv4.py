"""What the verifier accepts, with botocore's signers as the oracle, and that our own signer agrees with them."""

from __future__ import annotations

import datetime
import hashlib
import io
import time
from urllib.parse import quote, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreKeys

from sagewright.core import signing
from sagewright.core.http import Headers, Request
from sagewright.gateway import claims, sigv4
from tests.gateway.signed_requests import (
    PERMANENT,
    PRINCIPAL,
    REGION,
    SECRET,
    SERVICES,
    SIGNERS,
    TEMPORARY,
    authenticate,
    our_keys,
    received,
    refusal,
    signed,
    with_headers,
)


# -- what botocore signs is accepted --------------------------------------------------------------------------------
@pytest.mark.parametrize("keys", [PERMANENT, TEMPORARY], ids=["permanent", "temporary"])
@pytest.mark.parametrize("protocol", list(SIGNERS))
def test_what_botocore_signs_is_accepted_and_says_who_signed(protocol: str, keys: BotocoreKeys) -> None:
    verified = authenticate(signed(protocol, keys=keys), protocol)
    assert (verified.principal, verified.access_key, verified.region) == (PRINCIPAL, keys.access_key, REGION)
    assert verified.signing_key == signing.signing_key(SECRET, verified.date, REGION, SERVICES[protocol])


@pytest.mark.parametrize("path", [
    "/endpoints/nope/invocations", "/endpoints/a%20b/invocations", "/endpoints/a%2Fb/invocations", "/a//b/./c/../d/",
    "/a/b/..", "/endpoints/arn%3Aaws%3Asagemaker/x", "/caf%C3%A9", "/(paren)!*'~", "/a%2fb", "/plus+plus",
    "/2015-03-31/functions/arn:aws:lambda:us-west-2:1:function:f/invocations", "/x?b=2&a=1&a=0&empty&e=",
    "/x?prefix=a%20b%2Fc&marker=%C3%A9", "/x?odd=(a)!*'", "/x?lower=%2f%c3", "/x?space=a+b", "/x?sorted=1&Sorted=2",
])
@pytest.mark.parametrize("protocol", ["rest-json", "s3"])
def test_paths_and_queries_are_read_as_botocore_signs_them(protocol: str, path: str) -> None:
    assert authenticate(signed(protocol, "GET", path, b""), protocol, b"").access_key == PERMANENT.access_key


@pytest.mark.parametrize("key", ["sp ace", "a+b", "per%cent", "é/ü", "a//b", "./dot/../x", "q?m#h", "tilde~!*'()",
                                 "=&;,:@$", "日本", "//", ".", "..", "a/../../b", "\n", "%2F"])
def test_s3_keys_of_any_spelling_verify_in_header_and_query(key: str) -> None:
    path = "/bucket/" + quote(key, safe="/-_.~")
    authenticate(signed("s3", "PUT", path, b"x"), "s3", b"x")
    authenticate(signed("s3", "GET", path, b"", signer=auth.S3SigV4QueryAuth), "s3", b"")


@pytest.mark.parametrize("value", ["plain", "two  spaces", "  padded ", "a\tb", "comma, separated", "\xe9t\xe9"])
def test_header_values_are_read_as_botocore_signs_them(value: str) -> None:
    headers = {"x-amz-meta-word": value, "Content-Type": "text/plain"}
    authenticate(signed("s3", "PUT", "/b/k", b"x", headers), "s3", b"x")


def test_header_case_order_padding_and_unsigned_headers_do_not_matter() -> None:
    request = signed("json", headers={"X-Amz-Target": "SageMaker.ListModels", "Content-Type": "application/json"})
    pairs = [(name.upper(), f"  {value} ") for name, value in request.headers]
    shuffled = Request("POST", "/", "", Headers([*reversed(pairs), ("X-Other", "1"), ("x-amzn-trace-id", "Root=1")]))
    assert authenticate(shuffled).access_key == PERMANENT.access_key


def test_a_date_header_stands_in_for_x_amz_date() -> None:
    now = datetime.datetime.now(datetime.UTC)
    request = signed("json", headers={"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    assert "x-amz-date" not in request.headers
    authenticate(request)


def test_presigned_sts_is_accepted() -> None:
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    for keys in (PERMANENT, TEMPORARY):
        request = signed("query", "GET", path, b"", keys=keys, signer=auth.SigV4QueryAuth, expires=60)
        assert authenticate(request, "query", b"").in_query


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/bucket/key"), ("PUT", "/bucket/a%20b"), ("GET", "/bucket?uploads"), ("GET", "/bucket/k?versionId=3"),
    ("GET", "/bucket/k?response-content-type=text%2Fplain&x-id=GetObject"),
    ("POST", "/bucket/k?uploadId=a%2Bb&partNumber=2")])
@pytest.mark.parametrize("keys", [PERMANENT, TEMPORARY], ids=["permanent", "temporary"])
def test_version_2_presigns_of_s3_are_accepted_and_their_changes_refused(method: str, path: str,
                                                                         keys: BotocoreKeys) -> None:
    request = AWSRequest(method, f"http://localhost:4566{path}")
    request.auth_path = None
    auth.HmacV1QueryAuth(keys, expires=60).add_auth(request)
    arrived = received(request)
    assert authenticate(arrived, "s3", b"").access_key == keys.access_key
    arrived.raw_path += "x"
    assert refusal(lambda: authenticate(arrived, "s3", b"")).code == "SignatureDoesNotMatch"
    arrived.raw_path = arrived.raw_path[:-1]
    assert refusal(lambda: authenticate(arrived, "s3", b"", time.time() + 99)).code == "AccessDenied"


def test_a_virtual_hosted_version_2_presign_signs_its_bucket() -> None:
    request = AWSRequest("GET", "http://bucket.localhost:4566/key")
    request.auth_path = "/bucket/key"
    auth.HmacV1QueryAuth(PERMANENT, expires=60).add_auth(request)
    arrived = received(request)
    assert authenticate(arrived, "s3", b"", bucket="bucket").access_key == PERMANENT.access_key
    assert refusal(lambda: authenticate(arrived, "s3", b"", bucket="other")).code == "SignatureDoesNotMatch"


def test_version_2_authorization_headers_of_s3_are_accepted() -> None:
    request = AWSRequest("PUT", "http://localhost:4566/bucket/key?tagging", headers={"x-amz-meta-a": "b"}, data=b"x")
    auth.HmacV1Auth(PERMANENT).add_auth(request)
    arrived = received(request)
    assert authenticate(arrived, "s3", b"x").access_key == PERMANENT.access_key
    changed = with_headers(arrived, x_amz_meta_a="c")
    assert refusal(lambda: authenticate(changed, "s3", b"x")).code == "SignatureDoesNotMatch"


def test_a_body_that_is_not_read_yet_is_proven_at_its_end() -> None:
    good, bad = signed("json", body=b"x" * 99), signed("json", body=b"x" * 99)
    bad.body = io.BytesIO(b"y" * 99)
    for request in (good, bad):
        request.headers = Headers([*request.headers, ("content-length", "99")])
    reader = sigv4.verified_body(good, good.body, authenticate(good, body=None))
    assert reader.read(98) + reader.read(1) == b"x" * 99
    reader = sigv4.verified_body(bad, bad.body, authenticate(bad, body=None))
    assert reader.read(98) == b"y" * 98
    assert refusal(lambda: reader.read(1)).code == "InvalidSignatureException"


# -- our own signer ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("protocol", list(SIGNERS))
@pytest.mark.parametrize("path", ["/", "/a%20b/c", "/a//b/../c", "/x?b=2&a=%2F&flag", "/caf%C3%A9"])
def test_our_signer_signs_what_botocore_signs(protocol: str, path: str) -> None:
    theirs = signed(protocol, "PUT", path, b"data", {"Content-Type": "text/csv"}, TEMPORARY)
    at = claims.seconds(theirs.headers.get("x-amz-date")) or 0.0
    ours = signing.sign("PUT", f"http://localhost:4566{path}", {"Content-Type": "text/csv"},
                        hashlib.sha256(b"data").hexdigest(), our_keys(TEMPORARY), REGION, SERVICES[protocol], at)
    assert ours["Authorization"] == theirs.headers.get("authorization")
    parts = urlsplit(path)
    authenticate(Request("PUT", parts.path, parts.query, Headers(ours.items())), protocol, b"data")


@pytest.mark.parametrize(("protocol", "path"), [("s3", "/b/a%20b?x-id=GetObject"),
                                                ("query", "/?Action=GetCallerIdentity")])
def test_our_presigned_urls_are_accepted(protocol: str, path: str) -> None:
    url = signing.presign("GET", f"https://localhost:443{path}", our_keys(TEMPORARY), REGION, SERVICES[protocol],
                          time.time())
    parts = urlsplit(url)
    request = Request("GET", parts.path, parts.query, Headers([("Host", "localhost")]))
    assert authenticate(request, protocol, b"").access_key == TEMPORARY.access_key
