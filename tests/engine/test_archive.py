"""Archives from strangers, and archives that we make."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest

from sagewright.engine import archive
from sagewright.engine.archive import Rejected

GIB = 1 << 30


def packed(tmp_path, *members, mode="w:gz"):
    """A tar of (name, type, content or link target)."""
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, mode) as tar:
        for name, kind, what in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
            else:
                info.linkname = what
                tar.addfile(info)
    return path


@pytest.fixture
def into(tmp_path):
    (tmp_path / "into").mkdir()
    (tmp_path / "canary").write_text("untouched")
    return tmp_path / "into"


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_files_directories_and_inner_links_are_unpacked(tmp_path, into, mode):
    members = [("./d", tarfile.DIRTYPE, ""), ("./d/f", tarfile.REGTYPE, b"1"), ("d/same", tarfile.SYMTYPE, "f"),
               ("hard", tarfile.LNKTYPE, "./d/f"), ("deep/er/f", tarfile.REGTYPE, b"2")]
    archive.unpack(packed(tmp_path, *members, mode=mode), into, GIB)
    assert (into / "d" / "same").read_text() == (into / "hard").read_text() == "1"
    assert (into / "deep" / "er" / "f").read_text() == "2"


@pytest.mark.parametrize("members", [
    [("../canary", tarfile.REGTYPE, b"x")],
    [("a/../../canary", tarfile.REGTYPE, b"x")],
    [("/tmp/absolute", tarfile.REGTYPE, b"x")],
    [("out", tarfile.SYMTYPE, "../canary")],
    [("out", tarfile.SYMTYPE, "/etc/passwd")],
    [("here", tarfile.SYMTYPE, "."), ("here/../../canary", tarfile.REGTYPE, b"x")],
    [("d", tarfile.DIRTYPE, ""), ("l", tarfile.SYMTYPE, "d"), ("l/f", tarfile.REGTYPE, b"x")],
    [("d/up", tarfile.SYMTYPE, "../.."), ("d/up/canary", tarfile.REGTYPE, b"x")],
    [("h", tarfile.LNKTYPE, "../canary")],
    [("h", tarfile.LNKTYPE, "absent")],
    [("dev", tarfile.CHRTYPE, "")],
    [("pipe", tarfile.FIFOTYPE, "")],
])
def test_what_leads_out_of_the_tree_is_rejected(tmp_path, into, members):
    with pytest.raises(Rejected):
        archive.unpack(packed(tmp_path, *members), into, GIB)
    assert (tmp_path / "canary").read_text() == "untouched"


def test_content_larger_than_the_volume_is_rejected(tmp_path, into):
    with pytest.raises(Rejected, match="larger than the volume"):
        archive.unpack(packed(tmp_path, ("f", tarfile.REGTYPE, b"x" * 5000)), into, 4999)


def test_a_bomb_is_rejected_before_it_is_written(tmp_path, into):
    path = tmp_path / "bomb.tar.gz"
    info = tarfile.TarInfo("zeros")
    info.size = 8 * GIB
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf())
        file.write(bytes(1 << 20))
    with pytest.raises(Rejected, match="out of proportion"):
        archive.unpack(path, into, 100 * GIB)
    assert not list(into.iterdir())


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"nor this", mtime=0),
                                  gzip.compress(b"x" * 5000, mtime=0)[:40]])
def test_damaged_archives_are_rejected(tmp_path, into, data):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(data)
    with pytest.raises(Rejected):
        archive.unpack(path, into, GIB)


def test_the_same_files_pack_to_the_same_bytes(tmp_path):
    made = []
    for name in ("one", "two"):
        top = tmp_path / name
        (top / "d").mkdir(parents=True)
        for file in ("b", "a", "d/c"):
            (top / file).write_text(file)
            os.utime(top / file, (1_700_000_000, 1_700_000_000.4))
        os.utime(top / "d", (1_700_000_000, 1_700_000_000))
        out = io.BytesIO()
        assert archive.pack(top, out) == []
        made.append(out.getvalue())
    assert made[0] == made[1]


def test_what_was_packed_unpacks(tmp_path, into):
    top = tmp_path / "top"
    (top / "d").mkdir(parents=True)
    (top / "d" / "run").write_text("#!/bin/sh\n")
    (top / "d" / "run").chmod(0o755)
    (top / ("n" * 200)).write_text("long name")
    path = tmp_path / "p.tar.gz"
    with path.open("wb") as file:
        archive.pack(top, file)
    archive.unpack(path, into, GIB)
    assert os.access(into / "d" / "run", os.X_OK) and (into / ("n" * 200)).read_text() == "long name"
