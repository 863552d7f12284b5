"""Sends what is waiting: claims a text or mail, hands it over, notes the answer; after a crash, finds out (SMS-12).

Claiming moves `send_after` a minute ahead, which is a lease: a text still `calling` when that minute is over was
being handed over when its process died, and is looked up before anything is repeated.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.context import as_persons, as_propagation
from notifications import status
from notifications.channels.channel import Accepted, Channel, Failed, OutgoingText
from notifications.may_go import Held, may_go
from notifications.outgoing import outgoing
from notifications.remedies import apply_remedy
from notifications.status import Remedy, remedy_for
from notifications.tables import ContactPoint, Message
from notifications.tell import tell_by_another_way
from notifications.texting import Texting
from notifications.texts import STARTED_BY_SERVICE
from notifications.topics import TOPICS

log = structlog.get_logger()

LEASE = timedelta(minutes=1)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
REPEATS_IN_DOUBT = 1
"""How often a text other than a reminder may go out again when we cannot know (decisions, Outside world)."""


@dataclass(frozen=True)
class Claimed:
    """A text to hand over now, or (`interrupted`) one whose handing over was cut short at `since`."""

    id: UUID
    person: UUID
    text: OutgoingText
    kind: str
    attempts: int
    interrupted: bool
    since: datetime


@dataclass
class SendReport:
    """How one round went; `held` is true when the network refuses our whole service."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    held: bool = False


def send_due(texting: Texting, channel: Channel, now: datetime, limit: int = 50, hands: int = 1) -> SendReport:
    """Send what is due: first what is not part of a campaign, then oldest first, `hands` at a time.

    Any number of workers may run this: a text is claimed by one of them. Letters are not ours to send.
    """
    report = SendReport()
    with texting.database.begin(as_propagation()) as session:
        due = session.execute(
            select(Message.id, Message.person_id)
            .where(Message.state.in_([status.INTENDED, status.SENDING_NOW]), Message.send_after <= now)
            .where(Message.channel != "letter")
            .order_by(Message.campaign_id.is_not(None), Message.send_after)
            .limit(limit)
        ).all()

    def one(row: tuple[UUID, UUID]) -> None:
        if report.held:
            return
        claimed = _claim(texting, *row, now)
        if claimed is None:
            report.deferred += 1
        else:
            _hand_over(texting, channel, claimed, now, report)

    if hands == 1 or len(due) < 2:
        for row in due:
            one((row[0], row[1]))
    else:
        with ThreadPoolExecutor(hands) as pool:
            list(pool.map(one, [(row[0], row[1]) for row in due]))
    return report


def _claim(texting: Texting, message_id: UUID, person: UUID, now: datetime) -> Claimed | None:
    with texting.database.begin(as_persons(person)) as session:
        message = session.scalars(
            select(Message)
            .where(Message.id == message_id, Message.send_after <= now)
            .where(Message.state.in_([status.INTENDED, status.SENDING_NOW]))
            .with_for_update(skip_locked=True)
        ).first()
        if message is None:
            return None
        contact = session.get_one(ContactPoint, message.contact_point_id)
        interrupted = message.state == status.SENDING_NOW
        since = message.state_at
        text = outgoing(texting, message, contact, now)
        if not interrupted:
            held = may_go(session, texting, message, contact, text, now)
            if held is not None:
                put_off(session, texting, message, held, now)
                return None
        message.send_after = now + LEASE
        if not interrupted:
            message.state, message.state_at = status.SENDING_NOW, now
            message.attempts += 1
        return Claimed(message.id, person, text, message.kind, message.attempts, interrupted, since)


def put_off(session: Session, texting: Texting, message: Message, held: Held, now: datetime) -> None:
    """It must not go now: tried again later, or ended here, and then what must reach the person goes another way."""
    if held.state is None:
        message.send_after = held.until or message.send_after
        return
    message.state, message.state_at = held.state, now
    log.info("text_ended", message_id=str(message.id), state=held.state)
    if held.state == status.SUPPRESSED and message.topic and TOPICS[message.topic].must_reach:
        tell_by_another_way(session, texting, message, now)


def _hand_over(texting: Texting, channel: Channel, claimed: Claimed, now: datetime, report: SendReport) -> None:
    outcome = _look_up(texting, channel, claimed) if claimed.interrupted else channel.send(claimed.text)
    with texting.database.begin(as_persons(claimed.person)) as session:
        message = session.get_one(Message, claimed.id, with_for_update=True)
        if outcome is None:
            return
        if isinstance(outcome, Accepted):
            _accepted(message, outcome, now)
            report.sent += 1
        elif message.sid is None:
            _not_accepted(session, texting, message, outcome, now, report)


def _look_up(texting: Texting, channel: Channel, claimed: Claimed) -> Accepted | Failed | None:
    """What became of a text that was cut short: found, not there, or None while the network cannot be asked."""
    found = channel.sent_to(claimed.text.to, claimed.since - LEASE)
    if found is None:
        return None
    with texting.database.begin(as_persons(claimed.person)) as session:
        known = set(session.scalars(select(Message.sid).where(Message.sid.in_([one.sid for one in found]))))
    for one in found:
        if one.body == claimed.text.body and one.sid not in known:
            return Accepted(one.sid, one.status)
    if claimed.kind in STARTED_BY_SERVICE or claimed.attempts > REPEATS_IN_DOUBT:
        return Failed("in-doubt", retry=False)
    return Failed("interrupted", retry=True)


def _accepted(message: Message, outcome: Accepted, now: datetime) -> None:
    if message.sid is not None and message.sid != outcome.sid:
        log.warning("text_repeated", message_id=str(message.id))
        return
    message.sid = outcome.sid
    message.state, message.state_at = status.higher(message.state, outcome.status), now
    message.sent_at = message.sent_at or now
    message.error_code = None
    message.body_sealed = None  # a code has left; nobody needs to read it here any more
    log.info("text_sent", message_id=str(message.id), kind=message.kind, attempts=message.attempts)


def _not_accepted(
    session: Session, texting: Texting, message: Message, failed: Failed, now: datetime, report: SendReport
) -> None:
    message.error_code = failed.code
    if failed.doubtful:
        return  # stays `calling` until the lease is over, and is then looked up
    remedy = remedy_for(failed.code) if failed.code.isdecimal() or "smtp-" in failed.code else Remedy.NONE
    pause = PAUSES[min(message.attempts, len(PAUSES)) - 1]
    if remedy is Remedy.STOP_ALL:
        report.held = True
        message.state, message.send_after = status.INTENDED, now + PAUSES[-1]
    elif (failed.retry or remedy is Remedy.RETRY_LATER) and message.attempts < len(PAUSES):
        message.state, message.send_after = status.INTENDED, now + pause
        report.deferred += 1
    else:
        message.state = status.DOUBTFUL if failed.code == "in-doubt" else "failed"
        report.failed += 1
    message.state_at = now
    log.warning("text_not_sent", message_id=str(message.id), code=failed.code, state=message.state)
    apply_remedy(session, texting, message, remedy, now)
    if message.state == "failed":
        tell_by_another_way(session, texting, message, now)
