"""Blob files: where object bytes above the inline limit live on disk.

A blob is one file under a random name, written once and never changed. `Draft` writes it; only a committed row makes
it part of an object, so a crash before the commit leaves garbage and nothing else. No rename is needed for that: the
name is random and nobody knows it before the row says so. What no row names is removed by `sweep` after a start.

Readers never see a blob vanish: a reader takes a lease before it reads the row, and a retired blob is unlinked only
when every lease that is older than its retirement has ended. That also holds for objects of ten thousand parts,
where keeping one open file per part would run out of descriptors.

Called by intake, content and the write operations; calls the operating system only.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sagewright.core.errors import AwsError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def storage_error(broken: OSError) -> AwsError:
    """The answer to a write that the disk refused; the object that was there before is untouched."""
    if broken.errno in _FULL:
        return AwsError("ServiceUnavailable", "The disk that holds the objects is full; the object was not stored. "
                        "Free some space and try again.", 503)
    return AwsError("InternalError", f"The object could not be stored: {os.strerror(broken.errno or errno.EIO)}", 500)


class Draft:
    """A blob that is being written: `write` blocks and `anchor` the name, then `finish` (durable from then on).

    `discard` removes it at any time.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, block: bytes) -> None:
        """Append the block."""
        view = memoryview(block)
        while view:
            view = view[os.write(self._fd, view):]

    def settle(self) -> None:
        """Put what was written so far on disk; called from a second thread so that `finish` has little left."""
        os.fdatasync(self._fd)

    def anchor(self) -> None:
        """Put the file's name on disk; a second thread does so while the bytes are still being written."""
        _sync_directory(self._path.parent)

    def finish(self) -> str:
        """Make the bytes durable and return the blob's name."""
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        return self.name

    def discard(self) -> None:
        """Remove what was written."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._path.unlink(missing_ok=True)


class Lease:
    """Keeps every blob alive that was alive when it was taken; ends with `end` or when it is collected."""

    def __init__(self, files: Files, number: int) -> None:
        self._files, self._number = files, number

    def end(self) -> None:
        """Let go; doing it twice does it once."""
        if self._number >= 0:
            number, self._number = self._number, -1
            self._files.release(number)

    def __del__(self) -> None:
        # The collector may run while this thread holds the lock, so the lease is only noted here.
        if self._number >= 0:
            self._files.dropped.append(self._number)


class Files:
    """The blob files under one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started = time.time()
        self._lock = threading.Lock()
        self._number = 0
        self._leases: dict[int, None] = {}
        self._retired: deque[tuple[int, str]] = deque()
        self.dropped: deque[int] = deque()
        for byte in range(256):
            (root / f"{byte:02x}").mkdir(parents=True, exist_ok=True)
        _sync_directory(root)

    def path(self, name: str) -> Path:
        """Where that blob lies."""
        return self.root / name[:2] / name

    def draft(self) -> Draft:
        """Begin a new blob."""
        name = secrets.token_hex(16)
        try:
            return Draft(self.path(name), name)
        except OSError as broken:
            raise storage_error(broken) from broken

    def duplicate(self, name: str) -> str:
        """A second blob with the same content: a hard link where the file system has them, else a copy."""
        twin = secrets.token_hex(16)
        source, target = self.path(name), self.path(twin)
        try:
            os.link(source, target)
        except OSError:
            self._copy(source, target)
        _sync_directory(target.parent)
        return twin

    def _copy(self, source: Path, target: Path) -> None:
        try:
            shutil.copyfile(source, target)
            with target.open("rb+") as copy:
                os.fsync(copy.fileno())
        except OSError as broken:
            target.unlink(missing_ok=True)
            raise storage_error(broken) from broken

    def lease(self) -> Lease:
        """Take a lease; do so before reading the row whose blobs will be read."""
        with self._lock:
            self._number += 1
            self._leases[self._number] = None
            return Lease(self, self._number)

    def release(self, number: int) -> None:
        """End that lease (`Lease.end` calls this)."""
        with self._lock:
            self._leases.pop(number, None)
            gone = self._reap()
        self._unlink(gone)

    def retire(self, names: Iterable[str]) -> None:
        """Remove blobs that no row names any more, once nobody reads them. Call after the commit."""
        with self._lock:
            self._retired.extend((self._number, name) for name in names if name)
            gone = self._reap()
        self._unlink(gone)

    def _reap(self) -> list[str]:
        while self.dropped:
            self._leases.pop(self.dropped.popleft(), None)
        oldest = next(iter(self._leases), self._number + 1)
        gone = []
        while self._retired and self._retired[0][0] < oldest:
            gone.append(self._retired.popleft()[1])
        return gone

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def read(self, name: str, offset: int, length: int, block: int) -> Iterator[bytes]:
        """That stretch of a blob in blocks."""
        with self.path(name).open("rb", buffering=0) as file:
            file.seek(offset)
            while length > 0:
                piece = file.read(min(block, length))
                if not piece:
                    raise OSError(errno.EIO, f"blob {name} is shorter than its row says")
                length -= len(piece)
                yield piece

    def sweep(self, unknown: Callable[[list[str]], set[str]]) -> int:
        """Remove files from before this start that no row names; `unknown(names)` says which those are."""
        removed = 0
        for folder in self.root.iterdir():
            names = [entry.name for entry in os.scandir(folder) if entry.stat().st_mtime < self.started - 1]
            for start in range(0, len(names), 200):
                stale = unknown(names[start:start + 200])
                self._unlink(stale)
                removed += len(stale)
        return removed


def _sync_directory(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
