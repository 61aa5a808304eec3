"""Readers of tabular training data: CSV, LibSVM, Parquet, RecordIO-protobuf; files, directories, content types.

Called by built-in algorithms and by their model servers. The words of errors are those of AWS's XGBoost container.
"""

from __future__ import annotations

import os
from typing import Any, Iterator

import numpy as np

from sagewright_kit.algorithms.errors import UserError
from sagewright_kit.contract import recordio

CSV, LIBSVM, PARQUET, RECORDIO = "csv", "libsvm", "parquet", "recordio-protobuf"
NAMES = {
    "csv": CSV, "libsvm": LIBSVM, "parquet": PARQUET, "recordio-protobuf": RECORDIO, "text/csv": CSV,
    "text/libsvm": LIBSVM, "text/x-libsvm": LIBSVM, "application/x-parquet": PARQUET,
    "application/x-recordio-protobuf": RECORDIO,
}  # fmt: skip
MAX_DEPTH = 3
BLOCK = 64 << 20
DELIMITERS = ",\t;| "


class Table:
    """Rows with their labels and weights. `features` is a float32 array or a scipy CSR matrix."""

    def __init__(self, features: Any, label: Any = None, weight: Any = None, groups: Any = None) -> None:
        self.features, self.label, self.weight, self.groups = features, label, weight, groups


def header(value: str) -> tuple[str, dict[str, str]]:
    """A header such as `text/csv; label_size=1` as its value and its parameters."""
    first, *rest = value.split(";")
    pairs = (part.partition("=") for part in rest)
    return first.strip().lower(), {k.strip().lower(): v.strip().strip('"') for k, _, v in pairs if k.strip()}


def content_type(value: str | None) -> str:
    """The reader that a content type names; LibSVM if there is none."""
    if not value:
        return LIBSVM
    name, parameters = header(value)
    if name not in NAMES:
        raise UserError("%s is not an accepted ContentType: %s." % (value, ", ".join(NAMES)))
    if NAMES[name] == CSV and parameters.get("label_size", "1") != "1":
        words = "%s is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        raise UserError(words % value)
    return NAMES[name]


def files(path: str) -> list[str]:
    """The data files at `path`: itself, or those up to three folders deep, in order."""
    if os.path.isfile(path):
        return [path]
    found = []
    for root, folders, names in os.walk(path, followlinks=True):
        folders.sort()
        depth = len(os.path.relpath(root, path).split(os.sep)) if root != path else 0
        if depth >= MAX_DEPTH - 1:
            folders[:] = []
        for name in sorted(names):
            if name.startswith("."):
                raise UserError("Hidden file found in the data path! Remove that before training.")
            if not name.startswith("_") and os.path.getsize(os.path.join(root, name)):
                found.append(os.path.join(root, name))
    return found


def read(paths: list[str], kind: str, csv_weights: bool = False) -> Table:
    """All the rows of some files, labels first."""
    try:
        tables = [READERS[kind](path, csv_weights) for path in paths]
        table = tables[0] if len(tables) == 1 else concatenate(tables)
    except UserError:
        raise
    except Exception as error:
        raise UserError("Failed to load %s data with exception:\n%s" % (kind, error)) from error
    if table.label is None or not len(table.label):
        raise UserError("Got input data without labels. Please check the input data set.")
    return table


def concatenate(tables: list[Table]) -> Table:
    """Rows of several tables as one; sparse ones may differ in width."""
    sparse = [table for table in tables if hasattr(table.features, "indptr")]
    if sparse:
        from scipy.sparse import csr_matrix, vstack

        width = max(table.features.shape[1] for table in tables)
        parts = [csr_matrix(table.features) for table in tables]
        for part in parts:
            part.resize((part.shape[0], width))
        features = vstack(parts).tocsr()
    else:
        if len({table.features.shape[1] for table in tables}) > 1:
            raise ValueError("The files have different numbers of columns")
        features = np.concatenate([table.features for table in tables])
    columns = []
    for name in ("label", "weight", "groups"):
        given = [getattr(table, name) for table in tables]
        columns.append(np.concatenate(given) if all(one is not None for one in given) else None)
    return Table(features, *columns)


# -- CSV ----------------------------------------------------------------------------------------------------------
def read_csv(path: str, csv_weights: bool) -> Table:
    """Label first, weight second if `csv_weights`, no header; an empty field is a missing value."""
    blocks, delimiter = [], ""
    for block in _blocks(path):
        delimiter = delimiter or csv_delimiter(block.split(b"\n", 1)[0])
        try:
            blocks.append(parse_csv(block, delimiter))
        except ValueError as error:
            words = "%s in %s. The file must have no header line, and its first column is the label."
            raise ValueError(words % (error, os.path.basename(path))) from error
    rows = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    first = 2 if csv_weights else 1
    if rows.shape[1] < first + 1:
        raise ValueError("%s has no feature columns" % os.path.basename(path))
    return Table(rows[:, first:], rows[:, 0].copy(), rows[:, 1].copy() if csv_weights else None)


def _blocks(path: str) -> Iterator[bytes]:
    """The file in pieces that end at a line's end, so that text and numbers need not both be held in full."""
    with open(path, "rb") as file:
        rest = b""
        while True:
            block = file.read(BLOCK)
            if not block:
                break
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                continue
            yield rest + block[:cut]
            rest = block[cut:]
        if rest.strip():
            yield rest


def csv_delimiter(line: bytes) -> str:
    """The delimiter of a line, or a UserError; a lone number needs none."""
    text = line.decode("utf-8", "replace").strip("\r\n")
    found = next((one for one in DELIMITERS if one in text.strip(" ")), None)
    if found is None:
        raise UserError("Could not determine delimiter on line %s:\nCould not determine delimiter" % text[:50])
    return found


def parse_csv(data: bytes, delimiter: str) -> Any:
    """Text to a float32 array. Whole blocks go through numpy's parser; gaps and faults take the slow path."""
    text = data.replace(b"\r\n", b"\n").strip(b"\n")
    mark = delimiter.encode()
    lines = text.count(b"\n") + 1
    if not has_gaps(text, mark):
        flat = text.replace(b"\n", b" " if delimiter in " \t" else mark)
        values = numbers(flat, " " if delimiter in " \t" else delimiter)
        expected = text.count(mark) + lines
        width = text.split(b"\n", 1)[0].count(mark) + 1
        if values is not None and len(values) == expected == lines * width:
            return values.astype(np.float32).reshape(lines, width)
    return _parse_csv_lines(text.decode("utf-8"), delimiter)


def has_gaps(text: bytes, mark: bytes) -> bool:
    """Whether a field may be empty, quoted or a blank line."""
    if mark + mark in text or b'"' in text or b"\n\n" in text or mark + b"\n" in text or b"\n" + mark in text:
        return True
    return text.startswith(mark) or text.endswith(mark)


def numbers(text: bytes, separator: str) -> Any:
    import warnings

    with warnings.catch_warnings():
        # numpy warns, and stops, at the first thing that is no number; the slow path then says where it is.
        warnings.simplefilter("error")
        try:
            return np.fromstring(text.decode("ascii"), sep=separator)
        except (DeprecationWarning, ValueError, UnicodeDecodeError):
            return None


def _parse_csv_lines(text: str, delimiter: str) -> Any:
    import csv

    rows = []
    for number, row in enumerate(csv.reader(text.split("\n"), delimiter=delimiter), 1):
        if not row:
            continue
        try:
            rows.append([float(field) if field.strip() else float("nan") for field in row])
        except ValueError as error:
            raise ValueError("%s on line %d" % (error, number)) from error
        if len(row) != len(rows[0]):
            raise ValueError("line %d has %d fields where the first has %d" % (number, len(row), len(rows[0])))
    return np.array(rows, np.float32)


# -- LibSVM -------------------------------------------------------------------------------------------------------
def read_libsvm(path: str, _csv_weights: bool) -> Table:
    """`label[:weight] [qid:group] index:value ...` lines."""
    with open(path, "rb") as file:
        try:
            return parse_libsvm(file.read().decode("utf-8"))
        except ValueError as error:
            line = str(error).partition("\0")[2]
            words = "First line '%s...' of file '%s' is not '%s' format. Please ensure the file is in '%s' format."
            raise UserError(words % (line[:50], os.path.basename(path), "LIBSVM", "LIBSVM")) from error


def parse_libsvm(text: str, labelled: bool = True) -> Table:
    """Lines to a CSR matrix; indexes are columns as they stand. Rows to be predicted may lack their label."""
    from scipy.sparse import csr_matrix

    heads: list[str] = []
    groups: list[str] = []
    pairs: list[str] = []
    ends = [0]
    for line in text.split("\n"):
        tokens = line.split("#", 1)[0].split()
        if not tokens:
            continue
        start = 1 if labelled or ":" not in tokens[0] else 0
        heads.append(tokens[0])
        if start < len(tokens) and tokens[start].startswith("qid:"):
            groups.append(tokens[start][4:])
            start += 1
        pairs.extend(tokens[start:])
        ends.append(len(pairs))
        if any(token.count(":") != 1 for token in tokens[start:]):
            raise ValueError("not index:value\0" + line)
    split = [pair.split(":") for pair in pairs]
    try:
        columns = np.array([one[0] for one in split], dtype=np.int64)
        numbers = np.array([one[1] for one in split], dtype=np.float32)
    except ValueError as error:
        raise ValueError("%s\0%s" % (error, text.split("\n", 1)[0])) from error
    width = int(columns.max()) + 1 if len(columns) else 0
    matrix = csr_matrix((numbers, columns, ends), shape=(len(ends) - 1, width))
    label, weight = _labels(heads) if labelled else (None, None)
    return Table(matrix, label, weight, np.array(groups, np.int64) if len(groups) == len(heads) else None)


def _labels(heads: list[str]) -> tuple[Any, Any]:
    """Labels, and weights if every line states one."""
    split = [head.split(":") for head in heads]
    bad = next((head for head, parts in zip(heads, split) if len(parts) > 2), None)
    try:
        if bad is not None:
            raise ValueError("not label or label:weight")
        label = np.array([parts[0] for parts in split], np.float32)
        weights = [parts[1] for parts in split if len(parts) == 2]
        return label, np.array(weights, np.float32) if len(weights) == len(heads) and heads else None
    except ValueError as error:
        raise ValueError("%s\0%s" % (error, bad or heads[0])) from error


# -- Parquet, RecordIO --------------------------------------------------------------------------------------------
def read_parquet(path: str, _csv_weights: bool) -> Table:
    """Label in the first column."""
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise UserError("This image has no Parquet reader (pyarrow)") from None
    table = parquet.read_table(path)
    rows = np.column_stack([table.column(i).to_numpy() for i in range(table.num_columns)]).astype(np.float32)
    return Table(rows[:, 1:], rows[:, 0].copy())


def read_recordio(path: str, _csv_weights: bool) -> Table:
    with open(path, "rb") as file:
        features, labels = recordio.matrix(recordio.frames(file.read()))
    return Table(features, labels)


READERS = {CSV: read_csv, LIBSVM: read_libsvm, PARQUET: read_parquet, RECORDIO: read_recordio}
