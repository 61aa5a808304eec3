"""Brings the user's code to a directory: from S3, from a tarball, or from a local directory.

Called by `train` (code directory) and by the model servers (SAGEMAKER_SUBMIT_DIRECTORY). An archive cannot write
outside its directory, whatever names and links it holds, nor fill the disk.
"""

from __future__ import annotations

import os
from typing import Any

from sagewright_kit.contract.errors import ClientError

MAX_BYTES = 20 << 30
MAX_MEMBERS = 200000


def fetch(uri: str, directory: str) -> None:
    """Have the code at `uri` in `directory`. A directory that holds something already is left as it is."""
    os.makedirs(directory, exist_ok=True)
    if os.listdir(directory):
        return
    if uri.startswith("s3://"):
        # Imported here: what a script from disk does not need is not paid for before it starts.
        import tempfile

        from sagewright_kit.contract import s3

        with tempfile.TemporaryDirectory() as scratch:
            bundle = os.path.join(scratch, "source")
            s3.download(uri, bundle)
            extract(bundle, directory, uri)
    elif os.path.isdir(uri):
        if os.path.realpath(uri) != os.path.realpath(directory):
            _copy(uri, directory)
    elif os.path.isfile(uri):
        extract(uri, directory, uri)
    else:
        raise ClientError("The code location %s does not exist" % uri)


def _copy(source: str, directory: str) -> None:
    import shutil

    for name in os.listdir(source):
        origin, target = os.path.join(source, name), os.path.join(directory, name)
        if os.path.isdir(origin):
            shutil.copytree(origin, target, symlinks=True)
        else:
            shutil.copy2(origin, target)


def extract(archive: str, directory: str, name: str) -> None:
    """Unpack a tar archive (compressed or not) safely below `directory`."""
    import tarfile

    try:
        with tarfile.open(archive, "r:*") as tar:
            _extract_members(tar, os.path.realpath(directory), name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ClientError("Could not unpack %s: %s" % (name, error)) from error


def _extract_members(tar: Any, root: str, name: str) -> None:
    total = 0
    for count, member in enumerate(tar, 1):
        total += max(member.size, 0)
        if total > MAX_BYTES or count > MAX_MEMBERS:
            raise ClientError("The archive %s is too large to unpack" % name)
        member.name = relative(member.name)
        if not member.name or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            continue
        target = os.path.join(root, member.name)
        if not _inside(root, os.path.dirname(target)):
            continue
        if member.issym() or member.islnk():
            _link(tar, member, root, target)
            continue
        member.mode = (member.mode & 0o755) | (0o700 if member.isdir() else 0o600)
        member.uid = member.gid = os.getuid()
        member.uname = member.gname = ""
        if os.path.islink(target):
            os.unlink(target)
        tar.extract(member, root, set_attrs=True)


def relative(name: str) -> str:
    """A member's name made relative: no drive, no leading slash, no `.` or `..` segments."""
    parts = os.path.splitdrive(name.replace("\\", "/"))[1].split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def _link(tar: Any, member: Any, root: str, target: str) -> None:
    """Links are kept only while they stay inside the archive's own directory."""
    if member.issym():
        inside = not os.path.isabs(member.linkname) and _inside(
            root, os.path.join(os.path.dirname(target), member.linkname)
        )
    else:
        member.linkname = relative(member.linkname)
        inside = bool(member.linkname) and _inside(root, os.path.join(root, member.linkname))
    if inside:
        tar.extract(member, root, set_attrs=False)


def _inside(root: str, path: str) -> bool:
    real = os.path.realpath(path)
    return real == root or real.startswith(root + os.sep)
