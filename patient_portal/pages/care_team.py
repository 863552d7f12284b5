"""The care team's one screen, opened from a chart: take this person out of CancerLinQ, and nothing else.

Whatever else staff try with their session is refused by the gate, and leaves a line in the person's audit.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, flash, g, make_response, redirect, render_template, request, session, url_for
from flask_babel import force_locale, gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from consent.audit_tables import StaffTask
from consent.decision import CANCERLINQ, Answer
from consent.person_identity import practice_names
from consent.status import all_confirmed, read_status
from consent.void_entry import check_may_ask, pending_void
from database.context import as_persons
from fhir_bridge.access.added_files import add_file
from fhir_bridge.access.file_kinds import KINDS, kind_of
from patient_portal.care_team.chart import (
    HOW,
    WHO_ASKED,
    OptOutForm,
    for_staff,
    opt_out,
    problems,
    read_form,
    staff_text,
    task_of,
    tell_person,
    way_to_tell,
)
from patient_portal.care_team.session import banner, has_panel, member, watch
from patient_portal.choices.choosing import Choices, asked_by, new_form, read_choices, record, what_would_change
from patient_portal.choices.receipts import reference_of
from patient_portal.edge.body_limits import takes_files
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.added import MOST_BODY, why_not_kept
from patient_portal.signing_in.hospital_patient import preferred_language
from patient_portal.wiring import now, wiring
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, NotFound, PortalError

blueprint = Blueprint("care_team", __name__, url_prefix="/care-team")
watch(blueprint)
DECIDING = {"choices.decide_cancerlinq": "cancerlinq", "choices.decide_effort": "donation"}


@blueprint.get("")
@gate(Gate.CARE_TEAM)
def chart() -> str:
    """Who the chart is about, where they stand, and the one form."""
    return _screen(OptOutForm("", "", "", "", new_form()), {})


@blueprint.post("")
@gate(Gate.CARE_TEAM)
@takes_files(MOST_BODY)
@limited("decide", per_minute=30)
def decide() -> AnyResponse:
    """Record the opt-out, or show what is missing with everything that was typed.

    The form names its chart: sent from an older tab, after another patient was opened, it records nothing.
    """
    form, person = read_form(request.form), str(current_actor().person)
    if request.form.get("chart", person) != person:
        flash(gettext("Another patient was opened meanwhile. Nothing was recorded. Look whose chart this is."), "error")
        return redirect(url_for("care_team.chart"), 303)
    sent = request.files.get("paper")
    paper = sent.read() if sent is not None else b""
    wrong = {name: words_for(name, code) for name, code in problems(form, now()).items()}
    refused = why_not_kept(paper)[0] if paper else ""
    if refused:
        wrong["paper"] = refused
    if wrong:
        return make_response(_screen(form, wrong), 422)
    actor = current_actor()
    asked = opt_out(
        actor, form, practice=member().practice, staff=str(session["staff"]), text=staff_text(language_code()),
        language=language_code(), now=now(), paper=paper,
    )  # fmt: skip
    recorded = record(wiring(), asked)
    assert recorded.governing is not None, "an opt-out always has a decision that holds"
    if recorded.decisions:  # one notice, also where the patient has linked a second record
        told = recorded.governing
        tell_person(wiring().database, told.person_id, told.id, told.practice, now())
    if paper and recorded.decisions and not _keep(paper):
        flash(gettext("The opt-out is recorded, but there was no room for the scan. Keep the paper."), "warning")
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
        way = way_to_tell(database, decision.person_id)
        posted = database.scalar(select(StaffTask.closed_at).where(StaffTask.id == task_of(decision.id))) is not None
        _note_reading(database, actor)
    return render_template(
        "care_team/done.html",
        banner=banner(),
        decision=decision,
        stands=choices.standing.opted_out,
        again=bool(request.args.get("again")),
        rows=rows,
        settled=all_confirmed(rows),
        reference=reference_of(decision),
        way=way,
        posted=posted,
        panel=has_panel(),
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
    practice = member().practice
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        choices = for_staff(read_choices(database, wiring(), actor.persons))
        clinic = practice_names(database, [practice]).get(practice, wiring().provider(actor.provider_id or "").name)
        pending = pending_void(database, wiring().keyring, actor.person, member()) if actor.person else None
        _note_reading(database, actor)
    return render_template(
        "care_team/chart.html",
        banner=banner(),
        clinic=clinic,
        choices=choices,
        standing=choices.standing,
        rows=_preview(choices, actor),
        form=form,
        text=staff_text(language_code()),
        errors=wrong,
        pending=pending,
        may_void=_may_void(choices),
        panel=has_panel(),
        kinds=[kind.name for kind in KINDS.values()] if wiring().settings.upload_scanner else (),
        who=who_words(),
        how=how_words(),
    )


def _may_void(choices: Choices) -> bool:
    """Whether what stands is this member's own entry, which they may ask to take back."""
    entry = choices.standing.cancerlinq.decision
    if entry is None:
        return False
    try:
        check_may_ask(choices.decisions, entry.id, member())
    except PortalError:
        return False
    return True


def _keep(paper: bytes) -> bool:
    """Keep the scan sealed with the person's own key, among the files of their record; False when there is no room."""
    actor, kind = current_actor(), kind_of(paper)
    assert actor.person is not None
    assert kind is not None, "it was looked at"
    language = preferred_language(g.patient, wiring().settings.languages) or "en"
    with force_locale(language):
        name = gettext("Paper from your care team") + kind.ending
    try:
        with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
            if add_file(database, wiring().keyring, actor.person, paper, name, kind, now()):
                write_audit(database, now(), by_actor(actor, "file.added", "C", actor_reference=session.get("staff")))
    except Conflict:
        return False
    return True


def _preview(choices: Choices, actor: Actor) -> object:
    return what_would_change(choices, asked_by(actor, CANCERLINQ, Answer.NO, new_form(), None))


def _note_reading(database: Session, actor: Actor) -> None:
    detail = {"provider": actor.provider_id} if actor.provider_id else {}
    write_audit(
        database, now(), by_actor(actor, "choices.read", "R", actor_reference=session.get("staff"), detail=detail)
    )


def who_words() -> list[tuple[str, str]]:
    """Who may have asked, each code with its words."""
    words = (
        gettext("The patient"),
        gettext("Someone who may decide for the patient, such as a guardian"),
        gettext("A family member who passes on what the patient wants"),
        gettext("Someone else who passes on what the patient wants"),
    )
    return list(zip(WHO_ASKED, words, strict=True))


def how_words() -> list[tuple[str, str]]:
    """How they may have asked, each code with its words."""
    words = gettext("In person"), gettext("By phone"), gettext("On paper: a letter or a form")
    return list(zip(HOW, words, strict=True))


def words_for(name: str, code: str) -> str:
    """What to do about one thing that is missing or wrong in the form."""
    words: dict[tuple[str, str], str] = {
        ("who", "missing"): gettext("Choose who asked."),
        ("how", "missing"): gettext("Choose how they asked."),
        ("asked_on", "missing"): gettext("Give the date on the paper."),
        ("asked_on", "future"): gettext("This date has not come yet. Give the day on which they asked."),
        ("asked_on", "unreadable"): gettext("Give the date as year, month and day, such as 2026-10-03."),
        ("reason", "missing"): gettext("Write in a few words why you record this."),
        ("reason", "too-long"): gettext("Make this shorter: at most 500 characters."),
        ("signed_name", "too-long"): gettext("Make this shorter: at most 200 characters."),
    }
    return words[name, code]
