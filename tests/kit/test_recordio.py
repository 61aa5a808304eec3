"""RecordIO and its protobuf records: the bytes that AWS's own code writes, and what hostile bytes do."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagewright_kit.contract import recordio
from tests.kit.conftest import run_python

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "recordio.json").read_text())["cases"]
DENSE = [case for case in GOLDEN if not case["sparse"]]


@pytest.mark.parametrize("case", DENSE, ids=lambda case: case["name"])
def test_dense_records_are_read_and_written_as_the_toolkit_writes_them(case: dict[str, Any]) -> None:
    raw = base64.b64decode(case["data"])
    rows, labels = recordio.matrix(recordio.frames(raw))
    assert np.array_equal(rows, np.array(case["rows"], case["dtype"]))
    assert (labels is None) == (case["labels"] is None)
    given = None if case["labels"] is None else np.array(case["labels"], case["dtype"])
    assert given is None or np.array_equal(labels, given)
    assert recordio.write(np.array(case["rows"], case["dtype"]), given) == raw


def test_sparse_records_are_read_and_written_as_the_toolkit_writes_them(current: Path) -> None:
    code = """
import base64, json, sys
import numpy as np
from sagewright_kit.contract import recordio
for case in json.load(open(sys.argv[1]))["cases"]:
    if case["sparse"]:
        raw = base64.b64decode(case["data"])
        rows, labels = recordio.matrix(recordio.frames(raw))
        assert np.array_equal(rows.toarray(), np.array(case["rows"], case["dtype"]))
        assert labels.tolist() == case["labels"]
        assert recordio.write(rows, labels) == raw
        print("same")
"""
    printed = run_python(current, code, str(Path(__file__).parent / "goldens" / "recordio.json"))
    assert printed.split() == ["same"] * sum(case["sparse"] for case in GOLDEN)


def test_a_record_split_at_the_magic_word_is_joined() -> None:
    magic = struct.pack("<I", recordio.MAGIC)
    payload = b"left" + magic + b"middle.." + magic + b"right"
    parts = [b"left", b"middle..", b"right"]
    data = b""
    for flag, part in zip((1, 2, 3), parts):
        data += magic + struct.pack("<I", flag << 29 | len(part)) + part + b"\0" * (-len(part) % 4)
    assert list(recordio.frames(data + recordio.frame(b"next"))) == [payload, b"next"]


@pytest.mark.parametrize(
    "data",
    [
        b"abc",
        b"\0" * 16,
        struct.pack("<II", recordio.MAGIC, 0x1FFFFFFF),
        recordio.frame(b"\x0a\xff\xff\xff\xff\x0f"),
        recordio.frame(b"\x0a" + b"\xff" * 12),
        recordio.frame(b"\x0b\x01"),
        recordio.write(np.zeros((1, 2), np.float32)) + recordio.write(np.zeros((1, 3), np.float32)),
        b"",
    ],
)
def test_malformed_data_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        recordio.matrix(recordio.frames(data))
