"""Closing an account deletes the letters to clinics and the choice of what to open with the doctor too.

What became of a letter is still added and never changed; it goes only with its letter.
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"

ONLY_WITH_ITS_LETTER = """
CREATE FUNCTION refuse_but_with_letter() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF TG_OP = 'UPDATE' OR EXISTS (SELECT FROM access_request WHERE id = OLD.request_id) THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $f$
"""
KEY = "fk_access_event_request_id"


def upgrade() -> None:
    op.execute("GRANT DELETE ON reading_choice, access_request TO portal_web")
    op.drop_constraint(op.f(KEY), "access_event", type_="foreignkey")
    op.create_foreign_key(op.f(KEY), "access_event", "access_request", ["request_id"], ["id"], ondelete="CASCADE")
    op.execute("DROP TRIGGER keep_history ON access_event")
    op.execute(ONLY_WITH_ITS_LETTER)
    op.execute(
        "CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON access_event"
        " FOR EACH ROW EXECUTE FUNCTION refuse_but_with_letter()"
    )
