"""Times as people read them: in the reader's own zone and with its name; beside them, for machines, in UTC.

The one place that chooses the zone of a page. A person reads in the zone that they set for messages, and so does who
acts for them or helps them; everybody else, and whoever set none, in the zone of the service. A day without a time (a
date of a paper, a deadline of the law) has no zone and stays as it is.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from flask import Flask, has_request_context, session
from flask_babel import format_date, format_time
from markupsafe import Markup

from notifications.quiet_hours import is_zone
from patient_portal.gates import current_actor
from patient_portal.wiring import wiring
from vocabulary.actor import ActorKind

IN_SESSION = "zone"
OF_A_PERSON = frozenset({ActorKind.PATIENT, ActorKind.PROXY, ActorKind.HELPER})


def zone_name() -> str:
    """The IANA zone in which this request's reader reads; outside a request the service's."""
    if has_request_context() and current_actor().kind in OF_A_PERSON:
        own = session.get(IN_SESSION)
        if isinstance(own, str) and is_zone(own):
            return own
    return wiring().settings.time_zone


def there(value: datetime) -> datetime:
    """The same moment on the reader's clock; what has no zone is in UTC."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(ZoneInfo(zone_name()))


def day(value: datetime | date | None) -> Markup:
    """A day in the reader's language, such as `3 October 2026`."""
    return _element(value, _date(value, "long")) if value else Markup("")


def short_day(value: datetime | date | None) -> Markup:
    """A day in few letters, for lists."""
    return _element(value, _date(value, "medium")) if value else Markup("")


def clock_time(value: datetime) -> Markup:
    """A time of the day, with its zone: `9:05 AM EST`."""
    return _element(value, _clock(value))


def moment(value: datetime | None) -> Markup:
    """A day and a time, with its zone."""
    return _element(value, f"{_date(value, 'medium')}, {_clock(value)}") if value else Markup("")


def add_times(app: Flask) -> None:
    """Install the filters."""
    for words in (day, short_day, clock_time, moment):
        app.add_template_filter(words)


def _date(value: datetime | date, length: str) -> str:
    # Converted here: the libraries' own way would ask for the zone once more.
    return str(format_date(there(value).date() if isinstance(value, datetime) else value, length))


def _clock(value: datetime) -> str:
    local = there(value)
    # Without a name for it the offset is said; a zone's short name is the same in every language of the country.
    name = local.strftime("%Z")
    zone = name if name.isalpha() else f"UTC{name}"
    return f"{format_time(local.replace(tzinfo=None), 'short', rebase=False)} {zone}"


def _element(value: datetime | date, words: str) -> Markup:
    """HTML's `time`: a moment in UTC to the second, a day as it is."""
    machine = there(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else f"{value}"
    return Markup('<time datetime="{}">{}</time>').format(machine, words)
