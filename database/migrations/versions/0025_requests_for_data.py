"""Researchers' requests for data and their events, both only added; a release notes for each donor that data left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"

# No person's data is in them, so no row security; the web and the feed have no business with them.
TABLES = ("data_request", "request_event")
ROLES = "portal_worker, portal_release"
TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "data_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("submitted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
    )
    op.create_table(
        "request_event",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["data_request.id"], name=op.f("fk_request_event_request_id")),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("pk_request_event")),
    )
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {ROLES}")
        for name, when, each in (
            ("keep_history", "UPDATE OR DELETE", "ROW"),
            ("keep_all_history", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()"
            )
    # The line by which a donor sees that their data left is added in the transaction that lets it leave.
    op.execute("GRANT INSERT ON audit_event TO portal_release")
    op.execute(
        "CREATE POLICY release ON audit_event FOR INSERT TO portal_release"
        " WITH CHECK (event = 'donation.sent' AND actor_kind = 'system')"
    )
