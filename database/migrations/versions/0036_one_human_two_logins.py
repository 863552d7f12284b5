"""What takes two takes two human beings: those who sign in by several ways are known as one, by PostgreSQL as well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"

# Asked with the rights of who writes: only staff write these columns, and staff see all of staff.
REFUSES = """
CREATE FUNCTION refuse_one_human() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF EXISTS (SELECT FROM staff_member a JOIN staff_member b ON a.human = b.human OR a.human_index = b.human_index
             WHERE a.account_id = NEW.by_account AND b.account_id = (to_jsonb(NEW) ->> TG_ARGV[0])::uuid) THEN
    RAISE EXCEPTION 'two sign-ins of one human being' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $f$
"""
SECOND = {"staff_request": "decided_by", "staff_opening": "seen_by"}


def upgrade() -> None:
    op.add_column("staff_member", sa.Column("human", postgresql.UUID(as_uuid=True), nullable=True))
    op.add_column("staff_member", sa.Column("human_index", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE staff_member SET human = account_id")
    op.alter_column("staff_member", "human", nullable=False)
    op.execute(REFUSES)
    for table, column in SECOND.items():
        op.execute(
            f"CREATE TRIGGER two_humans BEFORE INSERT OR UPDATE OF {column} ON {table} FOR EACH ROW"
            f" WHEN (NEW.{column} IS NOT NULL) EXECUTE FUNCTION refuse_one_human('{column}')"
        )
