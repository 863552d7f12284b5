"""Messages by topic and channel: what a person chose, mail and letters beside texts, and campaigns planned as a set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"

OWN = "person_id = ANY (app_persons())"
BOTH = "portal_web, portal_worker"
TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _columns()
    _tables()
    _rights()


def _columns() -> None:
    op.add_column("message", sa.Column("channel", sa.Text(), nullable=False, server_default="sms"))
    op.add_column("message", sa.Column("topic", sa.Text(), nullable=False, server_default=""))
    op.add_column("message", sa.Column("essential", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("message", sa.Column("covers", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"))
    op.add_column("message", sa.Column("campaign_id", sa.BigInteger(), nullable=True))
    op.alter_column("message", "contact_point_id", nullable=True)
    op.alter_column("message", "body_sealed", nullable=True)
    op.create_index(
        op.f("ix_message_due"), "message", ["send_after"],
        postgresql_where=sa.text("state IN ('intended', 'calling')"),
    )  # fmt: skip
    op.create_index(
        op.f("ix_message_campaign"), "message", ["campaign_id", "state"],
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
    )  # fmt: skip
    op.add_column("rate_count", sa.Column("kept_until", TIME, nullable=True))
    op.add_column("reminder", sa.Column("topic", sa.Text(), nullable=False, server_default="reminders"))
    op.create_index(op.f("ix_reminder_due"), "reminder", ["due_at"], postgresql_where=sa.text("state = 'set'"))
    op.create_index(
        op.f("ix_contact_consent_newest"), "contact_consent",
        ["contact_point_id", "topic", sa.text("id DESC")], postgresql_include=["answer"],
    )  # fmt: skip


def _tables() -> None:
    op.create_table(
        "message_setting",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("opens", sa.SmallInteger(), nullable=False),
        sa.Column("closes", sa.SmallInteger(), nullable=False),
        sa.Column("pause_until", TIME, nullable=True),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_message_setting")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.Column("planned_to", sa.Uuid(), nullable=True),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("paced_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("name", name=op.f("uq_campaign_name")),
    )
    op.create_table(
        "campaign_recipient",
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("send_after", TIME, nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "person_id", name=op.f("pk_campaign_recipient")),
    )
    op.create_index(
        op.f("ix_campaign_recipient_due"), "campaign_recipient", ["campaign_id", "send_after"],
        postgresql_where=sa.text("NOT released"),
    )  # fmt: skip


def _rights() -> None:
    for table in ("message_setting", "campaign_recipient"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY propagation ON {table} TO portal_propagation USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON message_setting TO {BOTH}")
    op.execute(f"GRANT SELECT ON campaign TO {BOTH}")
    # Who holds the link at the foot of a mail reaches the address it was sent to, and nothing else.
    op.execute(f"ALTER POLICY own ON contact_point USING ({OWN} OR value_index = ANY (app_lookups())"
               " OR uuid_send(id) = ANY (app_lookups()))")  # fmt: skip
    for table in ("contact_point", "contact_consent"):
        op.execute(f"CREATE POLICY propagation ON {table} TO portal_propagation USING (true)")
    # Planning and releasing are done for many people at once; no number, address or word of anyone is read for it.
    for right in (
        "SELECT (id, person_id, channel, state, zone, language) ON contact_point",
        "SELECT (id, contact_point_id, topic, answer) ON contact_consent",
        "SELECT ON message_setting",
        "SELECT, INSERT, UPDATE ON campaign",
        "SELECT, INSERT, UPDATE (released) ON campaign_recipient",
        "SELECT (dedupe_key, channel, topic, campaign_id, contact_point_id), INSERT ON message",
        "SELECT (topic), UPDATE (state) ON reminder",
    ):
        op.execute(f"GRANT {right} TO portal_propagation")
