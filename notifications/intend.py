"""Writes down that a text, mail or letter is to be sent, in the transaction of its reason; others send it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications import status
from notifications.tables import ContactPoint, Message, MessageSetting
from notifications.texting import Texting, confirmed_contact
from notifications.texts import Kind
from notifications.topics import Way


def intend(
    session: Session,
    texting: Texting,
    person: UUID,
    kind: Kind,
    dedupe_key: str,
    now: datetime,
    *,
    contact: ContactPoint | None = None,
    way: Way = "sms",
    topic: str = "",
    essential: bool = False,
    code: str | None = None,
    send_after: datetime | None = None,
    expires_at: datetime | None = None,
) -> UUID | None:
    """The id of the message now waiting; None when we know no number or address, or this message is already there.

    `dedupe_key` makes the intent single however often its reason is read. Whether the person wants it, and the
    hour, are asked when it is sent, so that a STOP in between counts; the words are made then, too, but for a code's.
    """
    contact = contact or confirmed_contact(session, person, way)
    if contact is None:
        return None
    message = uuid4()
    setting = session.get(MessageSetting, person)
    language = (setting.language if setting else None) or contact.language
    sealed = texting.seal_body(message, code) if code else None
    row: dict[str, object] = {
        "id": message, "person_id": person, "contact_point_id": contact.id, "dedupe_key": dedupe_key, "kind": kind,
        "language": language, "body_sealed": sealed, "state": status.INTENDED, "attempts": 0, "created_at": now,
        "send_after": send_after or now, "expires_at": expires_at, "state_at": now, "channel": way, "topic": topic,
        "essential": essential, "covers": [],
    }  # fmt: skip
    return session.execute(
        insert(Message).values(row).on_conflict_do_nothing(index_elements=["dedupe_key"]).returning(Message.id)
    ).scalar_one_or_none()
