"""Readers of training data: good files, gaps, weights, and the words for bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sagewright_kit.algorithms import data
from sagewright_kit.algorithms.errors import UserError
from tests.kit.conftest import run_python


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "libsvm"), ("", "libsvm"), ("text/csv", "csv"), ("csv", "csv"), ("text/csv; label_size=1", "csv"),
        ("TEXT/CSV;charset=utf8", "csv"), ("text/x-libsvm", "libsvm"), ("application/x-parquet", "parquet"),
        ("application/x-recordio-protobuf", "recordio-protobuf"),
    ],
)  # fmt: skip
def test_content_types_name_their_reader(value: str | None, kind: str) -> None:
    assert data.content_type(value) == kind


@pytest.mark.parametrize("value", ["text/csv; label_size=2", "application/json", "image/png"])
def test_other_content_types_are_refused(value: str) -> None:
    with pytest.raises(UserError, match="is not an accepted"):
        data.content_type(value)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1,2,3\n4,5,6\n", [[2, 3], [5, 6]]),
        ("1,2,3\r\n4,5,6", [[2, 3], [5, 6]]),
        ("1,,3\n4,5,\n", [[np.nan, 3], [5, np.nan]]),
        ("1;2;3\n4;5;6\n", [[2, 3], [5, 6]]),
        ("1\t2\t3\n", [[2, 3]]),
        ("1 2 3\n4 5 6", [[2, 3], [5, 6]]),
        ('1,"2",3\n', [[2, 3]]),
        ("1,nan,-inf\n", [[np.nan, -np.inf]]),
        ("1,2,3\n\n4,5,6\n\n", [[2, 3], [5, 6]]),
        ("1,1e-3,.5\n", [[1e-3, 0.5]]),
    ],
)
def test_csv_is_read_with_its_label_first(text: str, rows: list[list[float]], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text, newline="")
    table = data.read([str(tmp_path / "x.csv")], "csv")
    np.testing.assert_array_equal(table.features, np.array(rows, np.float32))
    assert table.label[0] == 1


def test_csv_weights_are_the_second_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,0.5,3\n0,2,4\n")
    table = data.read([str(tmp_path / "x.csv")], "csv", csv_weights=True)
    assert table.weight.tolist() == [0.5, 2] and table.features.tolist() == [[3], [4]]


def test_csv_larger_than_a_block_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "BLOCK", 100)
    expected = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    np.savetxt(tmp_path / "x.csv", expected, delimiter=",", fmt="%g")
    table = data.read([str(tmp_path / "x.csv")], "csv")
    np.testing.assert_array_equal(np.column_stack([table.label, table.features]), expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label,age\n1,2\n", "could not convert string to float: 'label' on line 1 in x.csv"),
        ("1,2,3\n4,5\n", "line 2 has 2 fields where the first has 3"),
        ("abc\n", "Could not determine delimiter on line abc"),
        ("1,2,3\n4,5,x\n", "could not convert string to float: 'x' on line 2"),
    ],
)
def test_csv_that_is_none_is_refused_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError) as refused:
        data.read([str(tmp_path / "x.csv")], "csv")
    assert words in str(refused.value)


def test_files_are_found_three_folders_deep_and_hidden_ones_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "b/c.csv", "b/d/e.csv", "b/d/f/deep.csv", "_SUCCESS", "b/empty"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("" if name == "b/empty" else "1,2")
    assert [str(Path(one).relative_to(tmp_path)) for one in data.files(str(tmp_path))] == [
        "a.csv", "b/c.csv", "b/d/e.csv",
    ]  # fmt: skip
    (tmp_path / "b" / ".hidden").write_text("1,2")
    with pytest.raises(UserError, match="Hidden file found"):
        data.files(str(tmp_path))


def test_libsvm_weights_groups_and_gaps(current: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1:0.5 qid:1 0:1.5 3:2\n0:2 qid:1\n# comment\n1:1 qid:2 1:-1 # more\n")
    (tmp_path / "b").write_text("1:1 qid:3 5:1\n")
    (tmp_path / "bad").write_text("x 1:2\n")
    code = """
import sys
from sagewright_kit.algorithms import data
t = data.read(sys.argv[1:3], "libsvm")
print(t.features.toarray().tolist(), t.label.tolist(), t.weight.tolist(), t.groups.tolist())
try:
    data.read(sys.argv[3:], "libsvm")
except data.UserError as error:
    print(error)
"""
    printed = run_python(current, code, *(str(tmp_path / name) for name in ("a", "b", "bad"))).splitlines()
    zero = [0.0] * 3
    rows = [[1.5, 0.0, 0.0, 2.0, 0.0, 0.0], zero + zero, [0.0, -1.0, 0.0, *zero], [*zero, 0.0, 0.0, 1.0]]
    assert printed[0] == f"{rows} [1.0, 0.0, 1.0, 1.0] [0.5, 2.0, 1.0, 1.0] [1, 1, 2, 3]"
    assert printed[1].startswith("First line 'x...' of file 'bad' is not 'LIBSVM' format.")
