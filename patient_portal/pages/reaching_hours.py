"""When we reach a person: language, time zone, hours of the day, and a pause."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import format_time, gettext
from werkzeug.wrappers import Response as AnyResponse

from notifications.preferences import Times, read_preferences, save_times
from notifications.texts import LANGUAGES
from patient_portal.edge.languages import offered
from patient_portal.edge.page_context import language_code, say
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.times import IN_SESSION
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.texting import texting_of
from patient_portal.in_touch.zones import UNKNOWN, ZONES
from patient_portal.pages.notifications import Given
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid

blueprint = Blueprint("hours", __name__, url_prefix="/notifications")
FIRST_HOUR, LAST_HOUR = 8, 20


@blueprint.get("/times")
@gate(Gate.PATIENT)
def times() -> str:
    """Language, time zone, hours and a pause."""
    return _times_page(Given())


@blueprint.post("/times")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def keep_times() -> AnyResponse:
    """Keep them; what cannot be is kept on the page and explained."""
    names = ("language", "zone", "opens", "closes", "pause")
    given = Given({name: request.form.get(name, "")[:40] for name in names})
    try:
        times = _as_times(given.values)
        save_times(texting_of(wiring(), current_actor()), _person(), times, now())
    except Invalid as error:
        said = {
            "zone": gettext("Choose a time zone from the list."),
            "hours": gettext("Choose at least two hours between 8 in the morning and 8 in the evening."),
            "pause": gettext("Choose a day from tomorrow on, at most a year away."),
        }
        field = {"hours": "opens"}.get(error.reason, error.reason)
        given.errors[field] = said.get(error.reason, said["hours"])
        return make_response(_times_page(given), 422)
    session[IN_SESSION] = times.zone
    flash(gettext("Saved."))
    return redirect(url_for("hours.times"), 303)


def _as_times(values: dict[str, str]) -> Times:
    """The form as times; Invalid names the field that cannot be read."""
    zone = values["zone"]
    if zone not in ZONES:
        raise Invalid("zone")
    hours = values["opens"], values["closes"]
    if not all(hour.isdecimal() and len(hour) <= 2 for hour in hours):
        raise Invalid("hours")
    try:
        day = date.fromisoformat(values["pause"]) if values["pause"] else None
        ends = datetime.combine(day, time(FIRST_HOUR), ZoneInfo(zone or UNKNOWN)) if day else None
        pause = ends.astimezone(UTC) if ends else None
    except (ValueError, OverflowError):
        raise Invalid("pause") from None
    language = values["language"] if values["language"] in LANGUAGES else None
    return Times(language, zone or None, int(hours[0]), int(hours[1]), pause)


def _times_page(given: Given) -> str:
    kept = read_preferences(texting_of(wiring(), current_actor()), _person()).times
    zone = kept.zone or ""
    paused = kept.pause_until.astimezone(ZoneInfo(zone or UNKNOWN)).date().isoformat() if kept.pause_until else ""
    values: dict[str, Any] = {
        "language": kept.language or language_code(), "zone": zone, "opens": str(kept.opens),
        "closes": str(min(kept.closes, LAST_HOUR)), "pause": paused,
    }  # fmt: skip
    shown = {language.code: language.own_name for language in offered(wiring().settings.languages)}
    hours = [(str(hour), _clock(hour)) for hour in range(FIRST_HOUR, LAST_HOUR + 1)]
    return render_template(
        "notifications/times.html",
        given=given,
        values=values | given.values,
        zones=[(zone, say(words)) for zone, words in ZONES.items()],
        languages_of_messages=[(code, name) for code, name in shown.items() if code in LANGUAGES],
        hours=hours,
    )


def _clock(hour: int) -> str:
    return str(format_time(time(hour), "short", rebase=False))


def _person() -> UUID:
    person = current_actor().person
    assert person is not None
    return person
