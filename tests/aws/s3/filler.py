"""A process whose files may not grow beyond 1 MiB (the nearest thing to a full disk that needs no privileges).

Stores an object, fails to overwrite it with a larger one, and prints what became of both as JSON.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path

from sagewright.core.errors import AwsError
from tests.aws.s3.room import Room, open_world


def main(folder: Path) -> None:
    """Fill the disk and tell what happened."""
    room = Room(open_world(folder))
    room.create_bucket(Bucket="full")
    room.put_object(Bucket="full", Key="key", Body=b"old" * 100_000)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, resource.RLIM_INFINITY))
    try:
        room.put_object(Bucket="full", Key="key", Body=b"new" * 1_000_000)
        refused = None
    except AwsError as error:
        refused = {"code": error.code, "message": error.message, "status": error.status}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kept = room.body(Bucket="full", Key="key") == b"old" * 100_000
    room.put_object(Bucket="full", Key="key", Body=b"new" * 1_000_000)
    print(json.dumps({"refused": refused, "kept": kept, "files": len(list((folder / "s3").glob("*/*")))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
