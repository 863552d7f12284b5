"""The care team's one screen, opened from a chart: take this person out of CancerLinQ, and nothing else.

Whatever else staff try with their session is refused by the gate, and leaves a line in the person's audit.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, session, url_for
from flask_babel import format_date, gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from consent.decision import CANCERLINQ, Answer
from consent.person_identity import practice_names
from consent.status import all_confirmed, read_status
from database.context import as_persons
from patient_portal.care_team import (
    HOW,
    WHO_ASKED,
    OptOutForm,
    for_staff,
    opt_out,
    problems,
    read_form,
    staff_text,
    tell_person,
)
from patient_portal.care_team_hospital import RelationEnded
from patient_portal.care_team_session import ended, patient_in_chart, to_list_without_chart
from patient_portal.choosing import Choices, asked_by, new_form, read_choices, record, what_would_change
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.page_context import language_code
from patient_portal.rate_limits import limited
from patient_portal.receipts import reference_of
from patient_portal.wiring import now, wiring
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import NotFound

blueprint = Blueprint("care_team", __name__, url_prefix="/care-team")
blueprint.register_error_handler(RelationEnded, ended)
DECIDING = {"choices.decide_cancerlinq": "cancerlinq", "choices.decide_effort": "donation"}


@blueprint.before_request
def still_cares() -> AnyResponse | None:
    """Before anything about a patient is shown or done: is this still their care team? (threats.md abuse case 10)."""
    if current_actor().kind is not ActorKind.CARE_TEAM:
        return None  # the gate has the word
    away = to_list_without_chart()
    if away is None:
        g.staff = session.get("staff")  # the session may end with the answer
        g.patient = patient_in_chart()
    return away


@blueprint.get("")
@gate(Gate.CARE_TEAM)
def chart() -> str:
    """Who the chart is about, where they stand, and the one form."""
    return _screen(OptOutForm("", "", "", "", new_form()), {})


@blueprint.post("")
@gate(Gate.CARE_TEAM)
@limited("decide", per_minute=30)
def decide() -> AnyResponse:
    """Record the opt-out, or show what is missing with everything that was typed."""
    form = read_form(request.form)
    wrong = problems(form, now())
    if wrong:
        return make_response(_screen(form, wrong), 422)
    actor = current_actor()
    asked = opt_out(
        actor, form, practice=_practice(actor), staff=str(session["staff"]), text=staff_text(language_code()),
        language=language_code(), now=now(),
    )  # fmt: skip
    recorded = record(wiring(), asked)
    assert recorded.governing is not None, "an opt-out always has a decision that holds"
    for decision in recorded.decisions:
        tell_person(wiring().database, decision.person_id, decision.id, decision.practice, now())
    again = None if recorded.decisions else 1
    return redirect(url_for("care_team.done", decision_id=recorded.governing.id, again=again), 303)


@blueprint.get("/done/<uuid:decision_id>")
@gate(Gate.CARE_TEAM)
def done(decision_id: UUID) -> str:
    """What each system said so far about an opt-out of the person in this chart."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        choices = for_staff(read_choices(database, wiring(), actor.persons))
        decision = choices.entry(decision_id).decision
        if not decision.is_no:
            raise NotFound("decision")
        rows = read_status(database, choices.history, choices.stores, choices.known, now())
        _note_reading(database, actor)
    return render_template(
        "care_team/done.html",
        banner=_banner(),
        decision=decision,
        stands=choices.standing.opted_out,
        again=bool(request.args.get("again")),
        rows=rows,
        settled=all_confirmed(rows),
        reference=reference_of(decision),
    )


@blueprint.after_app_request
def note_refusal(response: Response) -> Response:
    """SMART-65, SEC-08: what staff were refused stands in the audit of the person whose chart is open."""
    actor = current_actor()
    if response.status_code != 403 or actor.kind is not ActorKind.CARE_TEAM or actor.person is None:
        return response
    staff = g.get("staff") or session.get("staff")
    if request.method in {"GET", "HEAD"}:
        event = "record.read" if request.blueprint == "record" else "choices.read"
        line = by_actor(actor, event, "R", outcome="4", actor_reference=staff)
    else:
        detail = {"why": g.get("why_refused", "care-team-opt-out-only")}
        if request.endpoint in DECIDING:
            detail["choice"] = DECIDING[request.endpoint]
        line = by_actor(actor, "decision.denied", "C", outcome="4", detail=detail, actor_reference=staff)
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        write_audit(database, now(), line)
    return response


def _screen(form: OptOutForm, wrong: dict[str, str]) -> str:
    actor = current_actor()
    practice = _practice(actor)
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        choices = for_staff(read_choices(database, wiring(), actor.persons))
        clinic = practice_names(database, [practice]).get(practice, wiring().provider(actor.provider_id or "").name)
        _note_reading(database, actor)
    return render_template(
        "care_team/chart.html",
        banner=_banner(),
        clinic=clinic,
        choices=choices,
        standing=choices.standing,
        rows=_preview(choices, actor),
        form=form,
        text=staff_text(language_code()),
        errors={name: _words(name, code) for name, code in wrong.items()},
        who=[(value, words) for value, words in zip(WHO_ASKED, _who_words(), strict=True)],
        how=[(value, words) for value, words in zip(HOW, _how_words(), strict=True)],
    )


def _preview(choices: Choices, actor: Actor) -> object:
    return what_would_change(choices, asked_by(actor, CANCERLINQ, Answer.NO, new_form(), None))


def _note_reading(database: Session, actor: Actor) -> None:
    detail = {"provider": actor.provider_id} if actor.provider_id else {}
    write_audit(
        database, now(), by_actor(actor, "choices.read", "R", actor_reference=session.get("staff"), detail=detail)
    )


def _practice(actor: Actor) -> str:
    provider = wiring().provider(actor.provider_id or "")
    return provider.practice or f"{provider.id}-main"


def _banner() -> dict[str, str]:
    born = str(session.get("chart_birth_date", ""))
    try:
        shown = format_date(date.fromisoformat(born), "long")
    except ValueError:
        shown = born  # a birth date of lesser precision is shown as the hospital keeps it
    return {"name": str(session.get("chart_name", "")), "born": shown}


def _who_words() -> tuple[str, ...]:
    return (
        gettext("The patient"),
        gettext("Someone who may decide for the patient, such as a guardian"),
        gettext("A family member who passes on what the patient wants"),
        gettext("Someone else who passes on what the patient wants"),
    )


def _how_words() -> tuple[str, ...]:
    return gettext("In person"), gettext("By phone"), gettext("On paper: a letter or a form")


def _words(name: str, code: str) -> str:
    words: dict[tuple[str, str], str] = {
        ("who", "missing"): gettext("Choose who asked."),
        ("how", "missing"): gettext("Choose how they asked."),
        ("asked_on", "missing"): gettext("Give the date on the paper."),
        ("asked_on", "future"): gettext("This date has not come yet. Give the day on which they asked."),
        ("asked_on", "unreadable"): gettext("Give the date as year, month and day, such as 2026-10-03."),
        ("reason", "missing"): gettext("Write in a few words why you record this."),
        ("reason", "too-long"): gettext("Make this shorter: at most 500 characters."),
    }
    return words[name, code]
