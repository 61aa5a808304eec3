"""Tables every room shares. A room with data of its own shape declares its tables on the same `METADATA`
(in its own `tables.py`) and adds a migration under `core/migrations/versions`.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

# Integer on SQLite (so that it aliases the rowid), 64 bits elsewhere.
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

RESOURCES = sa.Table(
    "resources",
    METADATA,
    sa.Column("id", BIGINT, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("arn", sa.Text, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False, default=""),
    sa.Column("terminal", sa.Boolean, nullable=False, default=False),
    sa.Column("owner", sa.Text, nullable=False, default=""),
    sa.Column("version", sa.Integer, nullable=False, default=1),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("modified", sa.Float, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("work", sa.Text, nullable=False, default="{}"),
    sa.UniqueConstraint("kind", "account", "region", "name", name="resources_name"),
    sa.Index("resources_created", "kind", "account", "region", "created", "id"),
    sa.Index("resources_modified", "kind", "account", "region", "modified", "id"),
    sa.Index("resources_status", "kind", "account", "region", "status", "created", "id"),
    sa.Index("resources_owner", "owner", "kind"),
    sa.Index("resources_active", "kind", "terminal"),
)

TAGS = sa.Table(
    "tags",
    METADATA,
    sa.Column("arn", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
)

EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("seq", BIGINT, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("arn", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
