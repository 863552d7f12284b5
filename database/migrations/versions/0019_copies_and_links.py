"""Copies of a record kept in sealed pieces, and links by which a person lets somebody open a copy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"

OWN = "person_id = ANY (app_persons())"
# Who holds a link holds its secret, and is nobody else to us.
HOLDER = f"{OWN} OR token_index = ANY (app_lookups())"
MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _copies()
    _links()
    both = "portal_web, portal_worker"
    for table, visible, rights in (
        ("export_part", OWN, "SELECT, INSERT, DELETE"),
        ("shared_link", HOLDER, "SELECT, INSERT, UPDATE (attempts_left, ended_at), DELETE"),
        ("shared_file", HOLDER, "SELECT, INSERT, DELETE"),
        ("shared_opening", HOLDER, "SELECT, INSERT, DELETE"),
    ):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO {both} USING ({visible}) WITH CHECK ({visible})")
        op.execute(f"GRANT {rights} ON {table} TO {both}")
    # What is over is deleted across persons by the worker, which can read only when that is.
    for table in ("export_job", "shared_file"):
        op.execute(f"CREATE POLICY propagation ON {table} TO portal_propagation USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT (expires_at), DELETE ON {table} TO portal_propagation")


def _copies() -> None:
    op.create_table(
        "export_part",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["export_job.id"], name=op.f("fk_export_part_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_export_part")),
    )
    op.create_index("ix_export_job_person_id", "export_job", ["person_id"])
    op.create_index("ix_export_job_expires_at", "export_job", ["expires_at"])


def _links() -> None:
    op.create_table(
        "shared_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("token_index", sa.LargeBinary(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("passcode_index", sa.LargeBinary(), nullable=True),
        sa.Column("attempts_left", sa.Integer(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_link")),
        sa.UniqueConstraint("token_index", name=op.f("uq_shared_link_token_index")),
    )
    op.create_index("ix_shared_link_person_id", "shared_link", ["person_id"])
    op.create_table(
        "shared_file",
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("token_index", sa.LargeBinary(), nullable=False),
        sa.Column("jwe", sa.Text(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["shared_link.id"], name=op.f("fk_shared_file_link_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link_id", "number", name=op.f("pk_shared_file")),
    )
    op.create_index("ix_shared_file_expires_at", "shared_file", ["expires_at"])
    op.create_table(
        "shared_opening",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("token_index", sa.LargeBinary(), nullable=False),
        sa.Column("recipient_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["shared_link.id"], name=op.f("fk_shared_opening_link_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_opening")),
    )
    op.create_index("ix_shared_opening_link_id", "shared_opening", ["link_id"])
