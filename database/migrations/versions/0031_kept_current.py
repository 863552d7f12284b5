"""When a record is next brought up to date without the person, for those who asked for that (SMART-36)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("connection", sa.Column("refresh_at", sa.DateTime(timezone=True), nullable=True))
    # Over the day that follows, so that no hospital is asked for everybody at once.
    op.execute(
        "UPDATE connection SET refresh_at = now() + random() * interval '1 day'"
        " WHERE state = 'active' AND 'offline_access' = ANY (string_to_array(scope, ' '))"
    )
    op.create_index(
        "ix_connection_refresh", "connection", ["refresh_at"], postgresql_where=sa.text("refresh_at IS NOT NULL")
    )
    op.execute("GRANT UPDATE (refresh_at) ON connection TO portal_web, portal_worker")
    # Who is due is read across persons; nothing of a grant, of a token or of who the patient is.
    op.execute(
        "CREATE POLICY propagation ON connection FOR SELECT TO portal_propagation USING (refresh_at IS NOT NULL)"
    )
    op.execute("GRANT SELECT (id, person_id, provider_id, refresh_at) ON connection TO portal_propagation")
