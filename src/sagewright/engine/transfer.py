"""S3 for the agent: channels down, artifacts up, with the job role's credentials, as streams.

Called by `batch.py` and `server.py`. Downloads go several at a time and are renamed into place when whole; large
uploads go in parts. A gateway that is away is waited for (see `caller.py`).
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote_plus

from sagewright.engine import archive, channels
from sagewright.engine.caller import Caller, CallError, between

WORKERS = 4
PART = 64 << 20


class Lost(Exception):
    """Data could not be brought in or out; the text is what FailureReason says after its prefix."""


class Transfers:
    """S3 through callers made by `connect()`, one per thread."""

    def __init__(self, connect: Callable[[], Caller], region: str, role_arn: str) -> None:
        self.connect, self.region, self.role_arn = connect, region, role_arn
        self.caller = connect()

    def listing(self, bucket: str, prefix: str) -> Iterable[tuple[str, int]]:
        """(key, size) of every object with the prefix, in key order."""
        token = ""
        while True:
            query = f"list-type=2&prefix={quote(prefix, safe='')}&encoding-type=url"
            if token:
                query = f"continuation-token={quote(token, safe='')}&{query}"
            _, body = self.caller.patiently("GET", f"/{bucket}", query=query)
            text = body.decode()
            for part in text.split("<Contents>")[1:]:
                yield unquote_plus(between(part, "Key")), int(between(part, "Size") or 0)
            token = between(text, "NextContinuationToken")
            if not token:
                return

    def plan(self, channel: Mapping[str, Any], host: int, hosts: int) -> list[channels.Fetch]:
        """What this host has to fetch for the channel; Lost if that is nothing at all."""
        source = dict(channel["source"].get("S3DataSource", channel["source"]))
        uri, kind = source["S3Uri"], source.get("S3DataType", "S3Prefix")
        bucket, key = channels.split(uri)
        try:
            if kind == "ManifestFile":
                fetches = channels.in_manifest(self.text(bucket, key))
            elif kind == "AugmentedManifestFile":
                fetches = channels.in_augmented_manifest(self.text(bucket, key), source.get("AttributeNames", ()))
                fetches.insert(0, channels.Fetch(bucket, key, key.rpartition("/")[2]))
            else:
                fetches = channels.under_prefix(uri, self.listing(bucket, key))
        except CallError as error:
            if error.status in (403, 404):
                raise Lost(self._nothing(uri, bucket)) from error
            raise
        if not fetches:
            raise Lost(self._nothing(uri, bucket))
        return channels.share(fetches, source, host, hosts)

    def _nothing(self, uri: str, bucket: str) -> str:
        return (f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
                f"exists in the selected region ({self.region}), that objects exist under that S3 prefix, and that the "
                f'role "{self.role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".')

    def text(self, bucket: str, key: str) -> str:
        """A small object as text."""
        return self.caller.patiently("GET", f"/{bucket}/{key}")[1].decode(errors="replace")

    def fetch(self, fetches: Sequence[channels.Fetch], into: Path, owner: int | None) -> None:
        """Bring all of them below the directory, owned by the job."""
        todo = list(reversed(fetches))
        troubles: list[BaseException] = []
        lock = threading.Lock()

        def work(caller: Caller) -> None:
            while not troubles:
                with lock:
                    if not todo:
                        return
                    fetch = todo.pop()
                try:
                    _download(caller, fetch, into, owner)
                except BaseException as trouble:  # noqa: BLE001 - raised again in the caller's thread
                    troubles.append(trouble)
                    return

        threads = [threading.Thread(target=work, args=(self.connect(),), daemon=True)
                   for _ in range(min(WORKERS, len(fetches) // 4))]
        for thread in threads:
            thread.start()
        work(self.caller)
        for thread in threads:
            thread.join()
        if troubles:
            raise troubles[0]

    def upload(self, path: Path, uri: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        """One file to one key; the headers say how it is to be encrypted."""
        bucket, key = channels.split(uri)
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= 2 * PART:
                self.caller.patiently("PUT", f"/{bucket}/{key}", file=(file, 0, size), headers=headers)
                return
            _, body = self.caller.patiently("POST", f"/{bucket}/{key}", query="uploads=", headers=headers)
            upload = quote(between(body.decode(), "UploadId"), safe="")
            tags = []
            for number, offset in enumerate(range(0, size, PART), 1):
                sent, _ = self.caller.patiently(
                    "PUT", f"/{bucket}/{key}", query=f"partNumber={number}&uploadId={upload}",
                    file=(file, offset, min(PART, size - offset)))
                tags.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{sent['etag']}</ETag></Part>")
            document = f"<CompleteMultipartUpload>{''.join(tags)}</CompleteMultipartUpload>".encode()
            self.caller.patiently("POST", f"/{bucket}/{key}", query=f"uploadId={upload}", body=document)

    def upload_packed(self, directory: Path, uri: str, scratch: Path, headers: Mapping[str, str]) -> list[str]:
        """The directory as one tar.gz; gives what was left out of it."""
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=".tar.gz") as file:
            skipped = archive.pack(directory, file, self.caller.check)  # type: ignore[arg-type]
            file.flush()
            self.upload(Path(file.name), uri, headers)
        return skipped

    def upload_tree(self, directory: Path, uri: str, headers: Mapping[str, str]) -> None:
        """Every regular file below the directory to its own key; links are not followed."""
        for path in archive.walk(directory):
            if path.is_file() and not path.is_symlink():
                self.upload(path, f"{uri.rstrip('/')}/{path.relative_to(directory)}", headers)


def _download(caller: Caller, fetch: channels.Fetch, into: Path, owner: int | None) -> None:
    place = into / fetch.path
    make_directories(place.parent, into, owner)
    part = place.with_name(f".{place.name[:200]}.part")

    def receive(response: Any) -> None:
        with part.open("wb") as file:
            while piece := response.read(1 << 20):
                caller.check()
                file.write(piece)
            expected = response.headers.get("Content-Length")
            if expected is not None and file.tell() != int(expected):
                raise OSError("the object ended early")

    try:
        caller.patiently("GET", f"/{fetch.bucket}/{fetch.key}", into=receive)
    except CallError as error:
        raise Lost(f"Data download failed: s3://{fetch.bucket}/{fetch.key}: {error}") from error
    if owner is not None:
        os.chown(part, owner, owner)
    part.rename(place)


def make_directories(path: Path, below: Path, owner: int | None) -> None:
    """Directories down to `path`, each new one owned by the job."""
    missing = []
    while path != below and not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        if owner is not None:
            os.chown(directory, owner, owner)
