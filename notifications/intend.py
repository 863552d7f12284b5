"""Writes down that a text is to be sent, in the transaction of its reason; sending it is another's work."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications import status
from notifications.tables import ContactPoint, Message
from notifications.texting import Texting, confirmed_contact
from notifications.texts import Kind, render


def intend(
    session: Session,
    texting: Texting,
    person: UUID,
    kind: Kind,
    dedupe_key: str,
    now: datetime,
    *,
    contact: ContactPoint | None = None,
    code: str | None = None,
    send_after: datetime | None = None,
    expires_at: datetime | None = None,
) -> UUID | None:
    """The id of the text now waiting; None when the person has no number or this text is already there.

    `dedupe_key` makes the intent single however often its reason is read. Whether the person wants texts, and the
    hour, are asked when it is sent, so that a STOP in between counts.
    """
    contact = contact or confirmed_contact(session, person)
    if contact is None:
        return None
    message = uuid4()
    body = render(kind, contact.language, texting.programme, code=code)
    row = {
        "id": message, "person_id": person, "contact_point_id": contact.id, "dedupe_key": dedupe_key, "kind": kind,
        "language": contact.language, "body_sealed": texting.seal_body(message, body), "state": status.INTENDED,
        "attempts": 0, "created_at": now, "send_after": send_after or now, "expires_at": expires_at, "state_at": now,
    }  # fmt: skip
    return session.execute(
        insert(Message).values(row).on_conflict_do_nothing(index_elements=["dedupe_key"]).returning(Message.id)
    ).scalar_one_or_none()
