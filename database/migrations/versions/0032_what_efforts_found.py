"""What an effort found out, in plain words for those who took part: published once, never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    # Nobody's data is in it, so no row security.
    op.create_table(
        "effort_result",
        sa.Column("effort_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("published_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("effort_id", "name", "language", name=op.f("pk_effort_result")),
    )
    op.execute("GRANT SELECT ON effort_result TO portal_web, portal_worker")
    op.execute("GRANT INSERT ON effort_result TO portal_worker")
    for name, when, each in (
        ("keep_history", "UPDATE OR DELETE", "ROW"),
        ("keep_all_history", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON effort_result FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )
