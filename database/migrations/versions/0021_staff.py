"""Staff: who they are, how they prove it, what they do with a task, what takes two, openings without a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"

BOTH = "portal_web, portal_worker"
TIME = postgresql.TIMESTAMP(timezone=True)
STAFF = "app_is_staff()"
IS_STAFF = """
CREATE FUNCTION app_is_staff() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT coalesce(cardinality(app_practices()), 0) > 0 $f$;
"""
# A task without a practice, such as a store's, is for staff of every practice.
TASKS = "person_id = ANY (app_persons()) OR practice_id = ANY (app_practices()) OR '*' = ANY (app_practices())"
ROWS = {
    "staff_member": f"account_id = app_account() OR {STAFF}",
    "staff_passkey": "account_id = app_account()",
    "staff_invitation": "code_index = ANY (app_lookups())",
    "staff_task_event": f"{STAFF} AND EXISTS (SELECT FROM staff_task t WHERE t.id = task_id)",
    "staff_request": STAFF,
    "staff_opening": f"person_id = ANY (app_persons()) OR {STAFF}",
}
RIGHTS = {
    "staff_member": "SELECT, INSERT, UPDATE",
    "staff_passkey": "SELECT, INSERT, UPDATE (sign_count, used_at), DELETE",
    "staff_invitation": "SELECT, INSERT, UPDATE (used_at, used_by)",
    "staff_task_event": "SELECT, INSERT",
    "staff_request": "SELECT, INSERT, UPDATE (decided_by, decided_at, answer, done_at, count)",
    "staff_opening": "SELECT, INSERT, UPDATE (seen_by, seen_at)",
}


def upgrade() -> None:
    op.execute(IS_STAFF)
    _tasks()
    _people()
    _work()
    for table, rights in RIGHTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({ROWS[table]}) WITH CHECK ({ROWS[table]})")
        op.execute(f"GRANT {rights} ON {table} TO {BOTH}")
    for name, when, each in (
        ("keep_history", "UPDATE OR DELETE", "ROW"),
        ("keep_all_history", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} ON staff_task_event FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def _tasks() -> None:
    op.add_column("staff_task", sa.Column("case_no", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    for name, kind in (
        ("due_at", TIME), ("assigned_to", sa.Uuid()), ("assigned_at", TIME), ("escalated_to", sa.Uuid()),
        ("outcome", sa.Text()), ("closed_by", sa.Uuid()),
    ):  # fmt: skip
        op.add_column("staff_task", sa.Column(name, kind, nullable=True))
    op.create_unique_constraint(op.f("uq_staff_task_case_no"), "staff_task", ["case_no"])
    op.create_index(
        "ix_staff_task_open", "staff_task", ["opened_at", "case_no"], postgresql_where=sa.text("closed_at IS NULL")
    )
    op.execute(f"ALTER POLICY own ON staff_task USING ({TASKS}) WITH CHECK ({TASKS} OR person_id IS NULL)")
    op.execute(f"GRANT UPDATE (assigned_to, assigned_at, escalated_to, outcome, closed_by) ON staff_task TO {BOTH}")


def _people() -> None:
    op.create_table(
        "staff_member",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("practices", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("signed_in_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_staff_member_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_staff_member")),
    )
    op.create_table(
        "staff_passkey",
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_staff_passkey_account_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_staff_passkey")),
    )
    op.create_index(op.f("ix_staff_passkey_account_id"), "staff_passkey", ["account_id"])
    op.create_table(
        "staff_invitation",
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("identity_id", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("code_index", name=op.f("pk_staff_invitation")),
    )


def _work() -> None:
    op.create_table(
        "staff_task_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by_account", sa.Uuid(), nullable=False),
        sa.Column("to_account", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["staff_task.id"], name=op.f("fk_staff_task_event_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_task_event")),
    )
    op.create_index(op.f("ix_staff_task_event_task_id"), "staff_task_event", ["task_id"])
    op.create_table(
        "staff_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=True),
        sa.Column("tasks", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("why_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("by_account", sa.Uuid(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("decided_by <> by_account", name=op.f("ck_staff_request_two_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_request")),
    )
    op.create_table(
        "staff_opening",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("by_account", sa.Uuid(), nullable=False),
        sa.Column("why_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.Column("seen_at", TIME, nullable=True),
        sa.CheckConstraint("seen_by <> by_account", name=op.f("ck_staff_opening_two_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_opening")),
    )
    op.create_index(op.f("ix_staff_opening_person_id"), "staff_opening", ["person_id"])
