"""What a hospital withdrew (`entered-in-error`) is known without opening it, so that it is never counted (FHIR-13).

Entries kept before are sealed and cannot be judged here: they stay as they are until their record is brought in again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("record_entry", sa.Column("mistake", sa.Boolean(), server_default=sa.false(), nullable=False))
