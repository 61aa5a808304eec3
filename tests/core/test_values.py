"""The small values that every room uses: ARNs, ids, header fields, noun words, stored bodies."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sagewright.core import arns, ids
from sagewright.core.http import Headers, header_pairs
from sagewright.core.nouns import Noun
from sagewright.core.store import Row, _values


@pytest.mark.parametrize("text", [
    "arn:aws:sagemaker:us-west-2:123456789012:training-job/a", "arn:aws:s3:::bucket/key:with:colons",
    "arn:aws-cn:iam::123456789012:role/path/name", "arn:aws:logs:us-west-2:1:log-group:/aws/x:log-stream:y"])
def test_an_arn_comes_apart_and_together_again(text: str) -> None:
    assert str(arns.parse(text)) == text


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:s3", "xrn:aws:s3:::b", "arn:aws:s3::b", "bucket/arn:aws:s3:::b"])
def test_what_is_no_arn_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="not an ARN"):
        arns.parse(text)


@pytest.mark.parametrize("made, pattern", [
    (ids.request_id, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), (lambda: ids.iam_id("AIDA"), r"AIDA[A-Z2-7]{16}"),
    (lambda: ids.iam_id("ASIA"), r"ASIA[A-Z2-7]{16}"), (ids.short, r"[a-z0-9]{12}"),
    (lambda: ids.short(5), r"[a-z0-9]{5}")])
def test_ids_have_the_shape_of_awss_and_are_not_repeated(made: Callable[[], str], pattern: str) -> None:
    found = {made() for _ in range(500)}
    assert len(found) > 490 and all(re.fullmatch(pattern, one) for one in found)


def test_headers_compare_without_case_and_keep_their_order() -> None:
    headers = Headers([("X-A", "1"), ("x-b", "2"), ("x-a", "3")])
    assert (headers.get("x-A"), headers.get("none"), headers.get("none", "d")) == ("1", "", "d")
    assert headers.all("X-a") == ["1", "3"] and "X-B" in headers and "x-c" not in headers
    assert list(headers) == [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]
    assert headers.as_dict() == {"x-a": "1", "x-b": "2"}
    assert header_pairs({"n": 3}) == [("n", "3")]


@pytest.mark.parametrize("name, words, plain", [
    ("TrainingJob", "", "training job"), ("Model", "", "model"), ("EndpointConfig", "", "endpoint config"),
    ("AppImageConfig", "app image", "app image")])
def test_a_noun_in_words(name: str, words: str, plain: str) -> None:
    noun = Noun(name, "x/{name}", words=words)
    assert (noun.plain, noun.name_member, noun.arn_member) == (plain, f"{name}Name", f"{name}Arn")


def test_times_in_a_body_are_stored_as_seconds_and_what_cannot_be_stored_is_a_fault_of_ours() -> None:
    row = Row("T", "1", "r", "n", "arn:n", {"At": datetime(2026, 1, 1, tzinfo=UTC), "List": [{"Deep": None}]})
    assert _values(row)["body"] == '{"At":1767225600.0,"List":[{"Deep":null}]}'
    with pytest.raises(TypeError, match="bytes cannot be stored"):
        _values(Row("T", "1", "r", "n", "arn:n", {"Blob": b"x"}))


def test_a_changed_row_is_a_copy_whose_none_members_are_gone() -> None:
    row = Row("T", "1", "r", "n", "arn:n", {"A": 1, "B": 2}, status="New", work={"handle": "h"})
    after = row.with_(status="Old", body={"A": None, "C": 3}, work={"handle": None})
    assert (after.body, after.work, after.status) == ({"B": 2, "C": 3}, {}, "Old")
    assert (row.body, row.work, row.status) == ({"A": 1, "B": 2}, {"handle": "h"}, "New")
    assert row.with_().body == row.body
