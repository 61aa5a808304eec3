"""Filter patterns, with the examples of AWS's documentation among them."""

from __future__ import annotations

import json

import pytest

from sagewright.aws.logs.patterns import compile_pattern
from sagewright.aws.logs.word_patterns import split
from sagewright.core.errors import AwsError

APACHE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
EVENT = json.dumps({
    "eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": None, "cluster.name": "c",
    "ThisFlag": True, "count": 12.5, "number": "17",
})


@pytest.mark.parametrize(("pattern", "message", "matches"), [
    ("", "anything", True),
    ("ERROR", "[ERROR 400] BAD REQUEST", True),
    ("error", "[ERROR 400] BAD REQUEST", False),
    ("ERROR ARGUMENTS", "[ERROR 401] UNAUTHORIZED: ARGUMENTS", True),
    ("ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", False),
    ("?ERROR ?ARGUMENTS", "ARGUMENTS missing", True),
    ("?ERROR ?ARGUMENTS", "all is well", False),
    ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", True),
    ("ERROR -ARGUMENTS", "[ERROR 401] ARGUMENTS", False),
    ("-DEBUG", "INFO hello", True),
    ("-DEBUG", "DEBUG hello", False),
    ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
    ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR SERVER", False),
    ('"a \\"quoted\\" word"', 'a "quoted" word', True),
    ('-"not this" that', "that and not this", False),
])
def test_terms(pattern: str, message: str, matches: bool) -> None:
    assert compile_pattern(pattern).match(message) is matches


@pytest.mark.parametrize(("pattern", "matches"), [
    ('{ $.eventType = "UpdateTrail" }', True),
    ('{ $.eventType = UpdateTrail }', True),
    ('{ $.eventType != "UpdateTrail" }', False),
    ('{ $.sourceIPAddress != 123.123.* }', True),
    ('{ $.sourceIPAddress = "111.*" }', True),
    ('{ $.arrayKey[0] = "value" }', True),
    ('{ $.arrayKey[7] = "value" }', False),
    ('{ $.objectList[1].id = 2 }', True),
    ('{ $.SomeObject IS NULL }', True),
    ('{ $.SomeOtherObject NOT EXISTS }', True),
    ('{ $.ThisFlag IS TRUE }', True),
    ('{ $.ThisFlag IS FALSE }', False),
    ('{ $.count > 12 && $.count <= 12.5 }', True),
    ('{ $.count > 1e2 || $.number = 17 }', True),
    ('{ ($.count = 1) || ($.eventType = "X" && $.number = 17) }', False),
    ('{ $.["cluster.name"] = "c" }', None),
    ('{ $["cluster.name"] = "c" }', True),
    ('{ $.missing = 1 }', False),
    ('{ $.missing != 1 }', False),
])
def test_json_selectors(pattern: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(AwsError, match="Invalid filter pattern"):
            compile_pattern(pattern)
    else:
        assert compile_pattern(pattern).match(EVENT) is matches


@pytest.mark.parametrize(("pattern", "matches"), [
    ("[ip, user, username, timestamp, request, status_code, bytes]", True),
    ("[ip, user]", False),
    ("[ip, user, username, timestamp, request, status_code = 4*, bytes > 1000]", True),
    ("[ip, user, username, timestamp, request, status_code = 4*, bytes < 1000]", False),
    ("[..., status_code = 404, bytes]", True),
    ("[ip, ..., bytes = 1534]", True),
    ('[ip, user, username, timestamp, request = *html*, status_code = 4* && status_code != 403, bytes]', True),
    ('[ip, user, username = frank || username = mary, ...]', True),
    ('[ip = "127.0.0.1", ...]', True),
])
def test_words_of_a_line(pattern: str, matches: bool) -> None:
    assert compile_pattern(pattern).match(APACHE) is matches


def test_words_are_extracted_by_name_and_position() -> None:
    found = compile_pattern("[ip, , user, ..., size]").extract(APACHE)
    assert found == {"$ip": "127.0.0.1", "$2": "Prod", "$user": "frank", "$size": "1534"}


def test_json_is_extracted_by_selector() -> None:
    assert compile_pattern("{ $.count > 1 && $.objectList[0].name = * }").extract(EVENT) == {
        "$.count": "12.5", "$.objectList[0].name": "a"}


@pytest.mark.parametrize("pattern", [
    "{ $.a = }", "{ $.a 1 }", "{ $.a = 1", "{ = 1 }", "[a, ..., b, ...]", "[a = ]", '"open', "{ $.a > b }", "{}",
    "{ " + "(" * 300 + "$.a = 1" + ")" * 300 + " }", "a[b", "%[a-z]+%",
])
def test_an_unreadable_pattern_is_an_invalid_parameter(pattern: str) -> None:
    with pytest.raises(AwsError) as refused:
        compile_pattern(pattern)
    assert refused.value.code == "InvalidParameterException"


@pytest.mark.parametrize("message", ["", "notjson", "{", "[1", "{" * 100_000, "[" * 100_000, "\x00", '{"a":NaN}'])
def test_any_message_can_be_tested(message: str) -> None:
    for pattern in ("{ $.a = 1 }", "[a, b]", "term", "{ $.a > 1 }"):
        assert compile_pattern(pattern).match(message) is False


@pytest.mark.parametrize(("line", "words"), [
    ('a [b c] "d e" f', ["a", "b c", "d e", "f"]), ("[open a", ["[open", "a"]), ('say "hi', ["say", '"hi']),
    ("", []), ("  a\t b ", ["a", "b"]), ('x"y z"', ['x"y', 'z"']),
])
def test_a_line_is_split_into_words(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_a_hostile_line_is_split_in_linear_time() -> None:
    assert len(split("[ " * 500_000)) == 500_000
    assert len(split('" [ ' * 100_000)) >= 100_000
