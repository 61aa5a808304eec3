"""Signature Version 4: canonical forms, signing keys, and a signer that starts in a millisecond.

Our own clients (jobs, agents, the CLI, `core/client.py`) call `sign` and `presign`; `gateway/sigv4.py` verifies with
the same canonical forms. Standard library only, and no botocore: processes that live for milliseconds import this.

How a path is signed depends on the service: S3 signs it as sent, every other service signs it normalised and encoded
once more (so twice in all), and the published test vectors encode it once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
S3_SERVICES = frozenset({"s3", "s3express", "s3-outposts", "s3-object-lambda"})

# How the path of a request enters its canonical form.
AS_SENT, ONCE, ONCE_NORMALISED, TWICE = "as-sent", "once", "once-normalised", "twice"

_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~/]*")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9\-._~]*")
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
# Headers that intermediaries and HTTP libraries add or rewrite after signing.
_NEVER_SIGNED = frozenset({"authorization", "connection", "expect", "transfer-encoding", "user-agent",
                           "x-amzn-trace-id", "content-length"})


class Keys(Protocol):
    """What signs: `core.seams.Credentials` is one. An empty token means permanent keys."""

    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def token(self) -> str: ...


def path_rule(service: str) -> str:
    """How requests to that service (its signing name) sign their path."""
    return AS_SENT if service in S3_SERVICES else TWICE


def encode(text: bytes | str, safe: str = "") -> str:
    """Percent-encode all but the unreserved characters, as SigV4 wants it."""
    return quote(text, safe=safe + "-_.~")


def as_bytes(text: str) -> bytes:
    """The bytes that were on the wire: servers decode heads as latin-1; text from elsewhere is UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def normalise(path: str) -> str:
    """The path without empty, `.` and `..` segments; a trailing slash stays.

    `/a/b/..` becomes `/a` as botocore signs it, where RFC 3986 would keep the last slash.
    """
    if "//" not in path and "/." not in path:
        return path or "/"
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    tail = "/" if kept and not segments[-1] else ""
    return "/" + "/".join(kept) + tail


def canonical_paths(raw_path: str, rule: str) -> tuple[str, ...]:
    """The canonical forms that a client may have signed for this path, likeliest first.

    There is more than one only when the path is not in canonical encoding: some clients sign what they send, others
    sign the canonical encoding of what they send. Both mean the same path.
    """
    path = raw_path or "/"
    if rule in (TWICE, ONCE_NORMALISED):
        path = normalise(path)
    if _PLAIN_PATH.fullmatch(path):
        return (path,)
    # By segment, because `%2F` inside one is not a separator: the two paths name different things.
    once = "/".join([encode(unquote_to_bytes(as_bytes(segment))) for segment in path.split("/")])
    if rule in (ONCE, ONCE_NORMALISED):
        return (once,)
    forms = (path, once) if path != once else (path,)
    return forms if rule == AS_SENT else tuple(encode(as_bytes(form), "/") for form in forms)


def _query_word(word: str) -> str:
    if _PLAIN_QUERY.fullmatch(word):
        return word
    return encode(unquote_to_bytes(as_bytes(word.replace("+", " "))))


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The raw (still encoded) names and values of a query string, in wire order."""
    pairs = []
    for part in query.split("&") if query else ():
        if part:
            name, _, value = part.partition("=")
            pairs.append((name, value))
    return pairs


def canonical_queries(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The canonical forms that a client may have signed for these raw pairs, likeliest first (see `canonical_paths`).

    `+` means a space, as in every query string that AWS reads.
    """
    raw = sorted(pairs)
    encoded = sorted((_query_word(name), _query_word(value)) for name, value in raw)
    first = "&".join([f"{name}={value}" for name, value in encoded])
    if raw == encoded:
        return (first,)
    return first, "&".join([f"{name}={value}" for name, value in raw])


def canonical_value(value: str) -> str:
    """A header value as it is signed: trimmed, with runs of blanks made one space."""
    if "  " in value or "\t" in value or "\n" in value:
        value = _BLANKS.sub(" ", value)
    return value.strip(" \t\r\n")


def canonical_request(method: str, path: str, query: str, headers: str, signed_headers: str, payload: str) -> str:
    """The text whose hash is signed. `headers` is the block of `name:value` lines, each ended by a newline."""
    return f"{method}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}"


def string_to_sign(amz_date: str, scope: str, canonical: bytes) -> str:
    """What the signing key signs."""
    return f"{ALGORITHM}\n{amz_date}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one secret for one day, region and service."""
    key = b"AWS4" + secret.encode()
    for word in (date, region, service, "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key


def signature(key: bytes, text: str) -> str:
    """The hexadecimal HMAC-SHA256 of that text."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def amz_date(now: float) -> str:
    """Seconds since the epoch as `X-Amz-Date` writes them."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def host_of(url: str) -> str:
    """The Host header of a request to that URL: without user, and without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return host.removesuffix(default) if default else host


def _header_block(headers: Mapping[str, str], names: list[str]) -> str:
    by_name = {name.lower(): value for name, value in headers.items()}
    return "".join([f"{name}:{canonical_value(by_name[name])}\n" for name in names])


def sign(method: str, url: str, headers: Mapping[str, str], body_hash: str, credentials: Keys, region: str,
         service: str, now: float) -> dict[str, str]:
    """The headers to send: those given plus Host, X-Amz-Date, token, S3's body hash and Authorization.

    `body_hash` is the hexadecimal SHA-256 of the body, or one of S3's words such as UNSIGNED-PAYLOAD.
    """
    parts = urlsplit(url)
    stamp = amz_date(now)
    sent = {name: value for name, value in headers.items() if name.lower() not in ("authorization", "x-amz-date")}
    present = {name.lower() for name in sent}
    if "host" not in present:
        sent["Host"] = host_of(url)
    sent["X-Amz-Date"] = stamp
    if credentials.token and "x-amz-security-token" not in present:
        sent["X-Amz-Security-Token"] = credentials.token
    if service in S3_SERVICES and "x-amz-content-sha256" not in present:
        sent["X-Amz-Content-SHA256"] = body_hash
    names = sorted({name.lower() for name in sent} - _NEVER_SIGNED)
    signed = ";".join(names)
    canonical = canonical_request(method, canonical_paths(parts.path, path_rule(service))[0],
                                  canonical_queries(query_pairs(parts.query))[0],
                                  _header_block(sent, names), signed, body_hash)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = signing_key(credentials.secret_key, stamp[:8], region, service)
    proof = signature(key, string_to_sign(stamp, scope, as_bytes(canonical)))
    sent["Authorization"] = (f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
                             f"SignedHeaders={signed}, Signature={proof}")
    return sent


def presign(method: str, url: str, credentials: Keys, region: str, service: str, now: float, *,
            expires: int = 3600, headers: Mapping[str, str] | None = None, body_hash: str = "") -> str:
    """The URL with a signature in its query, good for `expires` seconds; `headers` must be sent with it as given."""
    parts = urlsplit(url)
    stamp = amz_date(now)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    sent = {"host": host_of(url), **{name.lower(): value for name, value in (headers or {}).items()}}
    names = sorted(sent)
    signed = ";".join(names)
    asked = {"X-Amz-Algorithm": ALGORITHM, "X-Amz-Credential": f"{credentials.access_key}/{scope}",
             "X-Amz-Date": stamp, "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": signed}
    if credentials.token:
        asked["X-Amz-Security-Token"] = credentials.token
    pairs = query_pairs(parts.query) + [(encode(name), encode(value)) for name, value in asked.items()]
    query = canonical_queries(pairs)[0]
    payload = body_hash or (UNSIGNED if service in S3_SERVICES else EMPTY_HASH)
    canonical = canonical_request(method, canonical_paths(parts.path, path_rule(service))[0], query,
                                  _header_block(sent, names), signed, payload)
    key = signing_key(credentials.secret_key, stamp[:8], region, service)
    proof = signature(key, string_to_sign(stamp, scope, as_bytes(canonical)))
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={proof}"
