"""A batch's positions are stored as they are: to compress them took ten times as long as all else about the batch."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.execute("ALTER TABLE store_batch ALTER COLUMN positions SET STORAGE EXTERNAL")
