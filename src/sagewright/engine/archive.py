"""model.tar.gz and friends: unpacking what strangers packed, and packing what a job left, the same bytes every time.

Called by the agent. Unpacking refuses what could leave the tree or fill the disk; packing never follows a link out of
the directory it packs. Both read and write as streams.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MAX_MEMBERS = 1_000_000
MAX_RATIO = 1100  # deflate cannot do better than 1032:1; small archives are let be
FREE_OF_RATIO = 64 << 20


class Rejected(Exception):
    """The archive will not be unpacked; the text says why, for FailureReason."""


def unpack(archive: Path, into: Path, limit: int, check: Callable[[], None] = lambda: None) -> None:
    """Unpack a tar (gzip, bzip2, xz or plain) of at most `limit` bytes of content below an existing directory."""
    packed, unpacked = archive.stat().st_size, 0
    try:
        with tarfile.open(archive, "r|*") as tar:
            for number, member in enumerate(tar):
                check()
                unpacked += max(member.size, 0)
                if number > MAX_MEMBERS:
                    raise Rejected(f"the archive has more than {MAX_MEMBERS} members")
                if unpacked > limit:
                    raise Rejected(f"the archive's content is larger than the volume ({limit >> 30} GiB)")
                if unpacked > FREE_OF_RATIO and unpacked > packed * MAX_RATIO:
                    raise Rejected("the archive's content is out of proportion to its size")
                _place(tar, member, into)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Rejected(f"the archive is damaged or no tar archive ({error})") from error


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    name = member.name
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise Rejected(f'the member "{name}" would land outside of the directory')
    if not path.parts:
        return
    place = into / path
    _no_link_above(into, place, name)
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink() or place.is_file():
        place.unlink()
    if member.issym():
        _inside(into, place.parent / member.linkname, name)
        place.symlink_to(member.linkname)
    elif member.islnk():
        target = into / PurePosixPath(member.linkname)
        _inside(into, target, name)
        _no_link_above(into, target, name)
        if target.is_symlink() or not target.is_file():
            raise Rejected(f'the member "{name}" links to something that is no file of the archive')
        os.link(target, place)
    elif member.isreg():
        _write(tar, member, place)
    else:
        raise Rejected(f'the member "{name}" is a device or a pipe')


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(fd, "wb") as target:
        while piece := source.read(1 << 20):
            target.write(piece)
        os.fchmod(target.fileno(), 0o755 if member.mode & 0o111 else 0o644)
        os.utime(target.fileno(), (member.mtime, member.mtime))


def _inside(into: Path, target: Path, name: str) -> None:
    if not os.path.normpath(target).startswith(os.path.normpath(into) + "/"):
        raise Rejected(f'the member "{name}" links out of the directory')
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(into)):
        raise Rejected(f'the member "{name}" links out of the directory')


def _no_link_above(into: Path, place: Path, name: str) -> None:
    """No directory between `into` and the place may be a link: it could have been made by an earlier member."""
    for parent in place.parents:
        if parent == into:
            return
        if parent.is_symlink():
            raise Rejected(f'the member "{name}" would be written through a link')


def pack(directory: Path, into: BinaryIO, check: Callable[[], None] = lambda: None) -> list[str]:
    """Write the directory's content as tar.gz; gives the names that were left out (links out of it, devices)."""
    skipped: list[str] = []
    with gzip.GzipFile(fileobj=into, mode="wb", compresslevel=6, mtime=0, filename="") as packed, \
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in walk(directory):
            check()
            name = str(path.relative_to(directory))
            if not _packable(path, directory):
                skipped.append(name)
                continue
            member = tar.gettarinfo(path, name)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = int(member.mtime)
            if member.isreg():
                with path.open("rb") as file:
                    tar.addfile(member, file)
            else:
                tar.addfile(member)
    return skipped


def _packable(path: Path, directory: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target = path.readlink()
        return not target.is_absolute() and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def walk(directory: Path) -> Iterator[Path]:
    """Everything below a directory, sorted, links not followed."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        path = Path(entry.path)
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from walk(path)
