"""Tells a person of something, by the ways they chose: the one verb by which other parts of the portal reach people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import any_, literal, select
from sqlalchemy.orm import Session

from database.context import as_persons
from notifications import status
from notifications.intend import intend
from notifications.silence import is_silent
from notifications.tables import ContactConsent, ContactPoint, Message
from notifications.texting import TEXTS, Texting
from notifications.topics import TOPICS, WAYS, Topic, Way, as_way, ways_for

log = structlog.get_logger()

AGAIN = ":again"
"""At the end of the key of a text that is tried a second time."""

STALE_AFTER = timedelta(days=14)
"""What the service started and could not send in two weeks is no longer of use; the portal still shows it."""


@dataclass(frozen=True)
class Told:
    """By which ways a person is told; none when they want none. `new`: something waits now that did not before.

    `letter`: the letter to print and post (`portal messages letters`), when one waits now that did not before.
    `by_others`: only a letter is left and we know no address; whoever knows one was asked (`Texting.unreached`).
    """

    ways: tuple[Way, ...]
    new: bool
    letter: UUID | None = None
    by_others: bool = False


def tell(
    texting: Texting,
    person: UUID,
    topic: str,
    reference: str,
    now: datetime,
    *,
    essential: bool = False,
    expires_at: datetime | None = None,
) -> Told:
    """Tell `person` of a `topic` (a key of `TOPICS`), once for each `reference`, however often this is called.

    The words are the topic's and say nothing of what happened; `reference` is an opaque key, such as a decision's id.
    `essential`: goes also when the day's budget is used up (opt-outs and their confirmations). KeyError for a topic
    that does not exist. Inside a transaction of your own use `tell_in`.
    """
    with texting.database.begin(as_persons(person)) as session:
        return tell_in(session, texting, person, topic, reference, now, essential=essential, expires_at=expires_at)


def tell_in(
    session: Session,
    texting: Texting,
    person: UUID,
    topic: str,
    reference: str,
    now: datetime,
    *,
    essential: bool = False,
    expires_at: datetime | None = None,
    but_not: Collection[Way] = (),
) -> Told:
    """`tell` inside a transaction that reaches the person's rows: what happened and the message are one commit.

    `but_not`: ways by which it could not be delivered just now.
    """
    about = TOPICS[topic]
    contacts = open_contacts(session, person)
    open_now = [way for way in contacts if way not in but_not]
    ways = ways_for(about, open_now, chosen_ways(session, contacts, topic))
    new, letter = False, None
    stale = now + STALE_AFTER if about.started else None
    for way in ways:
        contact = contacts.get(way)
        if contact is None or way in but_not:
            texting.unreached(session, person, reference, now)
            return Told(ways, new, by_others=True)
        key = key_of(topic, reference, way)
        if about.started and _joined_to_a_waiting_one(session, person, about, way, key):
            continue
        until = expires_at or stale
        if until is not None and way == "letter":
            until = max(until, now + STALE_AFTER)  # letters are printed when somebody comes to it
        message = intend(
            session, texting, person, about.kind, key, now,
            contact=contact, way=way, topic=topic, essential=essential, expires_at=until,
        )  # fmt: skip
        new = new or message is not None
        letter = message if way == "letter" else letter
    return Told(ways, new, letter)


def key_of(topic: str, reference: str, way: Way) -> str:
    """What makes a message single: its topic, its reason and its way."""
    return f"{topic}:{reference}" if way == "sms" else f"{topic}:{reference}:{way}"


def tell_by_another_way(session: Session, texting: Texting, message: Message, now: datetime) -> Told | None:
    """What could not be delivered goes by the next way that is open and wanted, once (SMS-11); what has to reach the
    person goes by letter at last. None for codes and campaigns, which end where they are, and for who was reported
    dead (HIP-16)."""
    person, topic, way = message.person_id, message.topic, as_way(message.channel)
    if not topic or message.campaign_id is not None or is_silent(session, person):
        return None
    reference = message.dedupe_key.removesuffix(AGAIN).removeprefix(f"{topic}:")
    if way != "sms":
        reference = reference.removesuffix(f":{way}")
    failed = select(Message.channel).where(
        Message.dedupe_key.in_([key_of(topic, reference, each) for each in WAYS]),
        Message.person_id == person,
        Message.state.in_(status.NOT_DELIVERED),
    )
    tried = {way, *(as_way(each) for each in session.scalars(failed))}
    log.info("message_by_another_way", message_id=str(message.id))
    return tell_in(
        session, texting, person, topic, reference, now,
        essential=message.essential, expires_at=message.expires_at, but_not=tried,
    )  # fmt: skip


def open_contacts(session: Session, person: UUID) -> dict[Way, ContactPoint]:
    """The person's proven number, proven mail address and postal address, those not stopped; the newest of each."""
    found: dict[Way, ContactPoint] = {}
    for contact in session.scalars(
        select(ContactPoint)
        .where(ContactPoint.person_id == person, ContactPoint.state == "confirmed")
        .order_by(ContactPoint.confirmed_at)
    ):
        found[contact.channel] = contact  # type: ignore[index]  # the column holds only ways
    return {way: contact for way, contact in found.items() if answer_to(session, contact.id, TEXTS) is True}


def chosen_ways(session: Session, contacts: Mapping[Way, ContactPoint], topic: str) -> dict[Way, bool]:
    """The person's own yes or no to one topic, by each way; a way they have said nothing of is missing."""
    said = {way: answer_to(session, contact.id, topic) for way, contact in contacts.items()}
    return {way: answer for way, answer in said.items() if answer is not None}


def answer_to(session: Session, contact: UUID, topic: str) -> bool | None:
    """The newest yes or no by this contact point about `topic`; None when nothing was said."""
    newest = session.scalar(
        select(ContactConsent.answer)
        .where(ContactConsent.contact_point_id == contact, ContactConsent.topic == topic)
        .order_by(ContactConsent.id.desc())
        .limit(1)
    )
    return None if newest is None else newest == "yes"


def _joined_to_a_waiting_one(session: Session, person: UUID, topic: Topic, way: Way, key: str) -> bool:
    """True when it needs no message of its own: it is told already, or one of the same topic still waits.

    The words of both would be the same, so the one that waits tells of all (digests instead of bursts).
    """
    mine = (Message.person_id == person, Message.topic == topic.id, Message.channel == way)
    if session.scalar(select(Message.id).where(*mine, literal(key) == any_(Message.covers)).limit(1)):
        return True
    waiting = session.scalars(
        select(Message).where(*mine, Message.state == status.INTENDED, Message.dedupe_key != key).limit(1)
        .with_for_update()
    ).first()  # fmt: skip
    if waiting is None or session.scalar(select(Message.id).where(Message.dedupe_key == key)):
        return False
    waiting.covers = [*waiting.covers, key]
    log.info("message_joined", message_id=str(waiting.id))
    return True
