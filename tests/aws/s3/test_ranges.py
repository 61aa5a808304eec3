"""Byte ranges, against what AWS answered when LocalStack recorded it."""

from __future__ import annotations

import pytest

from sagewright.aws.s3 import ranges
from sagewright.core.errors import AwsError


@pytest.mark.parametrize(("header", "wanted"), [
    ("bytes=0-8", (0, 9)), ("bytes=1-1", (1, 1)), ("bytes=1-", (1, 9)), ("bytes=-2", (8, 2)), ("bytes=-15", (0, 10)),
    ("bytes=0-100", (0, 10)), ("bytes=0-0", (0, 1)), ("bytes = 2-3", (2, 2)),
    ("bytes=1-0", None), ("bytes=-1-", None), ("bytes=0--1", None), ("bytes=-", None), ("lines=0-1", None),
    ("bytes=0-1,3-4", None)])
def test_a_range_of_ten_bytes(header: str, wanted: tuple[int, int] | None) -> None:
    assert ranges.parse(header, 10) == wanted


@pytest.mark.parametrize(("header", "size"), [("bytes=-0", 10), ("bytes=100-200", 10), ("bytes=10-", 10),
                                              ("bytes=0-0", 0), ("bytes=-5", 0)])
def test_a_range_outside_the_object_is_not_satisfiable(header: str, size: int) -> None:
    with pytest.raises(AwsError) as refused:
        ranges.parse(header, size)
    assert (refused.value.code, refused.value.status) == ("InvalidRange", 416)
    assert refused.value.fields == {"ActualObjectSize": str(size), "RangeRequested": header}


@pytest.mark.parametrize(("header", "code"), [
    ("0-8", "InvalidArgument"), ("bytes=1-0", "InvalidArgument"), ("bytes=-2", "InvalidArgument"),
    ("bytes=1-", "InvalidArgument"), ("bytes=0-1,3-4", "InvalidArgument"), ("bytes=0-100", "InvalidArgument"),
    ("bytes=100-200", "InvalidRequest")])
def test_a_copy_range_must_lie_in_the_source(header: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        ranges.parse_copy(header, 10)
    assert refused.value.code == code


def test_a_copy_range_gives_offset_and_length() -> None:
    assert ranges.parse_copy("bytes=2-9", 10) == (2, 8)
