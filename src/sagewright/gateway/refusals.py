"""What a refused signature is called: one table for the JSON services, one for query (IAM, STS), one for S3.

`gateway/sigv4.py`, `sigv2.py` and `chunked.py` raise what these functions make. Codes and words are AWS's, because
clients match both: botocore retries on some, corrects its clock on others, and follows S3's `Region` member.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from sagewright.core import signing
from sagewright.core.errors import AwsError

JSON, QUERY, S3 = "json", "query", "s3"

_MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret "
             "Access Key and signing method. Consult the service documentation for details.")
_BAD_TOKEN = "The security token included in the request is invalid"
_OLD_TOKEN = "The security token included in the request is expired"

# reason -> code, message, status, by family. Statuses of JSON services become 400 or 403 by protocol, see `refuse`.
_TABLE: dict[str, dict[str, tuple[str, str, int]]] = {
    JSON: {
        "missing": ("MissingAuthenticationTokenException", "Missing Authentication Token", 403),
        "incomplete": ("IncompleteSignatureException", "", 0),
        "unknown key": ("UnrecognizedClientException", _BAD_TOKEN + ".", 0),
        "bad token": ("UnrecognizedClientException", _BAD_TOKEN + ".", 0),
        "expired token": ("ExpiredTokenException", _OLD_TOKEN, 0),
        "mismatch": ("InvalidSignatureException", _MISMATCH, 0),
        "scope": ("InvalidSignatureException", "", 0),
        "time": ("InvalidSignatureException", "", 0),
    },
    QUERY: {
        "missing": ("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
        "incomplete": ("IncompleteSignature", "", 400),
        "unknown key": ("InvalidClientTokenId", _BAD_TOKEN + ".", 403),
        "bad token": ("InvalidClientTokenId", _BAD_TOKEN + ".", 403),
        "expired token": ("ExpiredToken", _OLD_TOKEN, 403),
        "mismatch": ("SignatureDoesNotMatch", _MISMATCH, 403),
        "scope": ("SignatureDoesNotMatch", "", 403),
        "time": ("SignatureDoesNotMatch", "", 403),
    },
    S3: {
        "missing": ("AccessDenied", "Access Denied", 403),
        "incomplete": ("AuthorizationHeaderMalformed", "", 400),
        "unknown key": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
        "bad token": ("InvalidToken", "The provided token is malformed or otherwise invalid.", 400),
        "expired token": ("ExpiredToken", "The provided token has expired.", 400),
        "mismatch": ("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
                     "provided. Check your key and signing method.", 403),
        "scope": ("AuthorizationHeaderMalformed", "", 400),
        "time": ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
                 403),
    },
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the router knows about a request before its signature is checked.

    service: the signing name the credential scope must carry. protocol: botocore's protocol name of the service.
    region: the region the scope must carry; empty accepts any valid region (S3 passes its bucket's region).
    anonymous: unsigned requests are let through as `ANONYMOUS` (S3 always; a few STS operations).
    bucket: the bucket a virtual-hosted request names in its Host, which Signature Version 2 signs as part of the path.
    """

    service: str
    protocol: str = "json"
    region: str = ""
    anonymous: bool = False
    bucket: str = ""

    @property
    def is_s3(self) -> bool:
        return self.protocol == "s3" or self.service in signing.S3_SERVICES

    @property
    def family(self) -> str:
        if self.is_s3:
            return S3
        return QUERY if self.protocol in ("query", "ec2", "rest-xml") else JSON


def refuse(expected: Expected, reason: str, message: str = "", **fields: str) -> AwsError:
    """The error of that family for that reason; `message` replaces the table's words."""
    code, words, status = _TABLE[expected.family][reason]
    # JSON 1.x front ends answer 400 to a bad signature, REST front ends 403.
    status = status or (403 if expected.protocol == "rest-json" else 400)
    return AwsError(code, message or words, status, fields=fields)


def incomplete_header(expected: Expected, authorization: str, lacking: list[str]) -> AwsError:
    """An Authorization header that cannot be read as Signature Version 4."""
    if expected.is_s3:
        part = lacking[0] if lacking else "Credential"
        return refuse(expected, "incomplete", "The authorization header is malformed; the authorization component "
                      f'"{part}" is malformed.')
    digest = base64.b64encode(hashlib.sha256(signing.as_bytes(authorization)).digest()).decode()
    words = [f"Authorization header requires '{part}' parameter." for part in lacking]
    return refuse(expected, "incomplete", " ".join([*words, "(Hashed with SHA-256 and encoded with Base64) "
                                                    f"Authorization={digest}"]))


def unsupported_type(expected: Expected, authorization: str) -> AwsError:
    """An Authorization header of another scheme than AWS4-HMAC-SHA256."""
    if expected.is_s3:
        return AwsError("InvalidArgument", "Unsupported Authorization Type", 400,
                        {"ArgumentName": "Authorization", "ArgumentValue": authorization[:200]})
    return refuse(expected, "incomplete",
                  f"Authorization header requires an '{signing.ALGORITHM}' credential.")


def bad_parameters(expected: Expected, message: str) -> AwsError:
    """Query-string authentication with a parameter missing or out of range."""
    if expected.is_s3:
        return AwsError("AuthorizationQueryParametersError", message, 400)
    return refuse(expected, "incomplete", message)


def two_signatures(expected: Expected) -> AwsError:
    """Both an Authorization header and query-string authentication."""
    words = ("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
             "parameter or the Authorization header should be specified")
    if expected.is_s3:
        return AwsError("InvalidArgument", words, 400, {"ArgumentName": "Authorization", "ArgumentValue": ""})
    return refuse(expected, "incomplete", words)


def wrong_region(expected: Expected, region: str, in_query: bool) -> AwsError:
    """A credential scope of another region than the bucket's; SDKs follow `Region` and sign again."""
    if not expected.is_s3:
        return refuse(expected, "scope", "Credential should be scoped to a valid region.")
    if in_query:
        return AwsError("AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter; the region "
                        f"'{region}' is wrong; expecting '{expected.region}'", 400, {"Region": expected.region})
    return AwsError("AuthorizationHeaderMalformed", f"The authorization header is malformed; the region '{region}' is "
                    f"wrong; expecting '{expected.region}'", 400, {"Region": expected.region})


def wrong_scope(expected: Expected, words: str, s3_words: str, in_query: bool) -> AwsError:
    """A credential scope whose date, service or terminator is wrong."""
    if not expected.is_s3:
        return refuse(expected, "scope", words)
    if in_query:
        return AwsError("AuthorizationQueryParametersError",
                        f"Error parsing the X-Amz-Credential parameter; {s3_words}", 400)
    return refuse(expected, "scope", f"The authorization header is malformed; {s3_words}")


def body_hash_mismatch(claimed: str, computed: str) -> AwsError:
    """S3: the body does not hash to its x-amz-content-sha256."""
    return AwsError("XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.", 400,
                    {"ClientComputedContentSHA256": claimed, "S3ComputedContentSHA256": computed})


def incomplete_body() -> AwsError:
    """Fewer or more bytes than were announced."""
    return AwsError("IncompleteBody",
                    "You did not provide the number of bytes specified by the Content-Length HTTP header", 400)
