"""The first schema: every table that the rooms declare.

Rooms declare on `core.tables.METADATA` and are imported by the composition root before migrations run. Later changes
get revisions of their own with explicit operations.
"""

from __future__ import annotations

from alembic import op

from sagewright.core.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    METADATA.drop_all(op.get_bind())
