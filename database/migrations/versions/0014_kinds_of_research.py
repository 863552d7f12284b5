"""The kinds of research that a person leaves open, sealed; added, never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

OWN = "person_id = ANY (app_persons())"


def upgrade() -> None:
    op.create_table(
        "research_limit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("made_by_account", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_research_limit_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_research_limit")),
        sa.UniqueConstraint("person_id", "form", name=op.f("uq_research_limit_person_id_form")),
    )
    op.create_index("ix_research_limit_newest", "research_limit", ["person_id", "id"])
    op.execute("ALTER TABLE research_limit ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE research_limit FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON research_limit TO portal_web, portal_worker USING ({OWN}) WITH CHECK ({OWN})")
    op.execute("GRANT SELECT, INSERT ON research_limit TO portal_web, portal_worker")
    for name, when, each in (
        ("keep_history", "UPDATE OR DELETE", "ROW"),
        ("keep_all_history", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON research_limit FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )
