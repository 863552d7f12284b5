"""Who ever gave to an effort is found without reading the whole ledger (docs/benchmarks/scale-findings.md, 5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index(
        "ix_decision_given",
        "decision",
        ["effort_id", "person_id"],
        postgresql_where=sa.text("effort_id IS NOT NULL AND answer = 'yes'"),
    )
