"""What a request claims about its signer, before anything is checked: read from its Authorization header or its query.

`gateway/route.py` calls `scope_of` to learn the service a client means; `gateway/sigv4.py` calls `read`.
"""

from __future__ import annotations

import calendar
import email.utils
import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from sagewright.core import signing
from sagewright.core.errors import AwsError
from sagewright.core.http import Request
from sagewright.gateway import refusals
from sagewright.gateway.refusals import Expected

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^, ]+) *, *SignedHeaders=([^, ]+) *, *Signature=([0-9a-f]+) *")
_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")
_QUERY_CREDENTIAL = re.compile(r"(?:^|&)X-Amz-Credential=([^&]+)")
_AMZ_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_NUMBER = re.compile(r"[0-9]{1,12}")


@dataclass(slots=True)
class Claim:
    """kind: header, query, v2-header, v2-query, bearer or anonymous.

    pairs: the raw query pairs that are signed. content_hash: what a presigned query says of the body.
    expires: for "query" the lifetime in seconds, for "v2-query" the moment itself.
    """

    kind: str
    access_key: str = ""
    date: str = ""
    region: str = ""
    service: str = ""
    terminator: str = ""
    signed_headers: str = ""
    signature: str = field(default="", repr=False)
    amz_date: str = ""
    signed_at: float = 0.0
    token: str = field(default="", repr=False)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    expires: int = 0
    content_hash: str = ""


def scope_of(request: Request) -> tuple[str, str, str] | None:
    """Access key, region and service that the request's credential scope names, unchecked; None if it has none."""
    found = _CREDENTIAL.search(request.headers.get("authorization"))
    credential = found[1] if found else ""
    if not found and "X-Amz-Credential=" in request.query:
        in_query = _QUERY_CREDENTIAL.search(request.query)
        credential = unquote(in_query[1]) if in_query else ""
    parts = credential.rsplit("/", 4)
    return (parts[0], parts[2], parts[3]) if len(parts) == 5 else None


def read(request: Request, expected: Expected) -> Claim:
    """The claim of this request; AwsError if it is unreadable."""
    authorization = request.headers.get("authorization").strip()
    in_query = "X-Amz-" in request.query and any(
        part.startswith(("X-Amz-Signature=", "X-Amz-Algorithm=", "X-Amz-Credential="))
        for part in request.query.split("&"))
    if authorization:
        if in_query:
            raise refusals.two_signatures(expected)
        return _from_header(request, authorization, expected)
    if in_query:
        return _from_query(request, expected)
    if "AWSAccessKeyId=" in request.query and expected.is_s3:
        return _from_version_2_query(request)
    return Claim("anonymous")


def _from_header(request: Request, authorization: str, expected: Expected) -> Claim:
    headers = request.headers
    found = _AUTHORIZATION.fullmatch(authorization)
    if found:
        credential, signed_headers, signature = found.groups()
    else:
        scheme = authorization.split(" ", 1)[0]
        if scheme == "Bearer":
            return Claim("bearer", token=authorization[7:].strip())
        if scheme == "AWS" and expected.is_s3:
            return _from_version_2_header(request, authorization, expected)
        if scheme != signing.ALGORITHM:
            raise refusals.unsupported_type(expected, authorization)
        credential, signed_headers, signature = _parts(authorization, expected)
    words = credential.rsplit("/", 4)
    if len(words) != 5 or not words[0]:
        raise refusals.incomplete_header(expected, authorization, ["Credential"])
    stamp, signed_at = _date_of(request, expected)
    return Claim("header", words[0], words[1], words[2], words[3], words[4], signed_headers, signature, stamp,
                 signed_at, headers.get("x-amz-security-token").strip(),
                 signing.query_pairs(request.query) if request.query else [])


def _parts(authorization: str, expected: Expected) -> tuple[str, str, str]:
    """The three parameters in whatever order and spacing; raises for those that are missing."""
    rest = authorization[len(signing.ALGORITHM):]
    given = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    wanted = ("Credential", "SignedHeaders", "Signature")
    lacking = [name for name in wanted if not given.get(name)]
    if lacking:
        raise refusals.incomplete_header(expected, authorization, lacking)
    credential, signed_headers, signature = (given[name] for name in wanted)
    return credential, signed_headers, signature


def _date_of(request: Request, expected: Expected) -> tuple[str, float]:
    """X-Amz-Date, or else Date, as `YYYYMMDDTHHMMSSZ` and in seconds."""
    text = request.headers.get("x-amz-date").strip()
    if text:
        at = seconds(text)
    else:
        text = request.headers.get("date").strip()
        at = seconds(text) if _AMZ_DATE.fullmatch(text) else http_date(text)
    if at is None:
        if expected.is_s3:
            raise AwsError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403)
        words = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        if text:
            words = f"Date must be in ISO-8601 'basic format'. Got '{text[:64]}'."
        raise refusals.refuse(expected, "incomplete", words)
    return signing.amz_date(at), at


@lru_cache(maxsize=512)
def seconds(stamp: str) -> float | None:
    """`YYYYMMDDTHHMMSSZ` in seconds since the epoch; None if it is not a date."""
    if not _AMZ_DATE.fullmatch(stamp):
        return None
    try:
        return float(calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")))
    except ValueError:
        return None


def http_date(text: str) -> float | None:
    """An HTTP date in seconds since the epoch; None if it is not one."""
    try:
        parsed = email.utils.parsedate_tz(text)
        return float(email.utils.mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _from_query(request: Request, expected: Expected) -> Claim:
    pairs = signing.query_pairs(request.query)
    given = {unquote(name): unquote(value) for name, value in reversed(pairs)}
    required = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders")
    if not all(given.get(name) for name in required) or (expected.is_s3 and "X-Amz-Expires" not in given):
        raise refusals.bad_parameters(expected, "Query-string authentication version 4 requires the X-Amz-Algorithm, "
                                      "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
                                      "X-Amz-Expires parameters.")
    if given["X-Amz-Algorithm"] != signing.ALGORITHM:
        raise refusals.bad_parameters(expected, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
    words = given["X-Amz-Credential"].rsplit("/", 4)
    if len(words) != 5 or not words[0]:
        raise refusals.bad_parameters(expected, 'Error parsing the X-Amz-Credential parameter; the Credential is '
                                      'mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    signed_at = seconds(given["X-Amz-Date"])
    if signed_at is None:
        raise refusals.bad_parameters(expected, "X-Amz-Date must be in the ISO8601 Long Format "
                                      "\"yyyyMMdd'T'HHmmss'Z'\"")
    kept = [pair for pair in pairs if unquote(pair[0]) != "X-Amz-Signature"]
    return Claim("query", words[0], words[1], words[2], words[3], words[4], given["X-Amz-SignedHeaders"],
                 given["X-Amz-Signature"], given["X-Amz-Date"], signed_at,
                 given.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token"), kept,
                 _lifetime(given.get("X-Amz-Expires", "900"), expected), given.get("X-Amz-Content-Sha256", ""))


def _lifetime(text: str, expected: Expected) -> int:
    if not _NUMBER.fullmatch(text):
        negative = text.startswith("-") and text[1:].isdigit()
        raise refusals.bad_parameters(expected, "X-Amz-Expires must be non-negative" if negative
                                      else "X-Amz-Expires should be a number")
    if int(text) > 604800:
        raise refusals.bad_parameters(expected, "X-Amz-Expires must be less than a week (in seconds); that is, the "
                                      "given X-Amz-Expires must be less than 604800 seconds")
    return int(text)


def _from_version_2_header(request: Request, authorization: str, expected: Expected) -> Claim:
    access_key, _, signature = authorization[4:].strip().rpartition(":")
    if not access_key or not signature:
        raise AwsError("InvalidArgument", "AWS authorization header is invalid. Expected AwsAccessKeyId:signature", 400,
                       {"ArgumentName": "Authorization", "ArgumentValue": authorization[:200]})
    stamp, signed_at = _date_of(request, expected)
    return Claim("v2-header", access_key, signature=signature, amz_date=stamp, signed_at=signed_at,
                 token=request.headers.get("x-amz-security-token"), pairs=signing.query_pairs(request.query))


def _from_version_2_query(request: Request) -> Claim:
    pairs = signing.query_pairs(request.query)
    given = {unquote(name): unquote(value.replace("+", " ")) for name, value in reversed(pairs)}
    # botocore leaves "+" of the base64 signature encoded, older clients do not: a signature holds no spaces.
    signature = given.get("Signature", "").replace(" ", "+")
    if not signature or not _NUMBER.fullmatch(given.get("Expires", "")):
        raise AwsError("AccessDenied", "Query-string authentication requires the Signature, Expires and "
                       "AWSAccessKeyId parameters", 403)
    return Claim("v2-query", given["AWSAccessKeyId"], signature=signature, token=given.get("x-amz-security-token", ""),
                 pairs=pairs, expires=int(given["Expires"]))
