"""RecordIO frames and the protobuf message `aialgs.data.Record` inside them, read and written.

Called by the readers of algorithms and by the codecs of model servers. Wire format: a frame is the magic word, a word
of flag (3 bits) and length (29 bits), the payload, padding to four bytes. A record maps names to tensors in `features`
(field 1) and `label` (field 2); a tensor has values (1), keys (2, the columns of a sparse row) and shape (3).
"""

from __future__ import annotations

import struct
from typing import Any, Iterable, Iterator

import numpy as np

MAGIC = 0xCED7230A
_MAGIC_BYTES = struct.pack("<I", MAGIC)
_FLOAT32, _FLOAT64, _INT32 = 2, 3, 7


def frames(data: bytes) -> Iterator[bytes]:
    """Payloads of the frames in `data`; parts of a split record are joined."""
    view, offset, parts = memoryview(data), 0, []
    while offset < len(view):
        if offset + 8 > len(view):
            raise ValueError("Truncated RecordIO header at offset %d" % offset)
        magic, word = struct.unpack_from("<II", view, offset)
        if magic != MAGIC:
            raise ValueError("Invalid RecordIO magic number at offset %d" % offset)
        flag, length = word >> 29, word & 0x1FFFFFFF
        if offset + 8 + length > len(view):
            raise ValueError("Truncated RecordIO record at offset %d" % offset)
        payload = bytes(view[offset + 8 : offset + 8 + length])
        offset += 8 + length + (-length % 4)
        if flag == 0:
            yield payload
            continue
        # The writer cut the record where its payload held the magic word, which is put back between the parts.
        parts.append(payload)
        if flag == 3:
            yield _MAGIC_BYTES.join(parts)
            parts = []


def frame(payload: bytes) -> bytes:
    """One whole record as a frame."""
    return struct.pack("<II", MAGIC, len(payload)) + payload + b"\0" * (-len(payload) % 4)


class Tensor:
    """Values of one name in a record; `keys` is None for a dense row."""

    __slots__ = ("values", "keys", "shape")

    def __init__(self, values: Any, keys: Any = None, shape: tuple[int, ...] = ()) -> None:
        self.values, self.keys, self.shape = values, keys, shape


def decode(payload: bytes) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Features and labels of one record."""
    features: dict[str, Tensor] = {}
    labels: dict[str, Tensor] = {}
    for number, value in _fields(payload):
        if number in (1, 2) and isinstance(value, bytes):
            name, tensor = _entry(value)
            (features if number == 1 else labels)[name] = tensor
    return features, labels


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) pairs of a protobuf message: bytes for lengths, integers, raw bytes for fixed widths."""
    offset, end = 0, len(data)
    while offset < end:
        tag, offset = _varint(data, offset)
        kind = tag & 7
        if kind == 0:
            value, offset = _varint(data, offset)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, offset = _varint(data, offset)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("Unknown protobuf wire type %d" % kind)
        if offset + length > end:
            raise ValueError("Truncated protobuf message")
        yield tag >> 3, data[offset : offset + length]
        offset += length


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if offset >= len(data) or shift > 63:
            raise ValueError("Malformed protobuf number")
        byte = data[offset]
        offset += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, offset
        shift += 7


def _entry(data: bytes) -> tuple[str, Tensor]:
    name, tensor = "", Tensor(np.zeros(0, np.float32))
    for number, value in _fields(data):
        if number == 1:
            name = value.decode("utf-8")
        elif number == 2:
            for kind, body in _fields(value):
                if kind in (_FLOAT32, _FLOAT64, _INT32):
                    tensor = _tensor(kind, body)
    return name, tensor


def _tensor(kind: int, data: bytes) -> Tensor:
    values: list[Any] = []
    keys: list[Any] = []
    shape: list[Any] = []
    for number, value in _fields(data):
        if number == 1:
            values.append(_numbers(kind, value))
        elif number in (2, 3):
            (keys if number == 2 else shape).append(_varints(value))
    joined = np.concatenate(values) if values else np.zeros(0, np.float32)
    columns = np.concatenate(keys) if keys else None
    return Tensor(joined, columns, tuple(int(n) for part in shape for n in part))


def _numbers(kind: int, value: Any) -> Any:
    if kind == _INT32:
        return _varints(value).astype(np.int64).astype(np.int32)
    return np.frombuffer(value, "<f4" if kind == _FLOAT32 else "<f8")


def _varints(value: Any) -> Any:
    """Packed (bytes) or single (int) unsigned numbers."""
    if isinstance(value, int):
        return np.array([value], np.uint64)
    raw = np.frombuffer(value, np.uint8)
    if not len(raw) or raw.max() < 0x80:
        return raw.astype(np.uint64)
    result, offset = [], 0
    while offset < len(value):
        number, offset = _varint(value, offset)
        result.append(number)
    return np.array(result, np.uint64)


def encode(features: dict[str, Tensor], labels: dict[str, Tensor]) -> bytes:
    """One record as a protobuf message."""
    parts = []
    for tag, entries in ((b"\x0a", features), (b"\x12", labels)):
        for name, tensor in entries.items():
            key = name.encode("utf-8")
            value = _encode_tensor(tensor)
            entry = b"\x0a" + _count(len(key)) + key + b"\x12" + _count(len(value)) + value
            parts.append(tag + _count(len(entry)) + entry)
    return b"".join(parts)


def _encode_tensor(tensor: Tensor) -> bytes:
    values = np.asarray(tensor.values)
    whole = values.dtype.kind in "iub"
    if whole and (not len(values) or -(2**31) <= values.min() <= values.max() < 2**31):
        field, packed = _INT32, b"".join(_count(int(n) & (2**64 - 1)) for n in values)
    elif whole or values.dtype == np.float64:
        field, packed = _FLOAT64, values.astype("<f8").tobytes()
    else:
        field, packed = _FLOAT32, values.astype("<f4").tobytes()
    body = b"\x0a" + _count(len(packed)) + packed if len(values) else b""
    for tag, numbers in ((b"\x12", tensor.keys), (b"\x1a", tensor.shape)):
        if numbers is not None and len(numbers):
            packed = b"".join(_count(int(n)) for n in numbers)
            body += tag + _count(len(packed)) + packed
    return _count(field << 3 | 2) + _count(len(body)) + body


def _count(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def write(rows: Any, labels: Any = None) -> bytes:
    """Rows of a dense array or a scipy CSR matrix as frames, each with its label if there are any."""
    sparse = hasattr(rows, "indptr")
    result = []
    for index in range(rows.shape[0]):
        if sparse:
            part = slice(rows.indptr[index], rows.indptr[index + 1])
            tensor = Tensor(rows.data[part], rows.indices[part], (rows.shape[1],))
        else:
            tensor = Tensor(np.asarray(rows[index]).ravel())
        label = {} if labels is None else {"values": Tensor(np.atleast_1d(np.asarray(labels[index])))}
        result.append(frame(encode({"values": tensor}, label)))
    return b"".join(result)


def matrix(payloads: Iterable[bytes]) -> tuple[Any, Any]:
    """Features (dense array, or scipy CSR if any row is sparse) and labels (None if there are none)."""
    tensors, labels = [], []
    for payload in payloads:
        features, label = decode(payload)
        tensors.append(features.get("values", Tensor(np.zeros(0, np.float32))))
        if "values" in label:
            labels.append(label["values"].values)
    if not tensors:
        raise ValueError("No records found in RecordIO-Protobuf data")
    rows = _sparse(tensors) if any(t.keys is not None or (t.shape and not len(t.values)) for t in tensors) else None
    if rows is None:
        if len({len(tensor.values) for tensor in tensors}) > 1:
            raise ValueError("Records have different numbers of features")
        rows = np.vstack([tensor.values for tensor in tensors])
    return rows, np.concatenate(labels) if labels else None


def _sparse(tensors: list[Tensor]) -> Any:
    from scipy.sparse import csr_matrix

    ends = np.cumsum([0] + [len(tensor.values) for tensor in tensors])
    columns = [np.arange(len(t.values)) if t.keys is None else t.keys.astype(np.int64) for t in tensors]
    if any(len(c) != len(t.values) for c, t in zip(columns, tensors)):
        raise ValueError("A sparse record has as many keys as values")
    flat = np.concatenate(columns) if columns else np.zeros(0, np.int64)
    stated = max([t.shape[0] for t in tensors if t.shape] or [0])
    width = max(stated, int(flat.max()) + 1 if len(flat) else 0)
    return csr_matrix((np.concatenate([t.values for t in tensors]), flat, ends), shape=(len(tensors), width))
