"""Backfills under way, positions to tell a store again, and what each reconciliation found; positions and counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("store_batch", sa.Column("purpose", sa.Text(), server_default=sa.text("'stream'"), nullable=False))
    op.create_check_constraint(
        op.f("ck_store_batch_purpose"), "store_batch", "purpose IN ('stream', 'backfill', 'repair')"
    )
    op.create_table(
        "store_backfill",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("stop_position", sa.BigInteger(), nullable=False),
        sa.Column("next_position", sa.BigInteger(), nullable=False),
        sa.Column("only_no", sa.Boolean(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_backfill")),
    )
    op.create_table(
        "store_retelling",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "position", name=op.f("pk_store_retelling")),
    )
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("through_event", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("theirs", sa.BigInteger(), nullable=True),
        sa.Column("differing", sa.BigInteger(), nullable=False),
        sa.Column("repaired", sa.BigInteger(), nullable=False),
        sa.Column("to_people", sa.BigInteger(), nullable=False),
        sa.Column("stray", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("fetched", sa.BigInteger(), nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('agrees', 'drift', 'no-answer', 'cannot')", name=op.f("ck_reconciliation_outcome")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
    )
    op.create_index("ix_reconciliation_store", "reconciliation", ["store_id", "id"])
    op.execute("GRANT SELECT ON store_backfill, reconciliation TO portal_web, portal_worker, portal_release")
    op.execute("GRANT SELECT, INSERT, UPDATE ON store_backfill TO portal_propagation")
    op.execute("GRANT SELECT, INSERT, DELETE ON store_retelling TO portal_propagation")
    op.execute("GRANT SELECT, INSERT ON reconciliation TO portal_propagation")
