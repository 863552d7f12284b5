"""Mails to stores' contacts, their times to confirm, and what the operator reads: counts, about nobody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "store_digest",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("next_try_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("overdue", sa.BigInteger(), nullable=False),
        sa.Column("oldest_due_at", TIME, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'refused', 'over')", name=op.f("ck_store_digest_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_digest")),
    )
    op.create_index("ix_store_digest_store", "store_digest", ["store_id", "id"])
    op.execute("CREATE UNIQUE INDEX uq_store_digest_waiting ON store_digest (store_id) WHERE state = 'waiting'")
    op.create_table(
        "confirm_time",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("slowest", sa.BigInteger(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "month", "bucket", name=op.f("pk_confirm_time")),
    )
    op.create_table(
        "standing_count",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("oldest_at", TIME, nullable=True),
        sa.Column("looked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_standing_count")),
    )
    op.execute("GRANT SELECT ON store_digest, confirm_time, standing_count TO portal_web, portal_worker")
    op.execute("GRANT SELECT, INSERT, UPDATE ON store_digest, confirm_time TO portal_propagation")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON standing_count TO portal_propagation")
