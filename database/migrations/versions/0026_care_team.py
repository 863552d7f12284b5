"""The care team: lists of opt-outs, and an entry for the wrong person taken back by two."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"

OWN = "person_id = ANY (app_persons())"
OF_THE_PRACTICE = f"{OWN} OR practice_id = ANY (app_practices())"
BOTH = "portal_web, portal_worker"
TIME = postgresql.TIMESTAMP(timezone=True)
TABLES = (
    ("entry_void", OF_THE_PRACTICE, "SELECT, INSERT, UPDATE (agreed_account, agreed_by, agreed_at, void_id)"),
    ("opt_out_list", "account_id = app_account()", "SELECT, INSERT, UPDATE, DELETE"),
)
ONLY_NO = "actor_kind <> 'care-team' OR answer = 'no' OR (means = 'void' AND choice = 'cancerlinq')"


def upgrade() -> None:
    # An entry for the wrong person is taken back by a decision that says so, and by nothing else of the care team's.
    op.drop_constraint(op.f("ck_decision_care_team_only_no"), "decision")
    op.create_check_constraint(op.f("ck_decision_care_team_only_no"), "decision", ONLY_NO)
    _entry_void()
    _opt_out_list()
    for table, visible, rights in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({visible}) WITH CHECK ({visible})")
        op.execute(f"GRANT {rights} ON {table} TO {BOTH}")
    op.execute("CREATE POLICY propagation ON opt_out_list TO portal_propagation USING (applied_at IS NULL)")
    op.execute("GRANT SELECT (made_at, applied_at), DELETE ON opt_out_list TO portal_propagation")


def _entry_void() -> None:
    op.create_table(
        "entry_void",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("asked_account", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("agreed_account", sa.Uuid(), nullable=True),
        sa.Column("agreed_by", sa.Text(), nullable=True),
        sa.Column("agreed_at", TIME, nullable=True),
        sa.Column("void_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_entry_void")),
    )
    op.create_index(op.f("ix_entry_void_person_id"), "entry_void", ["person_id"])
    op.create_index(op.f("ix_entry_void_practice_id"), "entry_void", ["practice_id"])


def _opt_out_list() -> None:
    op.create_table(
        "opt_out_list",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Text(), nullable=False),
        sa.Column("file_mac", sa.LargeBinary(), nullable=False),
        sa.Column("rows_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.Integer(), nullable=True),
        sa.Column("already_out", sa.Integer(), nullable=True),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("applied_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_out_list")),
        sa.UniqueConstraint("account_id", "file_mac", name=op.f("uq_opt_out_list_account_id_file_mac")),
    )
