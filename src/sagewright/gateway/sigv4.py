"""Signature Version 4 on the server's side: who signed this request, and is the signature right?

`gateway/chain.py` calls `authenticate` once per request (it lies on the path of InvokeEndpoint, so its cost is watched)
and reads bodies through `verified_body`. This calls `core/signing.py` for canonical forms, `gateway/claims.py` to read
the claim out of the request, `gateway/chunked.py` for bodies and `gateway/refusals.py` for the words of every error.

Covered: Authorization header and presigned query; session tokens; credential scope; clock skew and expiry; signed
headers; body hashes; anonymous requests; Signature Version 2 for S3 (`sigv2.py`: botocore still presigns with it).
Not covered: Signature Version 4A (ECDSA), bearer tokens (a `Claim` of kind "bearer" is found, and refused).
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from sagewright.core import model, signing
from sagewright.core.call import ANONYMOUS, Principal
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Reader, Request
from sagewright.core.seams import Credentials
from sagewright.gateway import chunked, claims, refusals, sigv2
from sagewright.gateway.claims import Claim
from sagewright.gateway.refusals import Expected

SKEW = 900
LONGEST_PRESIGN = 604800

# `Identities.lookup`: access key -> secret, principal and, for temporary keys, token and expiry; None if unknown.
Lookup = Callable[[str], "tuple[str, Principal, Credentials | None] | None"]

_HASH = re.compile(r"[0-9a-f]{64}")
STREAMING_MODES = frozenset({"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                             "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})


@dataclass(slots=True)
class Verified:
    """A request whose signature holds (or an anonymous one that is allowed).

    payload_mode: the word or hash that was signed for the body. `amz_date`, `signing_key` and `signature` seed the
    chunk signatures of a streamed body. in_query: signed by its query string. body_checked: the body was there and
    agrees. prove: set where the signature covers a body that has yet to be read; `verified_body` calls it with the
    body's hash at its end, and until then nothing about the caller is proven.
    """

    principal: Principal
    access_key: str = ""
    region: str = ""
    service: str = ""
    date: str = ""
    amz_date: str = ""
    signing_key: bytes = field(default=b"", repr=False)
    signature: str = field(default="", repr=False)
    payload_mode: str = signing.UNSIGNED
    in_query: bool = False
    body_checked: bool = False
    prove: Callable[[str], None] | None = field(default=None, repr=False)

    @property
    def is_anonymous(self) -> bool:
        return self.principal is ANONYMOUS

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def authenticate(request: Request, body: bytes | None, lookup: Lookup, now: float, *, service: str, protocol: str,
                 region: str = "", anonymous: bool = False, bucket: str = "") -> Verified:
    """Who signed the request; AwsError in the words of the service's family if nobody did, or not rightly.

    `body` is the body where it has been read whole, None where `verified_body` will read it. The rest says what the
    router knows, see `refusals.Expected`.
    """
    expected = _expected(service, protocol, region, anonymous, bucket)
    claim = claims.read(request, expected)
    if claim.kind == "anonymous":
        return _anonymous(request, expected)
    if claim.kind == "bearer":
        raise refusals.refuse(expected, "bad token")
    if claim.kind.startswith("v2"):
        return _version_2(request, claim, lookup, now, expected)
    secret, principal = _identity(claim, lookup, now, expected)
    _check_scope(claim, expected)
    _check_time(claim, now, expected)
    payload = _payload(request, claim, body, expected)
    key = signing.signing_key(secret, claim.date, claim.region, claim.service)
    proof = Proof(request, claim, expected, key, _signed_headers(request.headers, claim, expected))
    if payload:
        proof.check(payload)
    if expected.is_s3 and body is not None and _HASH.fullmatch(payload):
        _check_body(payload, hashlib.sha256(body).hexdigest(), s3=True)
    return Verified(principal, claim.access_key, claim.region, claim.service, claim.date, claim.amz_date, key,
                    claim.signature, payload, claim.kind == "query", body is not None and not _streams(payload),
                    None if payload else proof.check)


_expected = lru_cache(maxsize=1024)(Expected)


def verified_body(request: Request, reader: Reader, verified: Verified | None) -> Reader:
    """The body without its aws-chunked framing, checked as it is read.

    The last bytes are not handed out before length, hash and chunk signatures agree: AwsError is raised instead. So
    whoever stores a body commits it only after `read` has returned `b""`.
    """
    mode = verified.payload_mode if verified is not None else request.headers.get("x-amz-content-sha256")
    if _streams(mode):
        signed = mode.startswith("STREAMING-AWS4")
        seed = chunked.Seed(verified.signing_key, verified.amz_date, verified.scope, verified.signature) \
            if verified is not None and signed else None
        return chunked.ChunkedBody(reader, request.headers, seed, trailing=mode.endswith("-TRAILER"))
    if verified is not None and verified.prove is not None:
        return chunked.CheckedBody(reader, request.headers, verified.prove)
    if verified is None or verified.body_checked or not _HASH.fullmatch(mode):
        return chunked.CheckedBody(reader, request.headers, None)
    s3 = not verified.service or verified.service in signing.S3_SERVICES
    return chunked.CheckedBody(reader, request.headers,
                               lambda computed: _check_body(verified.payload_mode, computed, s3))


def _check_body(claimed: str, computed: str, s3: bool) -> None:
    if claimed != computed:
        if s3:
            raise refusals.body_hash_mismatch(claimed, computed)
        raise refusals.refuse(Expected(""), "mismatch")


def _streams(mode: str) -> bool:
    return mode in STREAMING_MODES


def require_region(verified: Verified, region: str) -> None:
    """Refuse a credential scope of another region than the bucket's, for S3 once it knows the bucket."""
    if verified.region and verified.region != region:
        expected = Expected(verified.service, "rest-xml", region)
        raise refusals.wrong_region(expected, verified.region, verified.in_query)


def _anonymous(request: Request, expected: Expected) -> Verified:
    if not (expected.anonymous or expected.is_s3):
        raise refusals.refuse(expected, "missing")
    mode = request.headers.get("x-amz-content-sha256") or signing.UNSIGNED
    # Nobody signed the chunks of an anonymous upload, so there is nothing to check their signatures with.
    if mode.startswith("STREAMING-AWS4"):
        raise refusals.refuse(expected, "missing")
    return Verified(ANONYMOUS, payload_mode=mode)


def _version_2(request: Request, claim: Claim, lookup: Lookup, now: float, expected: Expected) -> Verified:
    if not expected.is_s3:
        raise refusals.unsupported_type(expected, request.headers.get("authorization"))
    secret, principal = _identity(claim, lookup, now, expected)
    sigv2.check(request, claim, secret, now, expected)
    mode = request.headers.get("x-amz-content-sha256") or signing.UNSIGNED
    if mode.startswith("STREAMING-AWS4"):
        mode = signing.UNSIGNED
    return Verified(principal, claim.access_key, payload_mode=mode, in_query=claim.kind == "v2-query")


def _identity(claim: Claim, lookup: Lookup, now: float, expected: Expected) -> tuple[str, Principal]:
    """Secret and principal of the key, once its session token is right."""
    found = lookup(claim.access_key)
    if found is None:
        raise refusals.refuse(expected, "unknown key", **({"AWSAccessKeyId": claim.access_key[:128]}
                                                          if expected.is_s3 else {}))
    secret, principal, temporary = found
    if temporary is None:
        if claim.token:
            raise refusals.refuse(expected, "bad token")
        return secret, principal
    if not claim.token:
        raise refusals.refuse(expected, "unknown key")
    if not hmac.compare_digest(signing.as_bytes(claim.token), temporary.token.encode()):
        raise refusals.refuse(expected, "bad token")
    if temporary.expires <= now:
        raise refusals.refuse(expected, "expired token")
    return secret, principal


def _check_scope(claim: Claim, expected: Expected) -> None:
    in_query = claim.kind == "query"
    if claim.terminator != "aws4_request":
        raise refusals.wrong_scope(expected, "Credential should be scoped with a valid terminator: 'aws4_request'.",
                                   f'incorrect terminal "{claim.terminator}". This endpoint uses "aws4_request".',
                                   in_query)
    if claim.date != claim.amz_date[:8]:
        words = (f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                 f"'{claim.date}' != '{claim.amz_date[:8]}', from '{claim.amz_date}'.")
        raise refusals.wrong_scope(expected, words, f'Invalid credential date "{claim.date}". This date is not the '
                                   f'same as X-Amz-Date: "{claim.amz_date[:8]}".', in_query)
    if claim.service != expected.service:
        raise refusals.wrong_scope(expected, f"Credential should be scoped to correct service: '{expected.service}'.",
                                   f'incorrect service "{claim.service}". This endpoint belongs to '
                                   f'"{expected.service}".', in_query)
    if expected.region and claim.region != expected.region:
        raise refusals.wrong_region(expected, claim.region, in_query)
    if claim.region not in model.regions():
        raise refusals.wrong_scope(expected, "Credential should be scoped to a valid region.",
                                   f"the region '{claim.region}' is wrong", in_query)


def _check_time(claim: Claim, now: float, expected: Expected) -> None:
    signed, in_query = claim.signed_at, claim.kind == "query"
    life = min(claim.expires, LONGEST_PRESIGN) if in_query else SKEW
    if now > signed + life:
        if expected.is_s3 and in_query:
            raise AwsError("AccessDenied", "Request has expired", 403, {
                "X-Amz-Expires": str(claim.expires), "Expires": _iso(signed + life), "ServerTime": _iso(now)})
        limit, span = signing.amz_date(now - life), f"{life // 60} min."
        raise _skewed(claim, now, expected, f"Signature expired: {claim.amz_date} is now earlier than {limit} "
                      f"({signing.amz_date(now)} - {span})")
    if signed > now + SKEW:
        if expected.is_s3 and in_query:
            raise AwsError("AccessDenied", "Request is not yet valid", 403, {"ServerTime": _iso(now)})
        raise _skewed(claim, now, expected, f"Signature not yet current: {claim.amz_date} is still later than "
                      f"{signing.amz_date(now + SKEW)} ({signing.amz_date(now)} + 15 min.)")


def _skewed(claim: Claim, now: float, expected: Expected, words: str) -> AwsError:
    if expected.is_s3:
        return refusals.refuse(expected, "time", RequestTime=claim.amz_date, ServerTime=_iso(now),
                               MaxAllowedSkewMilliseconds=str(SKEW * 1000))
    return refusals.refuse(expected, "time", words)


def _iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(int(at), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _payload(request: Request, claim: Claim, body: bytes | None, expected: Expected) -> str:
    """The word or hash for the body that was signed, checked against the body where that has been read.

    Empty if the signature covers the hash of a body that has yet to be read, and the client does not state it.
    """
    stated = request.headers.get("x-amz-content-sha256").strip()
    if expected.is_s3:
        return _s3_payload(stated, claim)
    # UNSIGNED-PAYLOAD and the streaming words are S3's alone.
    if stated and not _HASH.fullmatch(stated):
        raise refusals.refuse(expected, "mismatch")
    if body is None:
        return stated
    computed = hashlib.sha256(body).hexdigest() if body else signing.EMPTY_HASH
    if stated and stated != computed:
        raise refusals.refuse(expected, "mismatch")
    return computed


def _s3_payload(stated: str, claim: Claim) -> str:
    if claim.kind == "query" and "x-amz-content-sha256" not in claim.signed_headers:
        stated = claim.content_hash or signing.UNSIGNED
    if not stated:
        raise AwsError("MissingSecurityHeader", "Missing required header for this request: x-amz-content-sha256", 400)
    if stated == signing.UNSIGNED or stated in STREAMING_MODES:
        return stated
    if not _HASH.fullmatch(stated):
        raise AwsError("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-"
                       "TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
                       "valid sha256 value.", 400,
                       {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": stated[:128]})
    return stated


def _signed_headers(headers: Headers, claim: Claim, expected: Expected) -> str:
    """The canonical header block; refuses a request that leaves Host or any x-amz-* header unsigned."""
    values: dict[str, str] = {}
    for name, value in headers.pairs:
        values[name] = f"{values[name]},{signing.canonical_value(value)}" if name in values \
            else signing.canonical_value(value)
    names = claim.signed_headers.split(";")
    signed = set(names)
    loose = [name for name in values
             if name.startswith("x-amz-") and name not in signed and not _may_be_loose(name, claim)]
    if "host" not in signed:
        loose.insert(0, "host")
    if loose:
        if expected.is_s3:
            raise AwsError("AccessDenied", "There were headers present in the request which were not signed", 403,
                           {"HeadersNotSigned": ", ".join(loose)})
        words = "'Host' or ':authority'" if loose[0] == "host" else f"'{loose[0]}'"
        raise refusals.refuse(expected, "scope", f"{words} must be a 'SignedHeader' in the AWS Authorization.")
    return "".join([f"{name}:{values.get(name, '')}\n" for name in names])


def _may_be_loose(name: str, claim: Claim) -> bool:
    # The token is compared with the stored one anyway. The body hash and the date beside a presigned URL are not those
    # that count, unless they are signed.
    if name == "x-amz-security-token":
        return True
    return claim.kind == "query" and name in ("x-amz-content-sha256", "x-amz-date")


@dataclass(slots=True)
class Proof:
    """Compares the signature given with the one computed, once the payload's word or hash is known."""

    request: Request
    claim: Claim
    expected: Expected
    key: bytes
    headers: str
    rule: str = ""

    def check(self, payload: str) -> None:
        """Raise AwsError unless the client signed this payload with this key."""
        claim = self.claim
        scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
        given = signing.as_bytes(claim.signature)
        for form in self._forms(payload):
            text = signing.string_to_sign(claim.amz_date, scope, form)
            if hmac.compare_digest(signing.signature(self.key, text).encode(), given):
                return
        raise self._refusal(payload, scope)

    def _forms(self, payload: str) -> list[bytes]:
        """The canonical requests this client may have signed; one, unless path, query or headers are oddly encoded."""
        claim, rule = self.claim, self.rule or signing.path_rule(self.claim.service)
        method, names = self.request.method, claim.signed_headers
        texts = [signing.canonical_request(method, path, query, self.headers, names, payload)
                 for path in signing.canonical_paths(self.request.raw_path, rule)
                 for query in (signing.canonical_queries(claim.pairs) if claim.pairs else ("",))]
        if self.headers.isascii():
            return [signing.as_bytes(text) for text in texts]
        # botocore signs such header values as UTF-8 and sends them as latin-1; others sign the bytes they send.
        return [form for text in texts for form in (signing.as_bytes(text), text.encode())]

    def _refusal(self, payload: str, scope: str) -> AwsError:
        """For S3 with what was signed here, as S3 shows it, so that a client's author can compare."""
        claim = self.claim
        if not self.expected.is_s3:
            return refusals.refuse(self.expected, "mismatch")
        canonical = self._forms(payload)[0]
        return refusals.refuse(self.expected, "mismatch", AWSAccessKeyId=claim.access_key,
                               StringToSign=signing.string_to_sign(claim.amz_date, scope, canonical),
                               SignatureProvided=claim.signature, CanonicalRequest=canonical.decode("utf-8", "replace"))


def verify(method: str, raw_target: bytes, headers: list[tuple[str, str]], body: bytes, *, now: datetime.datetime,
           secret_of: Callable[[str], str | None], normalize: bool, service: str, region: str) -> str:
    """The access key that signed; raises AwsError otherwise. For the published vectors, which encode the path once."""
    path, _, query = raw_target.decode("latin-1").partition("?")
    request = Request(method, path, query, Headers(headers))
    expected = Expected(service, "json", region)
    claim = claims.read(request, expected)
    if claim.kind not in ("header", "query"):
        raise refusals.refuse(expected, "missing")
    secret = secret_of(claim.access_key)
    if secret is None:
        raise refusals.refuse(expected, "unknown key")
    _check_scope(claim, expected)
    _check_time(claim, now.timestamp(), expected)
    key = signing.signing_key(secret, claim.date, claim.region, claim.service)
    rule = signing.ONCE_NORMALISED if normalize else signing.ONCE
    proof = Proof(request, claim, expected, key, _signed_headers(request.headers, claim, expected), rule)
    proof.check(_payload(request, claim, body, expected))
    return claim.access_key
