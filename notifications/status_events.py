"""Reports on our texts: any order, any number of times, the same end (requirements SMS-10, SMS-11)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select

from database.context import as_persons, knowing, widen
from notifications import status
from notifications.channels.twilio_webhook import StatusReport
from notifications.intend import intend
from notifications.remedies import apply_remedy
from notifications.status import Remedy, remedy_for
from notifications.tables import ContactPoint, Message
from notifications.texting import Texting
from notifications.texts import Kind

log = structlog.get_logger()

AGAIN_AFTER = timedelta(hours=1)
_WORTH_REPEATING: dict[str, Kind] = {"update": "update", "changed-for-you": "changed-for-you"}


def receive_status(texting: Texting, report: StatusReport, now: datetime) -> bool:
    """Take one signed report; False when it is about no text of ours (answered 204 all the same)."""
    message_id = _uuid(report.message)
    if message_id is None:
        return False
    with texting.database.begin(knowing(message_id.bytes)) as session:
        person = session.scalar(select(Message.person_id).where(Message.id == message_id))
        if person is None:
            return False
        widen(session, as_persons(person))
        message = session.get_one(Message, message_id, with_for_update=True)
        if message.sid not in (None, report.sid):
            log.warning("text_report_other_sid", message=str(message.id))
            return False
        if message.sid is None:
            # The report outran the answer, or the answer was lost in a crash: now we know that it was sent.
            message.sid, message.sent_at = report.sid, message.sent_at or now
        before = message.state
        message.state = status.higher(before, report.status)
        if message.state == before:
            return True
        message.state_at = now
        if report.error_code:
            message.error_code = report.error_code[: status.LONGEST]
            remedy = remedy_for(report.error_code)
            apply_remedy(session, texting, message, remedy, now)
            kind = _WORTH_REPEATING.get(message.kind)
            if kind and remedy in (Remedy.RETRY_LATER, Remedy.RETRY_ONCE):
                contact = session.get_one(ContactPoint, message.contact_point_id)
                key = f"{message.dedupe_key}:again"
                if not message.dedupe_key.endswith(":again"):
                    intend(
                        session, texting, person, kind, key, now, contact=contact, send_after=now + AGAIN_AFTER,
                        topic=message.topic, essential=message.essential,
                    )  # fmt: skip
    return True


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
