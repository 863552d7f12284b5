"""A research effort may end: one row says so, for ever. Deciders and deliveries read it, people are shown it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    # Nobody's data is in it, so no row security.
    op.create_table(
        "effort_end",
        sa.Column("effort_id", sa.Text(), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("effort_id", name=op.f("pk_effort_end")),
    )
    op.execute("GRANT SELECT ON effort_end TO portal_web, portal_worker, portal_propagation, portal_release")
    op.execute("GRANT INSERT ON effort_end TO portal_worker")
    for name, when, each in (
        ("keep_history", "UPDATE OR DELETE", "ROW"),
        ("keep_all_history", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON effort_end FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )
