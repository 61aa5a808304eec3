"""Bringing a database to the current schema with Alembic. Called once at start.

The usual start finds the newest revision in place and does not even import Alembic.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from sagewright.core.database import Database

HEAD = "0001"
_SCRIPTS = Path(__file__).with_name("migrations")


def migrate(db: Database) -> None:
    """Upgrade to `HEAD`; refuses a database that a newer Sagewright has written."""
    found = _revision(db)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise SystemExit(f"The database is at revision {found}, this Sagewright knows {HEAD}: start the newer one.")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    with db.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def _revision(db: Database) -> str | None:
    def query(connection: sa.Connection) -> str | None:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()

    return db.read(query)
