"""Alembic's entry: runs migrations on the connection that `core.migrate` hands over."""

from __future__ import annotations

from alembic import context

from sagewright.core.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
if connection.dialect.name == "sqlite":
    connection.exec_driver_sql("BEGIN IMMEDIATE")
with context.begin_transaction():
    context.run_migrations()
connection.commit()
