"""Records a person asked a clinic for by letter: write it, keep the clock, note what came (HIP-01…04)."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from database.context import Context, as_persons
from fhir_bridge.access import law
from fhir_bridge.access.added_files import added_files
from fhir_bridge.access.clock import ENDS, Event, EventKind, wrong_with
from fhir_bridge.access.letter import LONGEST, read_letter
from fhir_bridge.access.requests import OwnRequest, note, own_request, own_requests, write_letter
from patient_portal.choices.choosing import new_form
from patient_portal.edge.page_context import language_code, say
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.access_reminders import next_reminder, remind, stop_reminding
from patient_portal.in_touch.reminding import can_remind
from patient_portal.in_touch.texting import texting_of
from patient_portal.pages.get_record import form_options, letter_answer
from patient_portal.papers.request_letter import MEDIA_TYPES, languages_of_letter
from patient_portal.wiring import now, today_here, wiring
from patient_portal.words import access_words as words
from vocabulary.calendar_day import day_at
from vocabulary.errors import Conflict, Invalid, NotFound

blueprint = Blueprint("access", __name__, url_prefix="/access")
WITHOUT_A_DAY = (EventKind.WITHDRAWN, EventKind.REOPENED)


@blueprint.get("")
@gate(Gate.FOR_PERSON)
def overview() -> str:
    """Every letter and where it stands."""
    with wiring().database.begin(_own()) as session:
        found = own_requests(session, wiring().keyring, current_actor().persons)
    today = today_here()
    rows = [(one, one.stands(today)) for one in found]
    return render_template(
        "access/overview.html", rows=[(one, at, words.lead_of(at)) for one, at in rows], stages=words.STAGES
    )


@blueprint.get("/new")
@gate(Gate.FOR_PERSON)
def new() -> str:
    """My clinic is not here: name it, and what is wanted."""
    return _form({}, {})


@blueprint.post("/new")
@gate(Gate.FOR_PERSON)
@limited("access-letter", per_minute=10)
def write() -> AnyResponse:
    """Keep the letter, sealed; the same form sent twice is one letter."""
    letter, wrong = read_letter(request.form)
    if letter is None:
        return make_response(_form({name: str(say(said)) for name, said in wrong.items()}, request.form.to_dict()), 422)
    actor, person = current_actor(), _person()
    with wiring().database.begin(_own()) as session:
        made = write_letter(session, wiring().keyring, person, letter, _form_key(), now())
        write_audit(session, now(), by_actor(actor, "access.asked", "C", person=person))
    flash(gettext("Your letter is ready."))
    return redirect(url_for("access.status", request_id=made), 303)


@blueprint.get("/<uuid:request_id>")
@gate(Gate.FOR_PERSON)
def status(request_id: UUID) -> str:
    """Where it stands in plain words, and what can be done next."""
    return _status(request_id, {}, {})


@blueprint.post("/<uuid:request_id>")
@gate(Gate.FOR_PERSON)
@limited("access-note", per_minute=30)
def add(request_id: UUID) -> AnyResponse:
    """Note what happened; the clock follows from it."""
    today, actor = today_here(), current_actor()
    with wiring().database.begin(_own()) as session:
        kept = own_request(session, wiring().keyring, actor.persons, request_id)
        event, errors = _event(kept, today)
        fine = event is not None and not errors
        if event and fine and note(session, wiring().keyring, kept, event, _form_key(), now()):
            line = by_actor(actor, "access.noted", "C", person=kept.person, detail={"what": event.kind.value})
            write_audit(session, now(), line)
    if event is None or not fine:
        return make_response(_status(request_id, errors, request.form.to_dict()), 422)
    _reminders(kept, event)
    flash(gettext("Noted."))
    return redirect(url_for("access.status", request_id=request_id), 303)


@blueprint.get("/<uuid:request_id>/letter.<language>.<ending>")
@gate(Gate.FOR_PERSON)
@limited("paper", per_minute=30)
def letter(request_id: UUID, language: str, ending: str) -> AnyResponse:
    """The letter as a file, in English or in the reader's language."""
    if ending not in MEDIA_TYPES or language not in languages_of_letter(language):
        raise NotFound("letter")
    actor = current_actor()
    with wiring().database.begin(_own()) as session:
        kept = own_request(session, wiring().keyring, actor.persons, request_id)
        line = by_actor(actor, "paper.downloaded", "R", person=kept.person, detail={"paper": "request-letter"})
        write_audit(session, now(), line)
    return letter_answer(kept.letter, language, ending, kept.written_at)


def _reminders(kept: OwnRequest, event: Event) -> None:
    """Set or end the reminders, as the person ticked and as it now stands."""
    texting = texting_of(wiring(), current_actor())
    if event.kind in ENDS:
        stop_reminding(texting, kept.person, kept.id)
    elif event.kind is EventKind.ASKED:
        if request.form.get("asked-remind") == "yes" and can_remind(texting, kept.person, "access-clock"):
            remind(texting, kept.person, kept.id, event.on, now())
        else:
            stop_reminding(texting, kept.person, kept.id)


def _event(kept: OwnRequest, today: date) -> tuple[Event | None, dict[str, str]]:
    """What the form says happened, and what to mend, by field. Conflict when it cannot be noted now."""
    sent = request.form
    try:
        kind = EventKind(sent.get("kind", ""))
    except ValueError:
        raise Invalid("kind") from None
    if kind not in kept.stands(today).next:
        raise Conflict("not-now")
    errors: dict[str, str] = {}
    on = today if kind in WITHOUT_A_DAY else _day(f"{kind}-on", errors, needed=True)
    until = _day(f"{kind}-until", errors, needed=False) if kind is EventKind.EXTENDED else None
    reason = sent.get(f"{kind}-reason", "").strip() if kind in (EventKind.EXTENDED, EventKind.REFUSED) else ""
    if len(reason) > LONGEST["wanted"]:
        errors[f"{kind}-reason"] = str(say(words.LONG_REASON))
    if on is None or errors:
        return None, errors
    event = Event(kind, on, until, reason)
    found = wrong_with(event, kept.events, today)
    return event, {f"{kind}-{name}": str(say(words.WRONG[wrong])) for name, wrong in found.items()}


def _day(name: str, errors: dict[str, str], *, needed: bool) -> date | None:
    typed = request.form.get(name, "").strip()
    if not typed:
        if needed:
            errors[name] = str(say(words.NO_DAY))
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        errors[name] = str(say(words.UNREADABLE_DAY))
        return None


def _form(errors: dict[str, str], given: dict[str, str]) -> str:
    return render_template(
        "access/new.html", errors=errors, given=given, options=form_options(), form=given.get("key") or new_form()
    )


def _status(request_id: UUID, errors: dict[str, str], given: dict[str, str]) -> str:
    actor, parts = current_actor(), wiring()
    with parts.database.begin(_own()) as session:
        kept = own_request(session, parts.keyring, actor.persons, request_id)
        files = [one for one in added_files(session, parts.keyring, actor.persons) if one.request == kept.id]
    texting, today = texting_of(parts, actor), today_here()
    stands, written_on = kept.stands(today), day_at(kept.written_at, wiring().settings.time_zone)
    return render_template(
        "access/status.html", one=kept, stands=stands, lead=words.lead_of(stands), stage=words.STAGES[stands.stage],
        doubts=[words.DOUBTS[doubt] for doubt in stands.doubts], summaries=words.SUMMARIES, days=words.DAYS,
        happened=words.happened(written_on, kept.events),
        files=files, errors=errors, given=given, today=today, form=new_form(), law=law,
        letters=languages_of_letter(language_code()), can_remind=can_remind(texting, kept.person, "access-clock"),
        reminder=next_reminder(texting, kept.person, kept.id),
    )  # fmt: skip


def _form_key() -> str:
    key = request.form.get("key", "")
    if not 8 <= len(key) <= 64:
        raise Invalid("form")
    return key


def _own() -> Context:
    actor = current_actor()
    return as_persons(*actor.persons, account=actor.account_id)


def _person() -> UUID:
    person = current_actor().person
    assert person is not None
    return person
