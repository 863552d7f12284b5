"""A name's keyed index is unique by itself: it covers issuer, system and value (scale-findings.md, 6)."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.drop_constraint("uq_person_alias_issued_by_system_value_index", "person_alias", type_="unique")
    op.drop_index("ix_person_alias_value_index", "person_alias")
    op.create_unique_constraint("uq_person_alias_value_index", "person_alias", ["value_index"])
