"""Reminders on days 20, 30 and 60 after a clinic got a letter, to those who want them, naming no clinic (SMS-08)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from notifications.reminders import cancel_reminder, reminder_of, set_reminder
from notifications.texting import Texting
from patient_portal.in_touch.reminding import morning_of

DAYS = (20, 30, 60)


def remind(texting: Texting, person: UUID, request: UUID, asked_on: date, now: datetime) -> int:
    """Set the reminders that are still to come, in place of older ones about this letter; how many."""
    stop_reminding(texting, person, request)
    mornings = [(day, morning_of(texting, person, asked_on + timedelta(days=day))) for day in DAYS]
    coming = [(day, morning) for day, morning in mornings if morning > now]
    for day, morning in coming:
        set_reminder(texting, person, _about(request, day), morning, now, "access-clock")
    return len(coming)


def stop_reminding(texting: Texting, person: UUID, request: UUID) -> None:
    """It is over, or the person does not want them."""
    for day in DAYS:
        cancel_reminder(texting, person, _about(request, day))


def next_reminder(texting: Texting, person: UUID, request: UUID) -> datetime | None:
    """When the next one goes out."""
    due = [reminder_of(texting, person, _about(request, day)) for day in DAYS]
    return min((moment for moment in due if moment), default=None)


def _about(request: UUID, day: int) -> str:
    return f"access/{day}/{request}"
