"""The model's constraints on a request, checked on every call and reported in AWS's words.

Called by `chain` (`check`); calls `patterns` for regular expressions. A checker is compiled once per structure.
Covered: required, length, range, pattern, enum, null list items, one member per union. `wire` checks types as it reads.
S3 validates almost nothing from its model: only what a request body must hold. Not covered: patterns that Python
cannot express, and text longer than `patterns.limit` against a pattern that could take long.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sagewright.core.errors import AwsError
from sagewright.core.model import OperationModel, ServiceModel, Shape
from sagewright.gateway import patterns, wire_scalars

_NULL = "Member must not be null"
_SHOWN = 8192  # characters of a value in a message


@dataclass(slots=True)
class Problem:
    """One constraint that is not met: where (grows as the checkers return), the value's text, AWS's words."""

    path: str
    value: str | None
    constraint: str

    def under(self, name: str) -> None:
        """Say that the problem lies inside `name`."""
        self.path = f"{name}.{self.path}" if self.path else name

    def __str__(self) -> str:
        shown = "Value" if self.value is None else f"Value {self.value}"
        return f"{shown} at '{self.path}' failed to satisfy constraint: {self.constraint}"


Checker = Callable[[Any, list[Problem]], None]
Test = tuple[Callable[[Any], bool], str]


# -- what each service calls it ----------------------------------------------------------------------------------------
def _coral(problems: list[Problem]) -> str:
    """The words of AWS's service framework."""
    count = len(problems)
    return f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(map(str, problems))}"


def _ecr(problems: list[Problem]) -> str:
    """ECR reports one problem, in words of its own."""
    first = problems[0]
    _, is_pattern, pattern = first.constraint.partition("Member must satisfy regular expression pattern: ")
    unescaped = pattern.replace("\\/", "/")
    words = f"must satisfy regular expression '{unescaped}'" if is_pattern else first.constraint
    return f"Invalid parameter at '{first.path}' failed to satisfy constraint: '{words}'"


@dataclass(frozen=True)
class Words:
    """How a service refuses: its code, its sentence, members beside it, what it says of a missing member."""

    code: str = "ValidationException"
    say: Callable[[list[Problem]], str] = _coral
    fields: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, str] = ("", "")


_COMMON = ("ValidationError", "InvalidParameterValue")
_DEFAULT = Words()
SERVICES: dict[str, Words] = {
    "athena": Words("InvalidRequestException", fields={"AthenaErrorCode": "INVALID_INPUT"}),
    "cloudwatch": Words("ValidationError", missing=("MissingParameter", "The parameter {} is required.")),
    "ecr": Words("InvalidParameterException", say=_ecr),
    "iam": Words("ValidationError"),
    "logs": Words("InvalidParameterException"),
    "sagemaker-featurestore-runtime": Words("ValidationError"),
    "sagemaker-runtime": Words("ValidationError"),
    "sns": Words("ValidationError"),
    "sqs": Words("InvalidParameterValue",
                 missing=("MissingParameter", "The request must contain the parameter {}.")),
    "sts": Words("ValidationError"),
}


def check(operation: OperationModel, params: dict[str, Any], service: str = "") -> None:
    """Raise the service's `AwsError` where the params do not meet the model's constraints."""
    name = service or operation.service_model.service_name
    checker = _checker(operation)
    if checker is None:
        return
    problems: list[Problem] = []
    try:
        checker(params, problems)
    except RecursionError:
        raise AwsError("SerializationException") from None
    if problems:
        raise _error(operation, name, problems)


def _error(operation: OperationModel, service: str, problems: list[Problem]) -> AwsError:
    if service == "s3":
        return AwsError("MalformedXML",
                        "The XML you provided was not well-formed or did not validate against our published schema")
    words = SERVICES.get(service, _DEFAULT)
    code, sentence = words.missing
    if code and problems[0].constraint == _NULL and "." not in problems[0].path and operation.input_shape is not None:
        member = next(name for name in operation.input_shape.members if camel(name) == problems[0].path)
        return AwsError(code, sentence.format(member))
    return AwsError(_code(operation, words), words.say(problems), fields=words.fields)


def _code(operation: OperationModel, words: Words) -> str:
    """The service's code if the operation declares it or every operation may send it, else the common one."""
    declared = {shape.name for shape in operation.error_shapes}
    if words.code in declared or (words.code in _COMMON and "ValidationException" not in declared):
        return words.code
    return "ValidationException"


@functools.cache
def _checker(operation: OperationModel) -> Checker | None:
    shape = operation.input_shape
    if shape is None:
        return None
    checkers = _checkers(operation.service_model)
    return checkers.body_only(shape) if operation.service_model.service_name == "s3" else checkers.of(shape)


@functools.cache
def _checkers(service: ServiceModel) -> Checkers:
    return Checkers(service.service_name != "s3")


# -- compiling ---------------------------------------------------------------------------------------------------------
class Checkers:
    """The compiled checkers of one service's structures; `full` is off where only required members count."""

    def __init__(self, full: bool) -> None:
        self._full = full
        self._made: dict[str, Checker] = {}
        self._lock = threading.RLock()  # a half-compiled structure must not be seen by another thread

    def of(self, shape: Shape) -> Checker:
        """The checker of an operation's input."""
        with self._lock:
            return self._structure(shape)

    def body_only(self, shape: Shape) -> Checker | None:
        """The checker of the payload alone, for a service that answers for the rest itself."""
        name = shape.serialization.get("payload")
        if not name or shape.members[name].type_name != "structure":
            return None
        payload = self.of(shape.members[name])

        def check_payload(value: dict[str, Any], problems: list[Problem]) -> None:
            if isinstance(body := value.get(name), dict):
                payload(body, problems)

        return check_payload

    def _any(self, shape: Shape) -> Checker | None:
        kind = shape.type_name
        if kind == "structure":
            return None if shape.is_document_type or shape.serialization.get("eventstream") else self._structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        if shape.serialization.get("jsonvalue") and shape.serialization.get("location") == "header":
            return None
        return _scalar(shape, self._tests(shape))

    def _tests(self, shape: Shape) -> list[Test]:
        return tests(shape) if self._full else []

    def _structure(self, shape: Shape) -> Checker:
        if found := self._made.get(shape.name):
            return found
        required = [(name, camel(name)) for name in shape.required_members]
        table: dict[str, tuple[str, Checker]] = {}
        union = bool(shape.is_tagged_union) and self._full

        def check_structure(value: dict[str, Any], problems: list[Problem]) -> None:
            for name, path in required:
                if value.get(name) is None:
                    problems.append(Problem(path, "null", _NULL))
            for name, item in value.items():
                if item is None or (member := table.get(name)) is None:
                    continue
                before = len(problems)
                member[1](item, problems)
                for problem in problems[before:]:
                    problem.under(member[0])
            if union and len(value) != 1:
                problems.append(Problem("", f"'{show(shape, value)}'", "Member must have exactly one member set"))

        self._made[shape.name] = check_structure
        for name, member in shape.members.items():
            if (checker := self._any(member)) is not None:
                table[name] = (camel(name), checker)
        return check_structure

    def _list(self, shape: Shape) -> Checker:
        own = _scalar(shape, self._tests(shape))
        member = shape.member
        nested = self._any(member) if member.type_name in ("structure", "list", "map") else None
        inner = self._tests(member) if nested is None else []
        good = passes(member, inner)
        words = ", ".join([text for _, text in inner] + [_NULL])

        def check_list(value: list[Any], problems: list[Problem]) -> None:
            if own is not None:
                own(value, problems)
            if None in value or (inner and not all(map(good, value))):
                problems.append(Problem("", shown(shape, value), f"Member must satisfy constraint: [{words}]"))
            elif nested is not None:
                for number, item in enumerate(value, 1):
                    before = len(problems)
                    nested(item, problems)
                    for problem in problems[before:]:
                        problem.under(f"{number}.member")

        return check_list

    def _map(self, shape: Shape) -> Checker:
        own, keys = _scalar(shape, self._tests(shape)), self._tests(shape.key)
        nested = self._any(shape.value) if shape.value.type_name in ("structure", "list", "map") else None
        inner = self._tests(shape.value) if nested is None else []
        good_key, good = passes(shape.key, keys), passes(shape.value, inner)
        key_words, words = (", ".join(text for _, text in found) for found in (keys, inner))

        def check_map(value: dict[str, Any], problems: list[Problem]) -> None:
            if own is not None:
                own(value, problems)
            if keys and not all(map(good_key, value)):
                problems.append(Problem("", shown(shape, value), f"Map keys must satisfy constraint: [{key_words}]"))
            if None in value.values():
                problems.append(Problem("", shown(shape, value), f"Map value must satisfy constraint: [{_NULL}]"))
            elif inner and not all(map(good, value.values())):
                problems.append(Problem("", shown(shape, value), f"Map value must satisfy constraint: [{words}]"))
            elif nested is not None:
                for key, item in value.items():
                    before = len(problems)
                    nested(item, problems)
                    for problem in problems[before:]:
                        problem.under(f"{key}.member")

        return check_map


def _scalar(shape: Shape, found: list[Test]) -> Checker | None:
    """A checker that reports every test that the value fails."""
    if not found:
        return None
    good = passes(shape, found)

    def check_scalar(value: Any, problems: list[Problem]) -> None:
        if good(value):
            return
        for test, words in found:
            if not test(value):
                problems.append(Problem("", shown(shape, value), words))

    return check_scalar


def passes(shape: Shape, found: list[Test]) -> Callable[[Any], bool]:
    """One predicate that says whether every test is passed: a single call for text, since nearly all of it is good."""
    if shape.type_name != "string":
        return lambda value: all(test(value) for test, _ in found)
    least, most = shape.metadata.get("min") or 0, shape.metadata.get("max", 1 << 62)
    others = [test for test, words in found if not words.startswith("Member must have length")]
    if not others:
        return lambda value: least <= len(value) <= most
    if len(others) == 1:
        only = others[0]
        return lambda value: least <= len(value) <= most and only(value)
    return lambda value: least <= len(value) <= most and all(test(value) for test in others)


def tests(shape: Shape) -> list[Test]:
    """The tests that the model sets for a value, each with AWS's words."""
    found: list[Test] = []
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind in ("integer", "long", "float", "double"):
        if most is not None:
            found.append((lambda value: value <= most, f"Member must have value less than or equal to {most}"))
        if least is not None:
            found.append((lambda value: value >= least, f"Member must have value greater than or equal to {least}"))
        return found
    if kind in ("string", "blob", "list", "map", "character"):
        if most is not None:
            found.append((lambda value: _length(value, 0) <= most,
                          f"Member must have length less than or equal to {most}"))
        if least is not None:
            found.append((lambda value: _length(value, least) >= least,
                          f"Member must have length greater than or equal to {least}"))
    if kind == "string":
        found += _text_tests(shape, most)
    return found


def _length(value: Any, unknown: int) -> int:
    return len(value) if hasattr(value, "__len__") else unknown


def _text_tests(shape: Shape, most: int | None) -> list[Test]:
    found: list[Test] = []
    pattern = shape.metadata.get("pattern")
    if pattern and (regex := patterns.compiled(pattern)) is not None:
        longest, matches = patterns.limit(pattern, most), regex.fullmatch
        test = (lambda value: matches(value) is not None) if longest > patterns.LONGEST else \
            (lambda value: len(value) > longest or matches(value) is not None)
        found.append((test, f"Member must satisfy regular expression pattern: {pattern}"))
    if shape.enum:
        allowed = frozenset(shape.enum)
        found.append((allowed.__contains__, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
    return found


# -- words -------------------------------------------------------------------------------------------------------------
def camel(name: str) -> str:
    """A member's name as messages spell it."""
    return name[:1].lower() + name[1:]


def shown(shape: Shape, value: Any) -> str | None:
    """A value in quotation marks; None where the model says that it is a secret."""
    return None if shape.metadata.get("sensitive") else f"'{show(shape, value)[:_SHOWN]}'"


def show(shape: Shape, value: Any) -> str:
    """A value as Java prints it, secrets left out."""
    kind = shape.type_name
    if value is None:
        return "null"
    if shape.metadata.get("sensitive"):
        return "***Sensitive Data Redacted***"
    if kind == "list":
        return f"[{', '.join(show(shape.member, item) for item in value)}]"
    if kind == "map":
        return "{" + ", ".join(f"{key}={show(shape.value, item)}" for key, item in value.items()) + "}"
    if kind == "structure" and not shape.is_document_type:
        members = shape.members
        return f"{shape.name}(" + ", ".join(f"{camel(name)}={show(members[name], item)}"
                                            for name, item in value.items() if name in members) + ")"
    if kind == "blob":
        size = _length(value, 0)
        return f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
    if kind == "timestamp":
        return wire_scalars.write_iso(value)
    return ("true" if value else "false") if kind == "boolean" else str(value)
