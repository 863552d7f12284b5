"""Letters that ask for a record, their history, files that people added, and answers after the FAQ in counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

OWN = "person_id = ANY (app_persons())"
BOTH = "portal_web, portal_worker"
RIGHTS = {
    "access_request": "SELECT, INSERT",
    "access_event": "SELECT, INSERT",
    "added_file": "SELECT, INSERT, DELETE",
}
TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _tables()
    for table, rights in RIGHTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"GRANT {rights} ON {table} TO {BOTH}")
    for name, when, each in (
        ("keep_history", "UPDATE OR DELETE", "ROW"),
        ("keep_all_history", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON access_event FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )
    # The worker counts across persons how many asked and how many received; it sees no letter and no reason.
    op.execute("CREATE POLICY propagation ON access_event TO portal_propagation USING (true)")
    op.execute("GRANT SELECT (person_id, kind) ON access_event TO portal_propagation")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON faq_reply TO {BOTH}")
    op.execute("GRANT SELECT ON faq_reply TO portal_propagation")


def _tables() -> None:
    op.create_table(
        "access_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_request")),
        sa.UniqueConstraint("person_id", "form", name=op.f("uq_access_request_person_id_form")),
    )
    op.create_table(
        "access_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("until_date", sa.Date(), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("noted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["access_request.id"], name=op.f("fk_access_event_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_event")),
        sa.UniqueConstraint("request_id", "form", name=op.f("uq_access_event_request_id_form")),
    )
    op.create_index(op.f("ix_access_event_person_id"), "access_event", ["person_id"])
    op.create_table(
        "added_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_mac", sa.LargeBinary(), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["access_request.id"], name=op.f("fk_added_file_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_added_file")),
        sa.UniqueConstraint("person_id", "content_mac", name=op.f("uq_added_file_person_id_content_mac")),
    )
    op.create_table(
        "faq_reply",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", "question", "answer", name=op.f("pk_faq_reply")),
    )
