"""Reminders: finish what you began, look what became of it. The person sets them; each goes out at most once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from database.context import as_persons, as_propagation
from notifications.tables import Reminder
from notifications.tell import tell_in
from notifications.texting import Texting
from vocabulary.errors import Invalid

log = structlog.get_logger()

About = str
"""An opaque key of what it is about, such as `choices`; no text says it."""
STALE_AFTER = timedelta(days=2)
"""A reminder that could not go out in two days is no longer of use."""
FURTHEST = timedelta(days=90)


def set_reminder(
    texting: Texting, person: UUID, about: About, due_at: datetime, now: datetime, topic: str = "reminders"
) -> UUID:
    """Remember to tell at `due_at`; a newer reminder about the same thing takes the place of the older one."""
    if not now <= due_at <= now + FURTHEST:
        raise Invalid("reminder-date", {"due_at": "not-within-90-days"})
    reminder = uuid4()
    with texting.database.begin(as_persons(person)) as session:
        _cancel(session, person, about)
        session.add(
            Reminder(
                id=reminder, person_id=person, about=about, due_at=due_at, state="set", created_at=now, topic=topic
            )
        )  # fmt: skip
    return reminder


def cancel_reminder(texting: Texting, person: UUID, about: About) -> None:
    """The person has finished, or does not want to be reminded."""
    with texting.database.begin(as_persons(person)) as session:
        _cancel(session, person, about)


def reminder_of(texting: Texting, person: UUID, about: About) -> datetime | None:
    """When the reminder that is set will go out."""
    with texting.database.begin(as_persons(person)) as session:
        return session.scalar(
            select(Reminder.due_at).where(
                Reminder.person_id == person, Reminder.about == about, Reminder.state == "set"
            )
        )


def release_reminders(texting: Texting, now: datetime, limit: int = 200) -> int:
    """Turn due reminders into waiting texts, each in one transaction; how many."""
    with texting.database.begin(as_propagation()) as session:
        due = session.execute(
            select(Reminder.id, Reminder.person_id)
            .where(Reminder.state == "set", Reminder.due_at <= now)
            .order_by(Reminder.due_at)
            .limit(limit)
        ).all()
    return sum(_release(texting, reminder, person, now) for reminder, person in due)


def _release(texting: Texting, reminder_id: UUID, person: UUID, now: datetime) -> bool:
    with texting.database.begin(as_persons(person)) as session:
        reminder = session.scalars(
            select(Reminder)
            .where(Reminder.id == reminder_id, Reminder.state == "set")
            .with_for_update(skip_locked=True)
        ).first()
        if reminder is None:
            return False
        reminder.state = "done"
        stale = reminder.due_at + STALE_AFTER
        tell_in(session, texting, person, reminder.topic, str(reminder.id), now, expires_at=stale)
        log.info("reminder_released", reminder=str(reminder.id))
        return True


def _cancel(session: Session, person: UUID, about: str) -> None:
    session.execute(
        update(Reminder)
        .where(Reminder.person_id == person, Reminder.about == about, Reminder.state == "set")
        .values(state="cancelled")
    )
