"""Whether a person can be reminded, and when their morning is: by the ways, hours and zone they chose."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from notifications.contact import contact_of
from notifications.preferences import read_preferences
from notifications.reminders import reminder_of
from notifications.texting import Texting
from patient_portal.in_touch.zones import UNKNOWN
from vocabulary.errors import Invalid

MORNING = time(9)
ABOUT_CHOICES = "choices"
"""What the reminder that a person sets for themselves is about."""


def can_remind(texting: Texting, person: UUID, topic: str) -> bool:
    """Whether there is a way by which the person wants to hear of it: a text, a mail or a letter."""
    return bool(read_preferences(texting, person).told[topic])


def morning_of(texting: Texting, person: UUID, day: date) -> datetime:
    """Nine in the morning of this day where the person is."""
    return datetime.combine(day, MORNING, ZoneInfo(zone_of(texting, person))).astimezone(UTC)


def zone_of(texting: Texting, person: UUID) -> str:
    """The person's time zone: what they chose for messages, else what they gave with their number."""
    contact = contact_of(texting, person)
    return read_preferences(texting, person).times.zone or (contact.zone if contact else None) or UNKNOWN


def chosen_morning(texting: Texting, person: UUID, typed: str, now: datetime) -> datetime:
    """The morning of a day from tomorrow on; ValueError or Invalid for any other."""
    day = date.fromisoformat(typed)
    if day <= now.astimezone(ZoneInfo(zone_of(texting, person))).date():
        raise Invalid("reminder-date")
    return morning_of(texting, person, day)


def reminder_of_choices(texting: Texting, person: UUID) -> dict[str, Any]:
    """For the page: the day of the reminder that is set (`remind_on`), and whether there is a way for one."""
    due, zone = reminder_of(texting, person, ABOUT_CHOICES), ZoneInfo(zone_of(texting, person))
    return {
        "remind_on": due.astimezone(zone).date() if due else None,
        "can_remind": can_remind(texting, person, "reminders"),
    }
