"""When an operator paused a store, who and why; nothing about a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"

TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "store_pause",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("paused_at", TIME, nullable=False),
        sa.Column("paused_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_store_pause_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_pause")),
    )
    op.execute("CREATE UNIQUE INDEX ix_store_pause_open ON store_pause (store_id) WHERE ended_at IS NULL")
    op.execute("GRANT SELECT ON store_pause TO portal_web, portal_worker, portal_release")
    op.execute("GRANT SELECT, INSERT, UPDATE (ended_at, ended_by) ON store_pause TO portal_propagation")
