"""Byte ranges: the Range header of GetObject and the source range of UploadPartCopy. Pure functions."""

from __future__ import annotations

import re

from sagewright.core.errors import AwsError

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*\Z", re.IGNORECASE)
_COPY = re.compile(r"bytes=(\d+)-(\d+)\Z")


def unsatisfiable(header: str, size: int) -> AwsError:
    """416 for a range outside the object."""
    return AwsError("InvalidRange", "The requested range is not satisfiable", 416,
                    {"ActualObjectSize": str(size), "RangeRequested": header}, {"content-range": f"bytes */{size}"})


def parse(header: str, size: int) -> tuple[int, int] | None:
    """(offset, length) of a Range header over `size` bytes; None where S3 ignores it and sends everything."""
    found = _RANGE.match(header)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise unsatisfiable(header, size)
        return size - length, length
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise unsatisfiable(header, size)
    return start, end - start + 1


def parse_copy(header: str, size: int) -> tuple[int, int]:
    """(offset, length) of x-amz-copy-source-range, which must lie inside the source."""
    found = _COPY.match(header)
    if found is None or int(found[2]) < int(found[1]):
        raise _argument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
                        "are the zero-based offsets of the first and last bytes to copy", header)
    start, end = int(found[1]), int(found[2])
    if start >= size:
        raise AwsError("InvalidRequest", "The specified copy range is invalid for the source object size")
    if end >= size:
        raise _argument(f"Range specified is not valid for source object of size: {size}", header)
    return start, end - start + 1


def _argument(message: str, value: str) -> AwsError:
    return AwsError("InvalidArgument", message, 400,
                    {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": value})
