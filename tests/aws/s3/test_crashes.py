"""kill -9 at any moment, a full disk, and readers of an object that is being replaced."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sagewright.aws.s3 import content, versions

from . import writer
from .room import Room, open_world

ROOT = Path(__file__).parents[3]


def _killed_writer(folder: Path, first: int, acknowledged: int) -> int:
    """Run the writer, kill it after that many acknowledgements and a moment more; the last number it acknowledged."""
    process = subprocess.Popen([sys.executable, "-m", "tests.aws.s3.writer", str(folder), str(first)], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    for _ in range(acknowledged):
        process.stdout.readline()
    killer = threading.Timer(random.random() * 0.05, process.kill)
    killer.start()
    lines = process.stdout.read().split()
    process.wait(10)
    killer.join()
    return int(lines[-1]) if lines else first + acknowledged - 1


def _number(found: bytes) -> int:
    number = int(found[:8])
    assert found == writer.body(number), "a torn object"
    return number


def test_killing_the_writer_leaves_the_old_or_the_new_object_and_no_garbage(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    Room(world).create_bucket(Bucket="crash")
    Room(world).put_object(Bucket="crash", Key="key", Body=writer.body(0))
    world.store.close()
    first = 1
    for turn in range(6):
        last = _killed_writer(tmp_path, first, 1 + turn)
        world = open_world(tmp_path)
        found = _number(Room(world).body(Bucket="crash", Key="key"))
        assert last <= found <= last + 1, "an acknowledged write was lost"
        first = found + 1
        world.store.close()
    _no_garbage(tmp_path)


def _no_garbage(folder: Path) -> None:
    """After a sweep every blob on disk belongs to a row (parts of uploads that were cut off are rows too)."""
    world = open_world(folder)
    store = content.files(world)
    store.started = float("inf")
    store.sweep(lambda names: world.store.read(lambda tx: versions.unknown_blobs(tx, names)))
    names = [path.name for path in store.root.glob("*/*")]
    assert world.store.read(lambda tx: versions.unknown_blobs(tx, names)) == set()
    _number(Room(world).body(Bucket="crash", Key="key"))
    world.store.close()


def test_a_full_disk_is_a_clear_error_and_the_old_object_stays(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.aws.s3.filler", str(tmp_path)], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    assert told["refused"]["status"] == 503 and "full" in told["refused"]["message"]
    assert told["kept"]
    assert told["files"] == 1, "only the object that was stored last may be on disk"


@pytest.mark.parametrize("size", [300_000, 6 * 1024 * 1024])
def test_a_reader_gets_all_of_the_version_that_it_opened(room: Room, blobs, size: int) -> None:
    room.create_bucket(Bucket="busy")
    old = (b"%08d" % 1) * (size // 8)
    if size > 1024 * 1024:
        writer_room = Room(room.world)
        upload = writer_room.create_multipart_upload(Bucket="busy", Key="key")["UploadId"]
        cut = 5 * 1024 * 1024
        parts = [{"PartNumber": n, "ETag": writer_room.upload_part(
            Bucket="busy", Key="key", UploadId=upload, PartNumber=n, Body=piece)["ETag"]}
            for n, piece in ((1, old[:cut]), (2, old[cut:]))]
        writer_room.complete_multipart_upload(Bucket="busy", Key="key", UploadId=upload,
                                              MultipartUpload={"Parts": parts})
    else:
        room.put_object(Bucket="busy", Key="key", Body=old)
    opened = room.get_object(Bucket="busy", Key="key")["Body"]
    room.put_object(Bucket="busy", Key="key", Body=b"small")
    assert len(blobs()) >= 1, "the old bytes stay while they are read"
    assert b"".join(opened) == old
    assert blobs() == set(), "and go afterwards"
    assert room.body(Bucket="busy", Key="key") == b"small"


def test_a_reader_that_goes_away_lets_the_bytes_go(room: Room, blobs) -> None:
    room.create_bucket(Bucket="busy")
    room.put_object(Bucket="busy", Key="key", Body=b"x" * 2_000_000)
    opened = room.get_object(Bucket="busy", Key="key")["Body"]
    assert next(iter(opened))
    room.delete_object(Bucket="busy", Key="key")
    del opened
    room.put_object(Bucket="busy", Key="other", Body=b"x" * 100_000)
    room.delete_object(Bucket="busy", Key="other")
    assert blobs() == set()


def test_concurrent_writers_of_one_key_never_mix(room: Room, blobs) -> None:
    room.create_bucket(Bucket="busy")

    def work(number: int) -> None:
        for _ in range(10):
            room_of_thread = Room(room.world)
            room_of_thread.put_object(Bucket="busy", Key="key", Body=(b"%08d" % number) * 12_500)
            found = room_of_thread.body(Bucket="busy", Key="key")
            assert found == found[:8] * 12_500

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(blobs()) == 1
