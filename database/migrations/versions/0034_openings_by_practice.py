"""What staff opened and asked for is seen by those who serve the same practices; what was before, by those of all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"

BOTH = "portal_web, portal_worker"
SERVES = (
    "app_is_staff() AND ('*' = ANY (app_practices()) OR (cardinality(practices) > 0 AND practices <@ app_practices()))"
)
ROWS = {"staff_request": SERVES, "staff_opening": f"person_id = ANY (app_persons()) OR ({SERVES})"}


def upgrade() -> None:
    for table, seen in ROWS.items():
        practices: sa.Column[list[str]] = sa.Column(
            "practices", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        )
        op.add_column(table, practices)
        op.execute(f"DROP POLICY own ON {table}")
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({seen}) WITH CHECK ({seen})")
