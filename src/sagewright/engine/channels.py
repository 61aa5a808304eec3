"""Which S3 objects go where, for one channel on one host. Pure: given what exists, it says what to fetch.

Called by `transfer.py`. Covered: S3Prefix, S3Object, ManifestFile, AugmentedManifestFile; FullyReplicated and
ShardedByS3Key. The layout of an augmented manifest in File mode is our reading: the manifest itself, and every object
that an attribute ending in `-ref` names, at its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Fetch(NamedTuple):
    """One object and its path relative to the channel's directory; size -1 where unknown."""

    bucket: str
    key: str
    path: str
    size: int = -1


class Unsafe(Exception):
    """The input cannot be laid out as asked; the text says why, for FailureReason."""


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URI."""
    if not uri.startswith("s3://"):
        raise Unsafe(f'"{uri}" is not an S3 URI.')
    bucket, _, key = uri[5:].partition("/")
    return bucket, key


def under_prefix(uri: str, found: Iterable[tuple[str, int]]) -> list[Fetch]:
    """The objects (key, size) of a prefix, at their path below it; folder markers are left out.

    A prefix that is itself a key gives that object's name. One that ends within a name keeps the name's directory.
    """
    bucket, prefix = split(uri)
    base = prefix if prefix.endswith("/") or not prefix else prefix + "/"
    cut = prefix.rpartition("/")[0] + "/" if "/" in prefix else ""
    fetches = []
    for key, size in found:
        if key.endswith("/"):
            continue
        if key == prefix:
            path = key.rpartition("/")[2]
        elif key.startswith(base):
            path = key[len(base):]
        else:
            path = key[len(cut):]
        fetches.append(Fetch(bucket, key, safe(path), size))
    return fetches


def in_manifest(text: str) -> list[Fetch]:
    """The objects that a manifest lists: a JSON array of one {"prefix": uri} and then keys relative to it."""
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise Unsafe(f"The manifest is not valid JSON: {error}") from None
    if not isinstance(entries, list) or not entries:
        raise Unsafe("The manifest must be a JSON array that begins with a prefix.")
    prefix, fetches = "", []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("prefix"), str):
            prefix = entry["prefix"]
        elif isinstance(entry, str):
            bucket, key = split(prefix + entry)
            fetches.append(Fetch(bucket, key, safe(entry)))
        else:
            raise Unsafe(f"The manifest holds an entry that is neither a prefix nor a key: {entry!r}")
    return fetches


def in_augmented_manifest(text: str, attributes: Sequence[str]) -> list[Fetch]:
    """The objects that the wanted `-ref` attributes of a JSON Lines manifest name, each once."""
    fetches: dict[tuple[str, str], Fetch] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            raise Unsafe(f"Line {number} of the augmented manifest is not valid JSON.") from None
        for name in attributes:
            if name not in record:
                raise Unsafe(f"Line {number} of the augmented manifest lacks the attribute {name}.")
            if name.endswith("-ref"):
                bucket, key = split(str(record[name]))
                fetches[bucket, key] = Fetch(bucket, key, safe(key))
    return list(fetches.values())


def share(fetches: list[Fetch], source: dict[str, Any], host: int, hosts: int) -> list[Fetch]:
    """The part of the objects that host number `host` gets."""
    if source.get("S3DataDistributionType") == "ShardedByS3Key":
        fetches = sorted(fetches, key=lambda fetch: fetch.key)[host::hosts]
    taken: set[str] = set()
    for fetch in fetches:
        taken.add(fetch.path)
    for fetch in fetches:
        parts = fetch.path.split("/")
        if any("/".join(parts[:end]) in taken for end in range(1, len(parts))):
            raise Unsafe(f'The key "{fetch.key}" needs a directory where another object is a file.')
    return fetches


def safe(path: str) -> str:
    """The path, or Unsafe if it could lead out of the directory it is meant for."""
    parts = path.lstrip("/").split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts) or any(len(p.encode()) > 255 for p in parts):
        raise Unsafe(f'The object name "{path}" cannot be a file name.')
    return "/".join(parts)
