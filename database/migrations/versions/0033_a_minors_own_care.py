"""What a transaction holds back of a record is not there for it: a minor's own care, for whoever acts for them."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"

# Read once a statement, as a set that is empty for everyone else; no index is passed by for it.
HELD_BACK = """
CREATE FUNCTION app_held_back() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT coalesce(string_to_array(current_setting('app.held_back', true), ',')::uuid[], '{}') $f$;
"""


def upgrade() -> None:
    op.execute(HELD_BACK)
    op.execute(
        "CREATE POLICY held_back ON record_entry AS RESTRICTIVE FOR SELECT TO portal_web, portal_worker"
        " USING (id <> ALL ((SELECT app_held_back())::uuid[]))"
    )
