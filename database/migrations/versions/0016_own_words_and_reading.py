"""What a person adds to their record in their own words, and what they would rather read with their doctor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"

OWN = "person_id = ANY (app_persons())"


def upgrade() -> None:
    when = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "own_statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("said_at", when, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_statement")),
    )
    op.create_index("ix_own_statement_person_id", "own_statement", ["person_id", "said_at"])
    op.create_table(
        "reading_choice",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", when, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_reading_choice")),
    )
    for table, rights in (("own_statement", "SELECT, INSERT, DELETE"), ("reading_choice", "SELECT, INSERT, UPDATE")):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO portal_web, portal_worker USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"GRANT {rights} ON {table} TO portal_web")
        op.execute(f"GRANT SELECT, DELETE ON {table} TO portal_worker")
