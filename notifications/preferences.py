"""What a person wants to hear of, by which way, in which language and at which hours: read whole, saved by parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.context import as_persons
from notifications.contact import Agreement, proof_of
from notifications.quiet_hours import CLOSES, OPENS, Hours, is_zone
from notifications.tables import ContactPoint, MessageSetting
from notifications.tell import chosen_ways, open_contacts
from notifications.texting import Texting, record_wish
from notifications.topics import TOPICS, Way, ways_for
from vocabulary.errors import Invalid

LONGEST_PAUSE = timedelta(days=365)


@dataclass(frozen=True)
class Times:
    """In which language, in which IANA zone and at which hours of the day; quiet until `pause_until`."""

    language: str | None = None
    zone: str | None = None
    opens: int = OPENS.hour
    closes: int = CLOSES.hour
    pause_until: datetime | None = None


@dataclass(frozen=True)
class Preferences:
    """`open_ways`: proven and not stopped. `told`: for each topic the ways it goes by as things stand."""

    open_ways: tuple[Way, ...]
    told: Mapping[str, tuple[Way, ...]]
    times: Times


def read_preferences(texting: Texting, person: UUID) -> Preferences:
    """Everything as it stands now."""
    with texting.database.begin(as_persons(person)) as session:
        contacts = open_contacts(session, person)
        told = {
            topic.id: ways_for(topic, contacts.keys(), chosen_ways(session, contacts, topic.id))
            for topic in TOPICS.values()
        }
        kept = session.get(MessageSetting, person)
        times = Times(kept.language, kept.zone, kept.opens, kept.closes, kept.pause_until) if kept else Times()
        return Preferences(tuple(contacts), told, times)


def own_zone(session: Session, person: UUID) -> str | None:
    """The IANA zone that a person set for messages, else the one they gave with a number; None when they gave none."""
    given = select(ContactPoint.zone).where(ContactPoint.person_id == person, ContactPoint.zone.is_not(None)).limit(1)
    kept = select(MessageSetting.zone).where(MessageSetting.person_id == person)
    found = session.scalar(select(func.coalesce(kept.scalar_subquery(), given.scalar_subquery())))
    return found if found and is_zone(found) else None


def save_topics(
    texting: Texting, person: UUID, ticked: Collection[tuple[str, Way]], agreement: Agreement, words: Mapping[str, str],
    now: datetime,
) -> int:  # fmt: skip
    """Make the boxes hold: each topic goes by exactly the ways ticked for it; how many answers were added.

    `words`: what stood beside each topic, kept with the answer as proof (SMS-01). Ways that are not open are left.
    """
    added = 0
    with texting.database.begin(as_persons(person)) as session:
        contacts = open_contacts(session, person)
        for topic in TOPICS.values():
            said = chosen_ways(session, contacts, topic.id)
            wanted = {way for way in contacts if (topic.id, way) in ticked}
            if wanted == set(ways_for(topic, contacts.keys(), said)) & set(contacts):
                continue
            for way, contact in contacts.items():
                if said.get(way) is (way in wanted):
                    continue
                shown = replace(agreement, text=f"{words[topic.id]} [{way}]")
                proof = proof_of(texting.open_number(contact), shown, now).sealed_form()
                answer = "yes" if way in wanted else "no"
                record_wish(session, texting, contact, answer, "web", proof, now, topic=topic.id)
                added += 1
    return added


def save_times(texting: Texting, person: UUID, times: Times, now: datetime) -> None:
    """Keep language, zone, hours and pause; Invalid names the field that cannot be (`zone`, `hours`, `pause`)."""
    if times.zone is not None and not is_zone(times.zone):
        raise Invalid("zone")
    if not Hours(times.opens, times.closes).are_possible:
        raise Invalid("hours")
    if times.pause_until is not None and not now < times.pause_until <= now + LONGEST_PAUSE:
        raise Invalid("pause")
    row = {
        "person_id": person, "language": times.language, "zone": times.zone, "opens": times.opens,
        "closes": times.closes, "pause_until": times.pause_until, "changed_at": now,
    }  # fmt: skip
    with texting.database.begin(as_persons(person)) as session:
        made = insert(MessageSetting).values(row)
        session.execute(made.on_conflict_do_update(index_elements=["person_id"], set_=row))
        texting.note(session, person, "topics.changed", "web", now)
