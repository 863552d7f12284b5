"""Staff are staff by a setting of their own; an entry is taken back by two; a report of a death finds its person."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"

BOTH = "portal_web, portal_worker"
# Until now whoever named a practice was taken for staff, and a care team names its own.
IS_STAFF = """
CREATE OR REPLACE FUNCTION app_is_staff() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT coalesce(current_setting('app.staff', true), '') = 'yes'
             AND coalesce(cardinality(app_practices()), 0) > 0 $f$;
"""


def upgrade() -> None:
    op.execute(IS_STAFF)
    op.create_check_constraint(op.f("ck_entry_void_two_persons"), "entry_void", "agreed_account <> asked_account")
    op.execute(f"GRANT UPDATE (person_id) ON staff_task TO {BOTH}")
