"""Hospitals and clinics by the names people know (SMART User-access Brands); nothing about a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    names = ("name", "city", "state", "postal_code", "logo", "searched")
    op.create_table(
        "provider_brand",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fhir_base_url", sa.Text(), nullable=False),
        sa.Column("known_as", postgresql.ARRAY(sa.Text()), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.Column("loaded_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_brand")),
    )
    op.execute("GRANT SELECT ON provider_brand TO portal_web")
    op.execute("GRANT SELECT, INSERT, DELETE ON provider_brand TO portal_worker")
