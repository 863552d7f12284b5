"""A person's page for staff without a case of theirs: a reason first, seen by the person and by the leads. Letters."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import Audited, write_audit
from consent.audit_tables import StaffTask
from database.context import as_staff
from patient_portal.choices.receipts import reference_of
from patient_portal.edge.languages import COMPLETE
from patient_portal.edge.rate_limits import limited
from patient_portal.family.words import SHORT
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.staff import account_of, hospitals_of
from patient_portal.papers.completion_letter import TO, Completed, completion_letter
from patient_portal.papers.typesetting import pdf_of
from patient_portal.staff import openings
from patient_portal.staff.cases import kind_words
from patient_portal.staff.members import logins_of, names_of
from patient_portal.staff.people import Seen, see_person
from patient_portal.staff.queue import read_case
from patient_portal.wiring import now, wiring
from vocabulary.errors import Conflict, Invalid, NotFound

blueprint = Blueprint("staff_people", __name__, url_prefix="/staff")


@blueprint.get("/find")
@gate(Gate.STAFF)
def find() -> str:
    """Ask for a person's page by record number, with a reason."""
    return _find_page({}, {})


@blueprint.post("/find")
@gate(Gate.STAFF)
@limited("staff-find", per_minute=10)
def open_by_number() -> AnyResponse:
    """Open it for a quarter of an hour, or say what is missing."""
    actor, name, form = current_actor(), str(session.get("name", "")), request.form
    try:
        openings.checked_reason(form.get("why", ""))
        person, practice = openings.person_by_number(
            wiring(), actor, name, form.get("provider", ""), form.get("number", ""), now()
        )
        opening = openings.open_page(wiring(), actor, name, person, form.get("why", ""), now(), practice=practice)
    except Invalid as error:
        return make_response(_find_page(dict(form), error.fields), 422)
    return redirect(url_for("staff_people.person", opening=opening), 303)


@blueprint.post("/case/<int:case_no>/open")
@gate(Gate.STAFF)
@limited("staff-find", per_minute=10)
def open_of_case(case_no: int) -> AnyResponse:
    """Open the page of the person whom somebody else's case is about."""
    name, why = str(session.get("name", "")), request.form.get("why", "")
    try:
        opening = openings.open_page_of_case(wiring(), current_actor(), name, case_no, why, now())
    except Invalid:
        flash(gettext("Say in a few words why you open this page."), "warning")
        return redirect(url_for("staff.case", case_no=case_no), 303)
    return redirect(url_for("staff_people.person", opening=opening), 303)


@blueprint.get("/person/<uuid:opening>")
@gate(Gate.STAFF)
def person(opening: UUID) -> str:
    """The page, for as long as it is open."""
    actor = current_actor()
    with wiring().database.begin(as_staff(actor.practices, account_of(actor))) as database:
        whose = openings.opened_person(database, actor, opening, now())
        seen = see_person(database, wiring(), actor, whose, now())
        cases = database.execute(
            select(StaffTask.case_no, StaffTask.kind, StaffTask.closed_at)
            .where(StaffTask.person_id.in_(seen.persons))
            .order_by(StaffTask.case_no.desc())
        ).all()
    return render_template(
        "staff/person.html", seen=seen, opening=opening, cases=cases, kind_words=kind_words, short=SHORT
    )


@blueprint.post("/person/<uuid:opening>/authority/<uuid:authority>/end")
@gate(Gate.STAFF)
@limited("staff-case", per_minute=60)
def end_authority(opening: UUID, authority: UUID) -> AnyResponse:
    """Somebody may come to harm: who made this statement acts for them no more, on no paper of theirs."""
    try:
        openings.end_on_page(wiring(), current_actor(), opening, authority, now())
    except Conflict:
        flash(gettext("That had ended already."), "warning")
    else:
        flash(gettext("They no longer act for this person, on no paper of theirs."))
    return redirect(url_for("staff_people.person", opening=opening), 303)


@blueprint.get("/person/<uuid:opening>/letter-<to>.pdf")
@gate(Gate.STAFF)
@limited("paper", per_minute=30)
def letter(opening: UUID, to: str) -> Response:
    """The completion letter of a person whose page is open."""
    actor = current_actor()
    with wiring().database.begin(as_staff(actor.practices, account_of(actor))) as database:
        return _letter(database, openings.opened_person(database, actor, opening, now()), to)


@blueprint.get("/case/<int:case_no>/letter-<to>.pdf")
@gate(Gate.STAFF)
@limited("paper", per_minute=30)
def letter_of_case(case_no: int, to: str) -> Response:
    """The completion letter of the person whom the actor's own case is about."""
    actor = current_actor()
    with wiring().database.begin(as_staff(actor.practices, account_of(actor))) as database:
        found = read_case(database, case_no)
        whose = database.scalar(select(StaffTask.person_id).where(StaffTask.id == found.id))
        if whose is None or not found.shows_names_to(account_of(actor)):
            raise NotFound("case")
        return _letter(database, whose, to)


@blueprint.get("/openings")
@gate(Gate.LEAD)
def opened() -> str:
    """For leads: who opened a page without a case, when and why."""
    actor = current_actor()
    with wiring().database.begin(as_staff(actor.practices, account_of(actor))) as database:
        found = openings.read_openings(database, wiring().keyring)
        people = names_of(database, {each for one in found for each in (one.by, one.seen_by)})
        mine = logins_of(database, account_of(actor))
    return render_template("staff/openings.html", openings=found, people=people, mine=mine)


@blueprint.post("/openings/<uuid:opening>")
@gate(Gate.LEAD)
@limited("staff-case", per_minute=60)
def looked_at(opening: UUID) -> AnyResponse:
    """A lead has looked at why; never at their own."""
    openings.looked_at(wiring(), current_actor(), opening, now())
    return redirect(url_for("staff_people.opened"), 303)


def _letter(database: Session, whose: UUID, to: str) -> Response:
    """Conflict until every store concerned has confirmed the opt-out that stands."""
    if to not in TO:
        raise NotFound("letter")
    actor = current_actor()
    seen = see_person(database, wiring(), actor, whose, now())
    if seen.opt_out is None or not seen.is_complete:
        raise Conflict("not-confirmed-everywhere")
    line = Audited(
        whose, "staff.letter", "R", actor.kind.value, actor.account_id, actor_reference=session.get("name"),
        detail={"paper": f"completion-{to}"},
    )  # fmt: skip
    write_audit(database, now(), line)
    paper = completion_letter(_completed(seen), to, _language(seen), now())
    response = make_response(pdf_of(paper))
    response.content_type = "application/pdf"
    name = f"letter-{to}-{reference_of(seen.opt_out)}.pdf"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _completed(seen: Seen) -> Completed:
    assert seen.opt_out is not None
    return Completed(
        seen.opt_out, seen.named.name, seen.named.born, seen.practices, seen.rows, wiring().settings.help_phone
    )


def _language(seen: Seen) -> str:
    """The person's own language where every sentence is translated, else English."""
    return seen.language if seen.language in COMPLETE else "en"


def _find_page(typed: dict[str, str], wrong: dict[str, str]) -> str:
    hospitals = hospitals_of(current_actor())
    words: dict[tuple[str, str], str] = {
        ("why", "missing"): gettext("Say in a few words why you open this page."),
        ("why", "too-long"): gettext("Make this shorter: at most 500 characters."),
        ("provider", "missing"): gettext("Choose the hospital."),
        ("number", "missing"): gettext("Write the record number."),
        ("number", "nobody"): gettext("Nobody is known here by this number."),
    }
    errors = {name: words[name, code] for name, code in wrong.items()}
    return render_template("staff/find.html", hospitals=hospitals, typed=typed, errors=errors)
