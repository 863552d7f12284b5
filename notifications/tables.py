"""How a person may be reached, what they agreed to, and every text (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class ContactPoint(Base):
    """One number, mail address or postal address of one person (`channel`), sealed, found by its keyed index.

    The code is kept as a hash until the number or mail address is proven.
    """

    __tablename__ = "contact_point"
    __table_args__ = (UniqueConstraint("person_id", "value_index"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    channel: Mapped[str]
    value_index: Mapped[bytes] = mapped_column(index=True)
    value_sealed: Mapped[bytes]
    language: Mapped[str]
    zone: Mapped[str | None]
    state: Mapped[str]
    code_hash: Mapped[bytes | None]
    code_expires_at: Mapped[datetime | None]
    code_tries: Mapped[int]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class ContactConsent(Base):
    """A yes or no with its proof (SMS-01): to all that comes by this contact point (`topic` is `texts`), or to one
    topic. Added, never changed; the newest of each counts."""

    __tablename__ = "contact_consent"
    __table_args__ = (
        Index("ix_contact_consent_newest", "contact_point_id", "topic", text("id DESC"), postgresql_include=["answer"]),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    contact_point_id: Mapped[UUID] = mapped_column(ForeignKey("contact_point.id"), index=True)
    person_id: Mapped[UUID]
    value_index: Mapped[bytes]
    topic: Mapped[str]
    answer: Mapped[str]
    means: Mapped[str]
    proof_sealed: Mapped[bytes]
    recorded_at: Mapped[datetime]


class Message(Base):
    """One text, mail or letter: the intent is written before it is sent; `dedupe_key` makes the intent single.

    `covers`: keys of what else happened while it waited, so that one message tells of all. `essential`: goes even
    when a budget is used up. `body_sealed` is empty until it is handed over: the words are made then.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_due", "send_after", postgresql_where=text("state IN ('intended', 'calling')")),
        Index("ix_message_campaign", "campaign_id", "state", postgresql_where=text("campaign_id IS NOT NULL")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    contact_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    language: Mapped[str]
    body_sealed: Mapped[bytes | None]
    state: Mapped[str]
    sid: Mapped[str | None] = mapped_column(unique=True)
    error_code: Mapped[str | None]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    send_after: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    state_at: Mapped[datetime]
    channel: Mapped[str] = mapped_column(server_default="sms")
    topic: Mapped[str] = mapped_column(server_default="")
    essential: Mapped[bool] = mapped_column(server_default="false")
    covers: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    campaign_id: Mapped[int | None] = mapped_column(BigInteger)


class InboundMessage(Base):
    """A text that came in, once per MessageSid for ever (a signed webhook can be replayed)."""

    __tablename__ = "inbound_message"
    sid: Mapped[str] = mapped_column(primary_key=True)
    value_index: Mapped[bytes] = mapped_column(index=True)
    meaning: Mapped[str]
    received_at: Mapped[datetime]


class Reminder(Base):
    """A reminder a person set: finish what you began, or what the law's clock says (`topic`)."""

    __tablename__ = "reminder"
    __table_args__ = (Index("ix_reminder_due", "due_at", postgresql_where=text("state = 'set'")),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    about: Mapped[str]
    due_at: Mapped[datetime]
    state: Mapped[str]
    created_at: Mapped[datetime]
    topic: Mapped[str] = mapped_column(server_default="reminders")


class MessageSetting(Base):
    """In which language and at which hours a person is told, and until when they want quiet."""

    __tablename__ = "message_setting"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    language: Mapped[str | None]
    zone: Mapped[str | None]
    opens: Mapped[int] = mapped_column(SmallInteger)
    closes: Mapped[int] = mapped_column(SmallInteger)
    pause_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class Campaign(Base):
    """One message to many people, planned as a set: `planned`, `running`, `paused` or `done`, with its counts.

    Planning goes through people in the order of their ids; `planned_to` is how far it came.
    """

    __tablename__ = "campaign"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    audience: Mapped[str]
    state: Mapped[str]
    planned: Mapped[int] = mapped_column(BigInteger)
    planned_to: Mapped[UUID | None]
    released: Mapped[int] = mapped_column(BigInteger)
    paced_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class CampaignRecipient(Base):
    """One person in one campaign, once; `released` when their message was written down."""

    __tablename__ = "campaign_recipient"
    __table_args__ = (
        Index("ix_campaign_recipient_due", "campaign_id", "send_after", postgresql_where=text("NOT released")),
    )
    campaign_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    send_after: Mapped[datetime]
    released: Mapped[bool]


class Silence(Base):
    """Nothing is sent to this person while the row stands: somebody told us that they died (HIP-16)."""

    __tablename__ = "silence"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime]
