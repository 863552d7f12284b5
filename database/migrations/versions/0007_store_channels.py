"""Channels to the stores, events not confirmed yet, and what the feed needs to act when a yes begins or runs out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

TIME = postgresql.TIMESTAMP(timezone=True)

# What stores have answered so far without confirming it, by the newest receipt of each event.
UNCONFIRMED = """
INSERT INTO unconfirmed_event (store_id, event_number, person_id, version, state, recorded_at)
SELECT r.store_id, r.event_number, d.person_id, d.version, r.state, d.recorded_at
FROM (SELECT DISTINCT ON (store_id, event_number) * FROM receipt WHERE event_number IS NOT NULL
      ORDER BY store_id, event_number, id DESC) r
JOIN store_batch b ON b.id = r.batch_id
JOIN LATERAL unnest(b.positions) WITH ORDINALITY AS p(position, i)
  ON p.i::numeric = r.event_number::numeric - b.first_event + 1
JOIN position q ON q.position = p.position
JOIN decision d ON d.id = q.decision_id
WHERE r.state NOT IN ('applied', 'nothing-held')
"""


def upgrade() -> None:
    op.create_table(
        "store_channel",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("greeted", sa.LargeBinary(), nullable=True),
        sa.Column("since", TIME, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("heard_at", TIME, nullable=True),
        sa.Column("waiting", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("overdue", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("oldest_due_at", TIME, nullable=True),
        sa.Column("looked_at", TIME, nullable=True),
        sa.Column("digest_on", sa.Date(), nullable=True),
        sa.CheckConstraint("state IN ('requested', 'active', 'error')", name=op.f("ck_store_channel_state")),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_channel")),
    )
    op.execute("GRANT SELECT ON store_channel TO portal_web, portal_worker, portal_release")
    op.execute("GRANT SELECT, INSERT, UPDATE ON store_channel TO portal_propagation")
    op.create_table(
        "unconfirmed_event",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("event_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "event_number", name=op.f("pk_unconfirmed_event")),
    )
    op.execute(UNCONFIRMED)
    op.execute("ALTER TABLE unconfirmed_event ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE unconfirmed_event FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY propagation ON unconfirmed_event TO portal_propagation USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON unconfirmed_event TO portal_propagation")
    op.execute("CREATE INDEX ix_decision_expires ON decision (expires_at) WHERE expires_at IS NOT NULL")
    op.execute("CREATE INDEX ix_decision_starts ON decision (starts_at) WHERE starts_at > recorded_at")
    # A task about a parked item is closed by the feed when the store takes it.
    op.execute("GRANT UPDATE (closed_at) ON staff_task TO portal_propagation")
    # Standing tells the clock's own rows from what a person decided by their means.
    op.execute("GRANT SELECT (means) ON decision TO portal_release")
