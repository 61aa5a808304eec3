"""The S3 tables: buckets, objects (every version of every key), uploads and parts.

Keys are stored as UTF-8 bytes, because S3 orders keys by bytes and both databases compare binary columns that way
whatever their locale. `rank` falls as versions get newer, so that one ascending index gives keys in order with the
newest version first. `current` is 1 for the row that an unversioned GET answers with (the newest, unless that is a
delete marker); listing walks `s3_objects_current` and so never steps over old versions or markers.
"""

from __future__ import annotations

import sqlalchemy as sa

from sagewright.core.tables import BIGINT, METADATA

BUCKETS = sa.Table(
    "s3_buckets",
    METADATA,
    sa.Column("id", BIGINT, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("versioning", sa.Text, nullable=False, default=""),
    sa.Column("settings", sa.Text, nullable=False, default="{}"),
    sa.Index("s3_buckets_account", "account", "name"),
    sqlite_autoincrement=True,
)

OBJECTS = sa.Table(
    "s3_objects",
    METADATA,
    sa.Column("id", BIGINT, primary_key=True, autoincrement=True),
    sa.Column("bucket", BIGINT, sa.ForeignKey("s3_buckets.id"), nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("current", sa.Integer, nullable=False),
    sa.Column("marker", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("modified", sa.Float, nullable=False),
    sa.Column("meta", sa.Text, nullable=False),
    sa.Column("upload", sa.Text, nullable=False, default=""),
    sa.Column("blob", sa.Text, nullable=False, default=""),
    sa.Column("data", sa.LargeBinary, nullable=True),
    sa.Index("s3_objects_versions", "bucket", "key", "rank", unique=True),
    sa.Index("s3_objects_current", "bucket", "current", "key"),
    sa.Index("s3_objects_blob", "blob", sqlite_where=sa.text("blob <> ''"), postgresql_where=sa.text("blob <> ''")),
)

UPLOADS = sa.Table(
    "s3_uploads",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("bucket", BIGINT, sa.ForeignKey("s3_buckets.id"), nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("done", sa.Text, nullable=False, default=""),
    sa.Column("meta", sa.Text, nullable=False),
    sa.Index("s3_uploads_key", "bucket", "done", "key", "id"),
)

PARTS = sa.Table(
    "s3_parts",
    METADATA,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("start", sa.BigInteger, nullable=False, default=-1),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("modified", sa.Float, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False, default=""),
    sa.Column("blob", sa.Text, nullable=False, default=""),
    sa.Column("data", sa.LargeBinary, nullable=True),
    sa.Index("s3_parts_start", "upload", "start"),
    sa.Index("s3_parts_blob", "blob", sqlite_where=sa.text("blob <> ''"), postgresql_where=sa.text("blob <> ''")),
)
