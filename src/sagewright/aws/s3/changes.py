"""Committing changes to objects, and telling others about them.

Called by the put, copy, multipart and delete operations. `World.parts["s3_events"]`, where a later service put it, is
called as `hook(call, bucket_name, event_name, version)` after each commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import sqlalchemy as sa

from sagewright.aws.s3 import content, versions
from sagewright.aws.s3.buckets import Bucket
from sagewright.aws.s3.versions import Check, Version
from sagewright.core.call import Call
from sagewright.core.errors import AwsError

T = TypeVar("T")
_DISK_FULL = ("disk is full", "No space left", "disk full")


def commit(call: Call, change: Callable[[sa.Connection], tuple[T, list[str]]], drafts: Iterable[str] = ()) -> T:
    """Run a change of the index; blobs that it left unused go, and `drafts` go if it failed."""
    store = content.files(call.world)
    try:
        result, unused = call.store.write(change)
    except BaseException as broken:
        store.retire(drafts)
        if isinstance(broken, sa.exc.DBAPIError) and any(words in str(broken) for words in _DISK_FULL):
            raise AwsError("ServiceUnavailable", "The disk that holds the object index is full; nothing was changed. "
                           "Free some space and try again.", 503) from broken
        raise
    store.retire(unused)
    return result


def put(call: Call, bucket: Bucket, new: Version, event: str, check: Check | None = None) -> Version:
    """Make `new` the current version of its key and tell about it."""
    stored = commit(call, lambda tx: versions.put(tx, bucket, new, check), [new.blob] if new.blob else [])
    notify(call, bucket, event, stored)
    return stored


def notify(call: Call, bucket: Bucket, event: str, version: Version) -> None:
    """Tell the event hook, if there is one."""
    hook = call.world.parts.get("s3_events")
    if hook is not None:
        hook(call, bucket.name, event, version)
