"""Conditional requests: If-Match and friends on reads, writes, deletes and copy sources. Pure functions.

Called by the object, copy, delete and multipart operations.
"""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Mapping
from typing import Any

from sagewright.aws.s3.versions import Version, no_such_key
from sagewright.core.errors import AwsError


def failed(condition: str) -> AwsError:
    """412 with the condition that did not hold."""
    return AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412,
                    {"Condition": condition})


def epoch(value: Any) -> float | None:
    """A timestamp in whatever form the wire gave it, in seconds; None where it cannot be read (S3 then ignores it)."""
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    for read in (email.utils.parsedate_to_datetime, datetime.datetime.fromisoformat):
        try:
            return epoch(read(str(value)))
        except (TypeError, ValueError):
            continue
    return None


def matches(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this ETag."""
    wanted = [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]
    return "*" in wanted or etag in wanted


def check_read(params: Mapping[str, Any], found: Version, now: float, prefix: str = "") -> None:
    """412 or 304 where a read's conditions do not hold. `prefix` is "CopySource" for the source of a copy."""
    match, none_match = params.get(f"{prefix}IfMatch"), params.get(f"{prefix}IfNoneMatch")
    since, until = epoch(params.get(f"{prefix}IfModifiedSince")), epoch(params.get(f"{prefix}IfUnmodifiedSince"))
    named = "x-amz-copy-source-" if prefix else ""
    if match is not None:
        if not matches(str(match), found.etag):
            raise failed(f"{named}If-Match")
    elif until is not None and found.modified > until:
        raise failed(f"{named}If-Unmodified-Since")
    if none_match is not None:
        if matches(str(none_match), found.etag):
            raise failed(f"{named}If-None-Match") if prefix else _not_modified(found)
    elif since is not None and found.modified <= since <= now:
        raise failed(f"{named}If-Modified-Since") if prefix else _not_modified(found)


def _not_modified(found: Version) -> AwsError:
    headers = {"etag": f'"{found.etag}"',
               "last-modified": email.utils.formatdate(found.modified, usegmt=True)}
    if found.version != "null":
        headers["x-amz-version-id"] = found.version
    for member, header in (("CacheControl", "cache-control"), ("Expires", "expires")):
        if member in found.meta:
            headers[header] = found.meta[member]
    return AwsError("304", "Not Modified", 304, headers=headers)


def check_write_form(params: Mapping[str, Any]) -> None:
    """Refuse the conditions that S3 does not take on writes."""
    match, none_match = params.get("IfMatch"), params.get("IfNoneMatch")
    if match is not None and none_match is not None:
        raise _unimplemented("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
    for header, value, bad in (("If-None-Match", none_match, none_match != "*"), ("If-Match", match, match == "*")):
        if value is not None and bad:
            raise _unimplemented(header, f"We don't accept the provided value of {header} header for this API")


def _unimplemented(header: str, more: str) -> AwsError:
    return AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501,
                    {"Header": header, "additionalMessage": more})


def check_write(params: Mapping[str, Any], key: bytes, current: Version | None) -> None:
    """412 (or 404) where a write's If-Match or If-None-Match does not hold against the current version."""
    match, none_match = params.get("IfMatch"), params.get("IfNoneMatch")
    if none_match is not None and current is not None:
        raise failed("If-None-Match")
    if match is not None:
        if current is None:
            raise no_such_key(key)
        if not matches(str(match), current.etag):
            raise failed("If-Match")
