"""Spoiled requests of every operation: whatever arrives is read, or refused with an AWS error; nothing else."""

from __future__ import annotations

import json
import random
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.model import OperationModel, ServiceModel

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import validate, wire
from tests.wire.shapes import Values, body_of, request_of
from tests.wire.test_round_trip import CASES

JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", "x", "\x00", "x" * 5000, [], [None], [[]], {}, {"": None}, {"a": {}},
    "2024-01-01T00:00:00Z", "é😀", [1, "a", {}]]


def _spoil(value: Any, chance: random.Random) -> Any:
    """The tree with one node replaced by junk."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        return {**value, key: _spoil(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], _spoil(value[at], chance), *value[at + 1:]]
    return chance.choice(JUNK)


def _spoil_bytes(data: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(spoiled) + 1)
        spoiled[at:at + chance.randint(0, 3)] = bytes(chance.randrange(256) for _ in range(chance.randint(0, 3)))
    return bytes(spoiled)


def _spoiled(request: Request, body: bytes, protocol: str, chance: random.Random) -> tuple[Request, bytes]:
    if protocol in ("json", "rest-json") and body[:1] == b"{" and chance.random() < 0.8:
        body = json.dumps(_spoil(json.loads(body), chance)).encode()
    else:
        body = _spoil_bytes(body, chance)
    query = _spoil_bytes(request.query.encode(), chance).decode("latin-1") if request.query else ""
    headers = [(name, chance.choice([value, "x", "", "\xff", "-1", '"', "a,b"])) for name, value in request.headers]
    return Request(request.method, request.raw_path, query, Headers(headers)), body


@pytest.mark.parametrize(("service", "protocol"), CASES)
def test_spoiled_requests_are_read_or_refused(service: str, protocol: str) -> None:
    refused = 0
    for operation in model.operations(service):
        if operation.input_shape is None:
            continue
        chance = random.Random(zlib.crc32(operation.name.encode()))
        for _ in range(8):
            refused += _try(operation, protocol, chance)
    assert refused > 0


def test_first_calls_that_come_at_once_all_see_the_whole_model() -> None:
    """Codecs and checkers are compiled by the first call; the others must not see them half made."""
    fresh = ServiceModel(model.model("sagemaker")._service_description, "sagemaker")
    operation = fresh.operation_model("CreateTrainingJob")
    assert operation.input_shape is not None
    params = Values(1, "json").of(operation.input_shape)
    request, body, _ = request_of(operation, "json", params)
    start = threading.Barrier(12)

    def first_call(_: int) -> tuple[Any, str]:
        start.wait()
        read = wire.read(operation, "json", request, body, {})
        try:
            validate.check(operation, read)
        except AwsError as error:
            return read, error.message
        return read, ""

    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(first_call, range(12)))
    assert all(one == seen[0] for one in seen)
    assert seen[0][0].keys() == params.keys() and seen[0][1]


def _try(operation: OperationModel, protocol: str, chance: random.Random) -> bool:
    shape = operation.input_shape
    assert shape is not None
    params = Values(chance.randrange(10**6), protocol).of(shape) or {}
    for name, member in shape.members.items():
        if member.serialization.get("hostLabel"):
            params[name] = "host"
    good, body, labels = request_of(operation, protocol, params)
    request, body = _spoiled(good, body, protocol, chance)
    try:
        read = wire.read(operation, protocol, request, body, labels)
        validate.check(operation, read)
    except AwsError as error:
        reply = wire.write_error(operation, None, protocol, error, "rid")
        assert 400 <= reply.status < 500 and body_of(reply)
        return True
    return False
