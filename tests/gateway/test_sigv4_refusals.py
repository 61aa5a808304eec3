"""What the verifier refuses, and in which words: the JSON services, query services and S3 each have their own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.credentials import Credentials as BotocoreKeys

from sagewright.core import signing
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import sigv4
from tests.gateway.signed_requests import (
    EXPIRED,
    PERMANENT,
    REGION,
    SECRET,
    SIGNERS,
    TEMPORARY,
    authenticate,
    our_keys,
    refusal,
    signed,
    with_headers,
)

# -- what is refused, and how ---------------------------------------------------------------------------------------
CODES = {
    "json": {"missing": ("MissingAuthenticationTokenException", 403),
             "incomplete": ("IncompleteSignatureException", 400),
             "key": ("UnrecognizedClientException", 400), "token": ("UnrecognizedClientException", 400),
             "expired": ("ExpiredTokenException", 400), "mismatch": ("InvalidSignatureException", 400),
             "scope": ("InvalidSignatureException", 400), "time": ("InvalidSignatureException", 400)},
    "rest-json": {"missing": ("MissingAuthenticationTokenException", 403),
                  "incomplete": ("IncompleteSignatureException", 403), "key": ("UnrecognizedClientException", 403),
                  "token": ("UnrecognizedClientException", 403), "expired": ("ExpiredTokenException", 403),
                  "mismatch": ("InvalidSignatureException", 403), "scope": ("InvalidSignatureException", 403),
                  "time": ("InvalidSignatureException", 403)},
    "query": {"missing": ("MissingAuthenticationToken", 403), "incomplete": ("IncompleteSignature", 400),
              "key": ("InvalidClientTokenId", 403), "token": ("InvalidClientTokenId", 403),
              "expired": ("ExpiredToken", 403), "mismatch": ("SignatureDoesNotMatch", 403),
              "scope": ("SignatureDoesNotMatch", 403), "time": ("SignatureDoesNotMatch", 403)},
    "s3": {"incomplete": ("AuthorizationHeaderMalformed", 400), "key": ("InvalidAccessKeyId", 403),
           "token": ("InvalidToken", 400), "expired": ("ExpiredToken", 400), "mismatch": ("SignatureDoesNotMatch", 403),
           "scope": ("AuthorizationHeaderMalformed", 400), "time": ("RequestTimeTooSkewed", 403)},
}
WRONG: dict[str, tuple[str, Callable[[str], Request]]] = {
    "no authorization": ("missing", lambda p: with_headers(signed(p), authorization=None)),
    "garbage": ("incomplete", lambda p: with_headers(signed(p), authorization="AWS4-HMAC-SHA256 what")),
    "short credential": ("incomplete", lambda p: with_headers(signed(p), authorization=signed(p).headers.get(
        "authorization").replace("/aws4_request", ""))),
    "unknown key": ("key", lambda p: signed(p, keys=BotocoreKeys("AKIDUNKNOWN", SECRET))),
    "wrong secret": ("mismatch", lambda p: signed(p, keys=BotocoreKeys("AKIDPERMANENT", "x" * 40))),
    "flipped signature": ("mismatch", lambda p: with_headers(signed(p), authorization=signed(p).headers.get(
        "authorization")[:-4] + "zz00")),
    "non-ASCII signature": ("mismatch", lambda p: with_headers(signed(p), authorization=signed(p).headers.get(
        "authorization")[:-4] + "\xe9\xe9")),
    "token left out": ("key", lambda p: signed(p, keys=BotocoreKeys("ASIATEMPORARY", SECRET))),
    "wrong token": ("token", lambda p: signed(p, keys=BotocoreKeys("ASIATEMPORARY", SECRET, "other"))),
    "token of another": ("token", lambda p: signed(p, keys=BotocoreKeys("AKIDPERMANENT", SECRET, TEMPORARY.token))),
    "expired token": ("expired", lambda p: signed(p, keys=EXPIRED)),
    "other service": ("scope", lambda p: signed(p, service="ec2")),
    "no such region": ("scope", lambda p: signed(p, region="xx-nowhere-9")),
    "other terminator": ("scope", lambda p: with_headers(signed(p), authorization=signed(p).headers.get(
        "authorization").replace("aws4_request", "aws5_request"))),
    "date changed": ("scope", lambda p: with_headers(signed(p), x_amz_date="20200101T000000Z")),
    "host changed": ("mismatch", lambda p: with_headers(signed(p), host="evil.example.com")),
    "signed header changed": ("mismatch", lambda p: with_headers(
        signed(p, headers={"x-amz-meta-a": "b"}), x_amz_meta_a="c")),
    "signed header taken out": ("mismatch", lambda p: with_headers(
        signed(p, headers={"x-amz-meta-a": "b"}), x_amz_meta_a=None)),
}


@pytest.mark.parametrize("protocol", list(CODES))
@pytest.mark.parametrize("wrong", list(WRONG))
def test_each_family_refuses_in_its_own_words(wrong: str, protocol: str) -> None:
    reason, build = WRONG[wrong]
    if reason not in CODES[protocol]:
        pytest.skip("S3 lets the anonymous through, for its policies to decide")
    error = refusal(lambda: authenticate(build(protocol), protocol))
    assert (error.code, error.status) == (CODES[protocol][reason] if (protocol, wrong) != ("s3", "token left out")
                                          else ("InvalidAccessKeyId", 403))
    assert error.message


@pytest.mark.parametrize("protocol", list(CODES))
@pytest.mark.parametrize("part", ["method", "path", "query"])
def test_a_changed_request_line_is_refused(protocol: str, part: str) -> None:
    request = signed(protocol)
    changes: dict[str, dict[str, str]] = {"method": {"method": "PUT"}, "path": {"raw_path": "/evil"},
                                          "query": {"query": "evil=1"}}
    for name, value in changes[part].items():
        setattr(request, name, value)
    assert refusal(lambda: authenticate(request, protocol)).code == CODES[protocol]["mismatch"][0]


@pytest.mark.parametrize("protocol", ["json", "rest-json", "query"])
def test_a_changed_body_is_refused_with_and_without_a_stated_hash(protocol: str) -> None:
    stated = {"x-amz-content-sha256": hashlib.sha256(b"{}").hexdigest()}
    for request in (signed(protocol), signed(protocol, headers=stated)):
        assert refusal(partial(authenticate, request, protocol, b"[]")).code == CODES[protocol]["mismatch"][0]
    assert authenticate(signed(protocol, headers=stated), protocol).body_checked


@pytest.mark.parametrize("word", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 63])
def test_words_for_unread_bodies_are_for_s3_only(word: str) -> None:
    request = signed("json", headers={"X-Amz-Content-SHA256": word})
    assert refusal(lambda: authenticate(request)).code == "InvalidSignatureException"


@pytest.mark.parametrize(("delta", "words"), [(1200, "Signature expired: "), (-1200, "Signature not yet current: ")])
def test_a_clock_that_is_off_is_told_which_way(delta: int, words: str) -> None:
    request, now = signed("json"), time.time() + delta
    error = refusal(lambda: authenticate(request, now=now))
    assert error.message.startswith(words + request.headers.get("x-amz-date")) and "15 min.)" in error.message
    assert authenticate(request, now=time.time() + delta / 5).access_key == PERMANENT.access_key
    s3 = refusal(lambda: authenticate(signed("s3"), "s3", now=now))
    assert s3.code == "RequestTimeTooSkewed" and s3.fields["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize("protocol", list(CODES))
def test_host_and_x_amz_headers_must_be_signed(protocol: str) -> None:
    loose = with_headers(signed(protocol), x_amz_acl="public-read")
    hostless = signed(protocol)
    hostless = with_headers(hostless, authorization=hostless.headers.get("authorization").replace(
        "SignedHeaders=host;", "SignedHeaders="))
    for request in (loose, hostless):
        error = refusal(partial(authenticate, request, protocol))
        assert error.code == ("AccessDenied" if protocol == "s3" else CODES[protocol]["scope"][0])


def test_anonymous_requests_are_for_s3_and_where_the_router_says_so() -> None:
    bare = Request("GET", "/bucket/key", "", Headers([("host", "localhost")]))
    assert authenticate(bare, "s3", b"").is_anonymous
    assert authenticate(bare, "query", b"", anonymous=True).is_anonymous
    assert refusal(lambda: authenticate(bare, "query", b"")).message == "Request is missing Authentication Token"


@pytest.mark.parametrize(("protocol", "header", "code"), [
    ("json", "Bearer sagemaker-api-key-abc", "UnrecognizedClientException"), ("s3", "Bearer abc", "InvalidToken"),
    ("json", "Basic dXNlcjpwYXNz", "IncompleteSignatureException"), ("s3", "Basic dXNlcjpwYXNz", "InvalidArgument"),
    ("json", "AWS AKIDPERMANENT:c2ln", "IncompleteSignatureException"), ("s3", "AWS nocolon", "InvalidArgument"),
    ("s3", "AWS4-ECDSA-P256-SHA256 Credential=a/b/c", "InvalidArgument"), ("s3", "\xff", "InvalidArgument")])
def test_other_schemes_are_refused_by_name(protocol: str, header: str, code: str) -> None:
    request = with_headers(signed(protocol), authorization=header)
    assert refusal(lambda: authenticate(request, protocol)).code == code


# -- S3 ------------------------------------------------------------------------------------------------------------
def presigned(path: str = "/bucket/key", expires: int = 60, **options: Any) -> Request:
    return signed("s3", "GET", path, b"", signer=auth.S3SigV4QueryAuth, expires=expires, **options)


@pytest.mark.parametrize(("change", "code"), [
    (lambda r: setattr(r, "raw_path", "/bucket/other"), "SignatureDoesNotMatch"),
    (lambda r: setattr(r, "method", "PUT"), "SignatureDoesNotMatch"),
    (lambda r: setattr(r, "query", r.query[:-8]), "SignatureDoesNotMatch"),
    (lambda r: setattr(r, "query", r.query.replace("Expires=60", "Expires=600")), "SignatureDoesNotMatch"),
    (lambda r: setattr(r, "query", r.query + "&versionId=1"), "SignatureDoesNotMatch"),
    (lambda r: setattr(r, "query", r.query.replace("Expires=60", "Expires=691200")),
     "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "query", r.query.replace("Expires=60", "Expires=-1")), "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "query", r.query.replace("Expires=60", "Expires=soon")),
     "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "query", r.query.replace("X-Amz-Expires=60&", "")), "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "query", r.query.replace("X-Amz-Date=2", "X-Amz-Date=x")),
     "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "query", r.query.replace("%2Fs3%2F", "%2Fec2%2F")), "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "query", r.query.replace("HMAC-SHA256", "HMAC-SHA1")), "AuthorizationQueryParametersError"),
    (lambda r: setattr(r, "headers", Headers([*r.headers, ("authorization", "AWS4-HMAC-SHA256 x")])),
     "InvalidArgument"),
    (lambda r: setattr(r, "headers", Headers([*r.headers, ("x-amz-acl", "public-read")])), "AccessDenied"),
])
def test_a_changed_presigned_url_is_refused(change: Callable[[Request], None], code: str) -> None:
    request = presigned()
    authenticate(request, "s3", None)
    change(request)
    assert refusal(lambda: authenticate(request, "s3", None)).code == code


def test_a_presigned_url_lives_as_long_as_it_says() -> None:
    assert authenticate(presigned(expires=7 * 86400), "s3", None, time.time() + 6 * 86400).in_query
    error = refusal(lambda: authenticate(presigned(expires=60), "s3", None, time.time() + 62))
    assert (error.code, error.message, error.status) == ("AccessDenied", "Request has expired", 403)
    early = refusal(lambda: authenticate(presigned(), "s3", None, time.time() - 1200))
    assert early.message == "Request is not yet valid"


def test_a_presigned_upload_may_bind_its_headers_and_body_hash() -> None:
    digest = hashlib.sha256(b"data").hexdigest()
    url = signing.presign("PUT", "http://localhost:4566/b/k", our_keys(PERMANENT), REGION, "s3", time.time(),
                          headers={"x-amz-content-sha256": digest, "x-amz-acl": "private"}, body_hash=digest)
    parts = urlsplit(url)
    headers = Headers([("host", parts.netloc), ("x-amz-content-sha256", digest), ("x-amz-acl", "private")])
    authenticate(Request("PUT", parts.path, parts.query, headers), "s3", b"data")
    error = refusal(lambda: authenticate(Request("PUT", parts.path, parts.query, headers), "s3", b"evil"))
    assert error.code == "XAmzContentSHA256Mismatch"


def test_a_body_hash_beside_a_presigned_url_counts_only_if_it_is_signed() -> None:
    request = presigned()
    request.headers = Headers([*request.headers, ("x-amz-content-sha256", hashlib.sha256(b"data").hexdigest())])
    assert authenticate(request, "s3", None).payload_mode == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize("protocol", ["s3", "rest-json"])
def test_an_encoded_slash_is_not_a_separator(protocol: str) -> None:
    request = signed(protocol, "POST", "/endpoints/a/b", b"x")
    request.raw_path = "/endpoints/a%2Fb"
    assert refusal(lambda: authenticate(request, protocol, b"x")).code == CODES[protocol]["mismatch"][0]


def test_the_body_hash_header_of_s3_is_required_and_checked() -> None:
    request = signed("s3", "PUT", "/b/k", b"data")
    assert authenticate(request, "s3", b"data").body_checked
    error = refusal(lambda: authenticate(request, "s3", b"evil"))
    assert (error.code, error.status) == ("XAmzContentSHA256Mismatch", 400)
    bare = with_headers(request, x_amz_content_sha256=None)
    assert refusal(lambda: authenticate(bare, "s3", b"data")).code == "MissingSecurityHeader"
    odd = with_headers(request, x_amz_content_sha256="UNSIGNED")
    assert refusal(lambda: authenticate(odd, "s3", b"data")).code == "InvalidArgument"


def test_a_bucket_of_another_region_is_named_so_that_sdks_follow() -> None:
    error = refusal(lambda: authenticate(signed("s3", region="eu-west-1"), "s3", None, region=REGION))
    assert (error.code, error.fields["Region"]) == ("AuthorizationHeaderMalformed", REGION)
    verified = authenticate(presigned(region="eu-west-1"), "s3", None)
    later = refusal(lambda: sigv4.require_region(verified, REGION))
    assert (later.code, later.fields["Region"]) == ("AuthorizationQueryParametersError", REGION)
    sigv4.require_region(verified, "eu-west-1")


def test_a_mismatch_shows_what_was_signed_but_not_the_right_signature() -> None:
    request = signed("s3", "GET", "/b/k", b"", keys=BotocoreKeys("AKIDPERMANENT", "x" * 40))
    right = signed("s3", "GET", "/b/k", b"").headers.get("authorization")[-64:]
    error = refusal(lambda: authenticate(request, "s3", None))
    assert error.fields["CanonicalRequest"].startswith("GET\n/b/k\n")
    assert right not in str(error.fields)
    verified = authenticate(signed("json"))
    assert repr(verified.signing_key) not in repr(verified)


@pytest.mark.parametrize("junk", ["&" * 50, "=", "X-Amz-Signature=", "X-Amz-Credential=%FF%FE&X-Amz-Algorithm=x",
                                  "AWSAccessKeyId=&Signature=x&Expires=99999999999",
                                  "AWSAccessKeyId=A&Signature=\xe9&Expires=1",
                                  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=////&X-Amz-Signature=\xff&X-Amz-Date=x"
                                  "&X-Amz-SignedHeaders=;;;&X-Amz-Expires=9"])
@pytest.mark.parametrize("protocol", list(SIGNERS))
def test_junk_is_never_a_fault_of_ours(protocol: str, junk: str) -> None:
    request = Request("GET", "/\xff%zz%", junk, Headers([("host", "h")]))
    try:
        assert authenticate(request, protocol, b"").is_anonymous
    except AwsError as error:
        assert 400 <= error.status < 500
