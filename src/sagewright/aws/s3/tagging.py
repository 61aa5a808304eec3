"""Tags of buckets and objects: the header form, the document form, and S3's rules for both. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from sagewright.core.errors import AwsError

_ALLOWED = re.compile(r"[\w\s+\-=._:/@]*\Z", re.UNICODE)
Tags = list[dict[str, str]]


def from_header(header: str) -> Tags:
    """Tags of x-amz-tagging, sorted out of their URL encoding."""
    pairs = parse_qsl(header, keep_blank_values=True)
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys) or (header and not pairs) or \
            any(not _ALLOWED.match(key) or not _ALLOWED.match(value) for key, value in pairs):
        raise AwsError("InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                       "query parameters without tag name duplicates.", 400,
                       {"ArgumentName": "x-amz-tagging", "ArgumentValue": header})
    return check([{"Key": key, "Value": value} for key, value in pairs], 10)


def from_document(tagging: Mapping[str, Any], limit: int) -> Tags:
    """Tags of a Tagging document, checked."""
    tags = tagging.get("TagSet")
    if tags is None or any("Key" not in tag or "Value" not in tag for tag in tags):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our "
                       "published schema")
    return check([{"Key": str(tag["Key"]), "Value": str(tag["Value"])} for tag in tags], limit)


def check(tags: Tags, limit: int) -> Tags:
    """The tags, if S3 takes them."""
    if len(tags) > limit:
        what = "Object tags" if limit == 10 else "Bucket tag count"
        raise AwsError("BadRequest", f"{what} cannot be greater than {limit}")
    seen: set[str] = set()
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if key in seen:
            raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", 400, {"TagKey": key})
        seen.add(key)
        if key.startswith("aws:"):
            message = "Your TagKey cannot be prefixed with aws:" if limit == 10 else \
                "System tags cannot be added/updated by requester"
            raise AwsError("InvalidTag", message, 400, {"TagKey": key})
        if not 0 < len(key) <= 128 or not _ALLOWED.match(key):
            raise AwsError("InvalidTag", "The TagKey you have provided is invalid", 400, {"TagKey": key})
        if len(value) > 256 or not _ALLOWED.match(value):
            raise AwsError("InvalidTag", "The TagValue you have provided is invalid", 400,
                           {"TagKey": key, "TagValue": value})
    return tags
