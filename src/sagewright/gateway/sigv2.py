"""Signature Version 2 for S3, because botocore still presigns S3 URLs with it in the regions that were there in 2014.

`gateway/sigv4.py` calls `check` for `AWS key:signature` headers and `?AWSAccessKeyId&Signature&Expires` queries of S3.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import unquote

from sagewright.core import signing
from sagewright.core.errors import AwsError
from sagewright.core.http import Request
from sagewright.gateway import refusals
from sagewright.gateway.claims import Claim
from sagewright.gateway.refusals import Expected

SKEW = 900
_SUBRESOURCES = frozenset({
    "accelerate", "acl", "cors", "defaultObjectAcl", "delete", "lifecycle", "location", "logging", "notification",
    "partNumber", "policy", "replication", "requestPayment", "restore", "tagging", "torrent", "uploadId", "uploads",
    "versionId", "versioning", "versions", "website", "analytics", "inventory", "metrics", "object-lock", "legal-hold",
    "retention", "encryption", "select", "select-type", "ownershipControls", "publicAccessBlock", "policyStatus",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires"})


def check(request: Request, claim: Claim, secret: str, now: float, expected: Expected) -> None:
    """Raise AwsError unless the request is signed with that secret and is of now."""
    if claim.kind == "v2-query":
        if now > claim.expires:
            raise AwsError("AccessDenied", "Request has expired", 403, {"Expires": str(claim.expires)})
    elif abs(now - claim.signed_at) > SKEW:
        raise refusals.refuse(expected, "time", RequestTime=claim.amz_date,
                              MaxAllowedSkewMilliseconds=str(SKEW * 1000))
    given = signing.as_bytes(claim.signature)
    texts = [text_to_sign(request, claim, path) for path in _paths(request, expected)]
    key = secret.encode()
    computed = [base64.b64encode(hmac.digest(key, signing.as_bytes(text), hashlib.sha1)) for text in texts]
    if not any(hmac.compare_digest(one, given) for one in computed):
        raise refusals.refuse(expected, "mismatch", AWSAccessKeyId=claim.access_key, StringToSign=texts[0],
                              SignatureProvided=claim.signature)


def text_to_sign(request: Request, claim: Claim, path: str) -> str:
    """What a client signs under version 2."""
    headers = request.headers
    date = str(claim.expires) if claim.kind == "v2-query" else \
        ("" if headers.get("x-amz-date") else headers.get("date"))
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        if name.startswith("x-amz-"):
            grouped.setdefault(name, []).append(signing.canonical_value(value))
    if claim.kind == "v2-query":
        for name, value in claim.pairs:
            if unquote(name).lower().startswith("x-amz-"):
                grouped.setdefault(unquote(name).lower(), [unquote(value)])
    amz = "".join(f"{name}:{','.join(values)}\n" for name, values in sorted(grouped.items()))
    return (f"{request.method}\n{headers.get('content-md5')}\n{headers.get('content-type')}\n{date}\n{amz}"
            f"{path}{_subresources(claim)}")


def _paths(request: Request, expected: Expected) -> tuple[str, ...]:
    bucket = f"/{expected.bucket}" if expected.bucket else ""
    paths = [bucket + path for path in signing.canonical_paths(request.raw_path, signing.AS_SENT)]
    if not bucket and request.raw_path.count("/") == 1 and request.raw_path != "/":
        paths.append(paths[0] + "/")  # botocore signs requests on a bucket as if the path ended in a slash
    return tuple(paths)


def _subresources(claim: Claim) -> str:
    kept = sorted((name, unquote(value)) for name, value in claim.pairs if name in _SUBRESOURCES)
    words = [f"{name}={value}" if value else name for name, value in kept]
    return "?" + "&".join(words) if words else ""
