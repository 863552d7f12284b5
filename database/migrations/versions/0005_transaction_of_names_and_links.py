"""Names, codes and links carry the transaction that added them, so that a reader can catch up and miss none.

Identity values commit out of order, so "id above the last one seen" loses rows. Transactions at or above the oldest
one that ran when a reader last looked (`pg_snapshot_xmin`) are all that it can have missed; reading one twice is
harmless. A link narrows what may be used without any decision, so decisions look here before each answer (G4.4).
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = ("person_alias", "person_link", "store_subject")


def upgrade() -> None:
    for table in TABLES:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN added_xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)"
        )
        op.execute(f"CREATE INDEX ix_{table}_added_xid ON {table} (added_xid)")
