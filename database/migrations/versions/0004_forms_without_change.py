"""A form that changed nothing is remembered, so that sending it again later changes nothing either (I5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

OWN = "person_id = ANY (app_persons())"


def upgrade() -> None:
    op.create_table(
        "form_without_change",
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "form"),
    )
    op.execute("GRANT SELECT, INSERT ON form_without_change TO portal_web, portal_worker")
    op.execute("ALTER TABLE form_without_change ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE form_without_change FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY own ON form_without_change TO portal_web, portal_worker USING ({OWN}) WITH CHECK ({OWN})"
    )
    op.execute(
        "CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON form_without_change"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER keep_all_history BEFORE TRUNCATE ON form_without_change"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
