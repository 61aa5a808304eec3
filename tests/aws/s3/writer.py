"""A process that overwrites one key for ever, to be killed: prints each number once that write is acknowledged.

The body of write N is the number N over and over; its size cycles through inline, one blob, and two parts.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from tests.aws.s3.room import Room, open_world

SIZES = (1000, 300_000, 6 * 1024 * 1024)


def body(number: int) -> bytes:
    """The bytes of write N."""
    return (b"%08d" % number) * (SIZES[number % 3] // 8)


def write(room: Room, number: int) -> None:
    """One write; the largest goes in two parts."""
    content, where = body(number), {"Bucket": "crash", "Key": "key"}
    if len(content) < 1024 * 1024:
        room.put_object(**where, Body=content)
        return
    upload = room.create_multipart_upload(**where)["UploadId"]
    cut = 5 * 1024 * 1024
    parts = [{"PartNumber": n, "ETag": room.upload_part(**where, UploadId=upload, PartNumber=n, Body=piece)["ETag"]}
             for n, piece in ((1, content[:cut]), (2, content[cut:]))]
    room.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


def main(folder: Path, first: int) -> None:
    """Write until killed."""
    room = Room(open_world(folder))
    print("ready", flush=True)
    for number in itertools.count(first):
        write(room, number)
        print(number, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
