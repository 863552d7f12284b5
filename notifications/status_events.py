"""Reports on our texts: any order, any number of times, the same end (requirements SMS-10, SMS-11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.context import as_persons, knowing, widen
from notifications import status
from notifications.channels.twilio_webhook import StatusReport
from notifications.intend import intend
from notifications.remedies import apply_remedy
from notifications.status import Remedy, remedy_for
from notifications.tables import ContactPoint, Message
from notifications.tell import AGAIN, tell_by_another_way
from notifications.texting import Texting
from notifications.texts import as_kind
from notifications.topics import TOPICS

log = structlog.get_logger()

AGAIN_AFTER = timedelta(hours=1)


def receive_status(texting: Texting, report: StatusReport, now: datetime) -> bool:
    """Take one signed report; False when it is about no text of ours (answered 204 all the same)."""
    return receive_reports(texting, [report], now) == 1


def receive_reports(texting: Texting, reports: Sequence[StatusReport], now: datetime) -> int:
    """Take signed reports in one transaction; how many were about texts of ours."""
    of_text: dict[UUID, list[StatusReport]] = {}
    for report in reports:
        if (known := _uuid(report.message)) is not None:
            of_text.setdefault(known, []).append(report)
    ours = 0
    with texting.database.begin(knowing(*(known.bytes for known in of_text))) as session:
        persons = set(session.scalars(select(Message.person_id).where(Message.id.in_(of_text))))
        if not persons:
            return 0
        widen(session, as_persons(*persons))
        locked = select(Message).where(Message.id.in_(of_text)).order_by(Message.id).with_for_update()
        for message in session.scalars(locked).all():
            ours += sum(_take(session, texting, message, report, now) for report in of_text[message.id])
    return ours


def _take(session: Session, texting: Texting, message: Message, report: StatusReport, now: datetime) -> bool:
    if message.sid not in (None, report.sid):
        log.warning("text_report_other_sid", message_id=str(message.id))
        return False
    if message.sid is None:
        # The report outran the answer, or the answer was lost in a crash: now we know that it was sent.
        message.sid, message.sent_at = report.sid, message.sent_at or now
    before = message.state
    message.state = status.higher(before, report.status)
    if message.state == before:
        return True
    message.state_at = now
    remedy = remedy_for(report.error_code)
    if report.error_code:
        message.error_code = report.error_code[: status.LONGEST]
        apply_remedy(session, texting, message, remedy, now)
    if message.state in status.NOT_DELIVERED and not _once_more(session, texting, message, remedy, now):
        tell_by_another_way(session, texting, message, now)
    return True


def _once_more(session: Session, texting: Texting, message: Message, remedy: Remedy, now: datetime) -> bool:
    """A phone that was off is tried again an hour later, once; True when it will be."""
    about = TOPICS.get(message.topic)
    again = remedy in (Remedy.RETRY_LATER, Remedy.RETRY_ONCE) and not message.dedupe_key.endswith(AGAIN)
    if about is None or about.started or not again:
        return False
    contact = session.get_one(ContactPoint, message.contact_point_id)
    intend(
        session, texting, message.person_id, as_kind(message.kind), message.dedupe_key + AGAIN, now,
        contact=contact, send_after=now + AGAIN_AFTER, topic=message.topic, essential=message.essential,
    )  # fmt: skip
    return True


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
