"""The S3 room's table for the composition root."""

from __future__ import annotations

import functools
import threading
from typing import Any

import sqlalchemy as sa

from sagewright.aws.s3 import (
    buckets,
    content,
    edge,
    external,
    operations_buckets,
    operations_copy,
    operations_deletes,
    operations_listing,
    operations_multipart,
    operations_objects,
    operations_settings,
    operations_uploads,
    settings,
    versions,
)
from sagewright.aws.s3.tables import BUCKETS, OBJECTS, PARTS, UPLOADS
from sagewright.core.call import Call
from sagewright.core.service import Handler, Service
from sagewright.core.world import World

_NAMES = (
    (operations_buckets, ("create_bucket", "head_bucket", "get_bucket_location", "list_buckets", "delete_bucket",
                          "get_bucket_versioning", "put_bucket_versioning")),
    (operations_objects, ("put_object", "get_object", "head_object", "get_object_attributes")),
    (operations_copy, ("copy_object", "upload_part_copy")),
    (operations_deletes, ("delete_object", "delete_objects")),
    (operations_listing, ("list_objects", "list_objects_v2", "list_object_versions")),
    (operations_multipart, ("create_multipart_upload", "upload_part", "complete_multipart_upload",
                            "abort_multipart_upload", "list_parts")),
    (operations_uploads, ("list_multipart_uploads",)),
    (operations_settings, (
        "put_bucket_policy", "get_bucket_policy", "delete_bucket_policy", "get_bucket_policy_status",
        "put_bucket_tagging", "get_bucket_tagging", "delete_bucket_tagging", "get_bucket_acl", "put_bucket_acl",
        "get_object_tagging", "put_object_tagging", "delete_object_tagging", "get_object_acl", "put_object_acl",
        "get_object_retention", "put_object_retention", "get_object_legal_hold", "put_object_legal_hold")),
)


def operations() -> dict[str, Handler]:
    """Every S3 operation that this room answers, by boto3 method name."""
    table = settings.operations()
    for module, names in _NAMES:
        table |= {name: getattr(module, name) for name in names}
    return {name: _local_or_external(handler) for name, handler in table.items()}


def _local_or_external(handler: Handler) -> Handler:
    """The handler, unless the server was told to use another S3."""

    @functools.wraps(handler)
    def answer(call: Call) -> dict[str, Any] | None:
        return external.forward(call) if call.world.config.s3_url else handler(call)

    return answer


def boot(world: World) -> None:
    """Open the blob directory and, in the background, remove blobs that a crash left without a row."""
    world.parts["s3_edge"] = edge.Edge(world)
    if world.config.s3_url:
        return
    store = content.files(world)

    def unknown(names: list[str]) -> set[str]:
        return world.store.read(lambda tx: versions.unknown_blobs(tx, names))

    threading.Thread(target=store.sweep, args=(unknown,), name="s3-sweep", daemon=True).start()


def reset(world: World) -> None:
    """Remove every bucket and object (test hook); another S3 is left alone."""
    if world.config.s3_url:
        return

    def change(tx: sa.Connection) -> list[str]:
        names = [name for table in (OBJECTS, PARTS)
                 for (name,) in tx.execute(sa.select(table.c.blob).where(table.c.blob != ""))]
        for table in (PARTS, UPLOADS, OBJECTS, BUCKETS):
            tx.execute(table.delete())
        return names

    names = world.store.write(change, durable=False)
    buckets.known(world).forget()
    content.files(world).retire(names)


SERVICE = Service(aws="s3", operations=operations(), boot=boot, reset=reset)
