"""Page tokens: what comes back, and what hostile ones are told."""

from __future__ import annotations

import base64

import pytest

from sagewright.core import paging
from sagewright.core.errors import AwsError


def token(text: str) -> str:
    """A token as somebody would forge it."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("values", [("name-ü", 7), (1_700_000_000.25, 1), (0, 0), ("", 2**62)])
def test_a_token_gives_back_what_was_put_in(values: tuple[object, int]) -> None:
    made = paging.encode(*values)
    assert paging.decode(made) == values
    assert made.replace("-", "").replace("_", "").isalnum(), "fits the models' NextToken pattern"


@pytest.mark.parametrize("forged", [
    "", "é", "=", "not base64 at all", token("{}"), token("[1]"), token("[1,2,3]"), token("[null,1]"),
    token('["x","y"]'), token("[[1],1]"), token("[true,1]"), token("[1,true]"), token("[1,1.5]"), token("[1.0,1"),
    token(f"[1.0,{2**70}]"), token(f"[{2**70},1]"), token("[NaN,1]"), token("[1e999,1]"), token('["\\ud800",1]'),
    token('["a\\u0000b",1]'), token("[" * 6000), token("1" * 6000)])
def test_a_token_that_is_not_ours_is_refused(forged: str) -> None:
    with pytest.raises(AwsError) as refused:
        paging.decode(forged)
    assert (refused.value.code, refused.value.status) == ("ValidationException", 400)


def test_a_token_of_another_sort_order_is_refused() -> None:
    assert paging.decode(paging.encode("a", 1), str) == ("a", 1)
    with pytest.raises(AwsError, match="Invalid NextToken"):
        paging.decode(paging.encode("a", 1), (int, float))
    with pytest.raises(AwsError, match="Invalid NextToken"):
        paging.decode(paging.encode(1.5, 1), str)
