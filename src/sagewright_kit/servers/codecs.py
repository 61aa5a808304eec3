"""Encoders and decoders of the toolkits' default content types. Called by the fronts.

Of npy bodies, those that hold pickled objects are refused: a request must not run code.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from sagewright_kit.algorithms import data

JSON, CSV, NPY, NPZ = "application/json", "text/csv", "application/x-npy", "application/x-npz"
OCTETS = "application/octet-stream"
TEXT_TYPES = (JSON, CSV)


class UnsupportedFormat(Exception):
    """The content type has no codec."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            "Content type %s is not supported by this framework.\n\nPlease implement input_fn to to deserialize the "
            "request data or an output_fn to\nserialize the response. For more information, see the SageMaker Python "
            "SDK README." % content_type
        )


def media_type(value: str) -> str:
    """A content type without its parameters."""
    return value.split(";", 1)[0].strip().lower()


def decode(body: Any, content_type: str) -> Any:
    """A request's body as an array (or a sparse matrix for npz)."""
    kind = media_type(content_type)
    if kind == JSON:
        return np.array(json.loads(body))
    if kind == CSV:
        return _csv_to_array(body if isinstance(body, str) else bytes(body).decode("utf-8"))
    if kind == NPY:
        return np.load(io.BytesIO(body), allow_pickle=False)
    if kind == NPZ:
        import scipy.sparse

        return scipy.sparse.load_npz(io.BytesIO(body))
    raise UnsupportedFormat(content_type)


def _csv_to_array(text: str) -> Any:
    """What numpy.genfromtxt makes of the text; whole tables of numbers by a parser that is twenty times as fast."""
    raw = text.strip("\n").encode("utf-8")
    if raw and not data.has_gaps(raw, b",") and b"#" not in raw and b"\r" not in raw and b" " not in raw:
        lines, width = raw.count(b"\n") + 1, raw.split(b"\n", 1)[0].count(b",") + 1
        values = data.numbers(raw.replace(b"\n", b","), ",")
        if values is not None and len(values) == lines * width == raw.count(b",") + lines:
            return np.squeeze(values.reshape(lines, width))
    return np.genfromtxt(io.StringIO(text), delimiter=",")


def encode(value: Any, content_type: str) -> Any:
    """A prediction as a response's body."""
    kind = media_type(content_type)
    if kind == JSON:
        return json.dumps(value, default=_to_list)
    if kind == CSV:
        stream = io.StringIO()
        np.savetxt(stream, value, delimiter=",", fmt="%s")
        return stream.getvalue()
    if kind == NPY:
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        return buffer.getvalue()
    raise UnsupportedFormat(content_type)


def _to_list(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)
