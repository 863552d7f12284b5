"""A person's number stands in the index beside the id: who follows the ledger for millions looks up nothing else."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.create_index("ix_person_id_person_no", "person", ["id"], unique=True, postgresql_include=["person_no"])
