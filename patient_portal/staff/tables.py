"""Who works here, how they prove it, what they did with a task, and what they opened without one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity
from sqlalchemy.orm import Mapped, mapped_column

from consent.audit_tables import StaffTask
from database.base_table import Base
from fhir_bridge.tables import Account


class StaffMember(Base):
    """One member of staff: `role` is `staff` or `lead`; `practices` whose tasks they see, `*` for all.

    `ended_at`: may not sign in any more. The name is a colleague's, for colleagues. `human` is the same for every
    sign-in of one human being; `human_index` the keyed index of what the identity provider says of that.
    """

    __tablename__ = "staff_member"
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), primary_key=True)
    identity_id: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    practices: Mapped[list[str]]
    signed_in_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    human: Mapped[UUID]
    human_index: Mapped[bytes | None]


class StaffPasskey(Base):
    """A passkey of one member of staff (WebAuthn level 3): its public key and how often it signed."""

    __tablename__ = "staff_passkey"
    credential_id: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), index=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class StaffInvitation(Base):
    """A one-time code with which a first passkey may be made, by its keyed index."""

    __tablename__ = "staff_invitation"
    code_index: Mapped[bytes] = mapped_column(primary_key=True)
    identity_id: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[UUID | None]


class StaffTaskEvent(Base):
    """What somebody did with a task, added and never changed; notes are sealed."""

    __tablename__ = "staff_task_event"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey(StaffTask.id), index=True)
    kind: Mapped[str]
    by_account: Mapped[UUID]
    to_account: Mapped[UUID | None]
    outcome: Mapped[str | None]
    words_sealed: Mapped[bytes | None]
    at: Mapped[datetime]


class StaffRequest(Base):
    """Something that takes two: asked for by one, allowed or refused by another, then done.

    `practices`: those whom the one who asked serves; only who serves all of them sees it.
    """

    __tablename__ = "staff_request"
    __table_args__ = (CheckConstraint("decided_by <> by_account", name="two_persons"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    store_id: Mapped[str | None]
    tasks: Mapped[list[UUID]]
    outcome: Mapped[str | None]
    why_sealed: Mapped[bytes]
    by_account: Mapped[UUID]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    answer: Mapped[str | None]
    done_at: Mapped[datetime | None]
    count: Mapped[int | None] = mapped_column(BigInteger)
    practices: Mapped[list[str]]


class StaffOpening(Base):
    """A person's page opened without a task (break-glass): until when, why (sealed), and which other looked at it.

    `practices`: by which of them the person was reached; who serves others does not see it.
    """

    __tablename__ = "staff_opening"
    __table_args__ = (CheckConstraint("seen_by <> by_account", name="two_persons"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    task_id: Mapped[UUID | None]
    by_account: Mapped[UUID]
    why_sealed: Mapped[bytes]
    at: Mapped[datetime]
    until: Mapped[datetime]
    seen_by: Mapped[UUID | None]
    seen_at: Mapped[datetime | None]
    practices: Mapped[list[str]]
