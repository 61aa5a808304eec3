"""Which S3 operation a request is: bucket from host or path, then method, sub-resource and telling headers.

S3's model gives several operations the same method and path; the query's sub-resource, required query members and
x-amz-copy-source tell them apart. Called by `route`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway.rest import Match

_AWS_HOST = re.compile(r"^(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.|accelerate\.|fips\.)?[a-z0-9-]*)?"
                       r"(?:\.[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$")
_LOCAL_HOST = re.compile(r"^(?P<bucket>[a-z0-9][a-z0-9._-]*?)\.(?:s3\.)?(?:localhost|127\.0\.0\.1)$")
# Deprecated twins and operations of directory buckets that share a method and path with the real one.
_SHADOWED = frozenset({"GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification",
                       "ListDirectoryBuckets", "WriteGetObjectResponse"})
_EMPTY_PATH = re.compile(r"^/+$")
# Of the signature itself, or of the empty body that there was when the JavaScript SDK signed: never of the upload.
_OF_SIGNATURES = frozenset(f"x-amz-{name}" for name in (
    "algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token", "content-sha256"))


@dataclass(frozen=True)
class _Shape:
    operation: str
    literals: frozenset[tuple[str, str]]
    needs_query: frozenset[str]
    copies: bool


@functools.cache
def _table() -> dict[tuple[str, str], tuple[_Shape, ...]]:
    """(method, level) -> candidate operations, most specific first; level is "service", "bucket" or "object"."""
    table: dict[tuple[str, str], list[_Shape]] = {}
    for operation in model.operations("s3"):
        if operation.name in _SHADOWED:
            continue
        path, _, query = operation.http["requestUri"].partition("?")
        level = "object" if "{Key+}" in path else "bucket" if "{Bucket}" in path else "service"
        shape = operation.input_shape
        needs, copies = set(), False
        for name in shape.required_members if shape else ():
            serialization = shape.members[name].serialization
            if serialization.get("location") == "querystring":
                needs.add(serialization["name"])
            copies = copies or serialization.get("name") == "x-amz-copy-source"
        literals = frozenset(tuple(parse_qsl(query, keep_blank_values=True)))
        table.setdefault((operation.http["method"], level), []).append(
            _Shape(operation.name, literals, frozenset(needs), copies))
    return {key: tuple(sorted(shapes, key=lambda s: (-len(s.literals), -len(s.needs_query), -s.copies)))
            for key, shapes in table.items()}


def bucket_of_host(host: str) -> str:
    """The bucket that a virtual-hosted request names, empty for path style."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    for pattern in (_AWS_HOST, _LOCAL_HOST):
        found = pattern.match(name.lower())
        if found:
            return found.group("bucket") or ""
    return ""


def split(request: Request) -> tuple[str, str]:
    """(bucket, key) of a request, decoded."""
    host_bucket = bucket_of_host(request.host)
    if host_bucket in ("s3", "sts", "iam", "logs"):  # s3.localhost is a service name, not a bucket
        host_bucket = ""
    path = request.raw_path
    if host_bucket:
        return host_bucket, unquote(path[1:])
    bucket, _, key = path.lstrip("/").partition("/") if _EMPTY_PATH.match(path) else path[1:].partition("/")
    return unquote(bucket), unquote(key)


def match(request: Request) -> Match:
    """The S3 operation of a request; MethodNotAllowed where there is none."""
    bucket, key = split(request)
    level = "object" if key else "bucket" if bucket else "service"
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    labels = {name: value for name, value in (("Bucket", bucket), ("Key", key)) if value}
    for shape in _table().get((request.method, level), ()):
        if _fits(shape, query, "x-amz-copy-source" in request.headers):
            return Match(shape.operation, labels)
    raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)


def _fits(shape: _Shape, query: dict[str, str], copying: bool) -> bool:
    if any(query.get(name) != value and not (value == "" and name in query) for name, value in shape.literals):
        return False
    return shape.needs_query <= query.keys() and (copying or not shape.copies)


def with_signed_arguments(request: Request) -> Headers:
    """The headers of a presigned request and the `x-amz-` ones of its URL, where SDKs put them to sign them."""
    moved = [(name, value) for name, value in parse_qsl(request.query, keep_blank_values=True)
             if name.lower().startswith("x-amz-") and name.lower() not in _OF_SIGNATURES
             and "checksum" not in name.lower()
             and name not in request.headers]
    return Headers([*request.headers, *moved]) if moved else request.headers
