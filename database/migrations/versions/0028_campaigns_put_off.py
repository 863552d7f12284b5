"""A campaign's person may be put off until their morning; a letter is found by who prints it."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    for right in (
        "UPDATE (send_after) ON campaign_recipient",
        "SELECT (created_at) ON message",
    ):
        op.execute(f"GRANT {right} TO portal_propagation")
