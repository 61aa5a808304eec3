"""Default codecs: the same arrays and texts as numpy's own functions, which the real images call."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from sagewright_kit.servers import codecs


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3", "1,2,3\n4,5,6\n", "1\n2\n3", "7", "1,,3\n4,5,6", "1.5e-3,nan,inf", "a,b\n1,2", "1, 2\n3, 4",
        "1,2\r\n3,4",
        "1,2\n\n3,4",
        "0.1,0.30000000000000004,1e308\n-0.0,5e-324,123456789012345678", "# note\n1,2", "1,2,\n3,4,",
    ],
)  # fmt: skip
def test_csv_is_decoded_as_genfromtxt_decodes_it(text: str) -> None:
    expected = np.genfromtxt(io.StringIO(text), delimiter=",")
    np.testing.assert_array_equal(codecs.decode(text, "text/csv"), expected, strict=True)


@pytest.mark.parametrize("value", [np.array([[1, 2], [3, 4]]), np.array([0.5, 1]), [1, "a"], np.float32(2)])
def test_values_are_encoded_as_the_toolkits_encode_them(value: object) -> None:
    assert json.loads(codecs.encode(value, "application/json")) == np.asarray(value).tolist() or isinstance(value, list)
    stream = io.StringIO()
    if np.ndim(value):  # type: ignore[arg-type]
        np.savetxt(stream, value, delimiter=",", fmt="%s")  # type: ignore[arg-type]
        assert codecs.encode(value, "text/csv; charset=utf-8") == stream.getvalue()


def test_a_format_without_codec_names_itself() -> None:
    with pytest.raises(codecs.UnsupportedFormat, match="Content type a/b is not supported by this framework"):
        codecs.decode(b"", "a/b")
