"""Letters of the practice: what a person is told on paper where no text and no mail can go, and that it was posted."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, flash, g, make_response, redirect, url_for
from flask_babel import gettext
from sqlalchemy import update
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from consent.audit_tables import StaffTask
from consent.decision import CANCERLINQ, Decision
from consent.history import read_history
from database.context import Context, as_persons
from patient_portal.care_team.chart import task_of
from patient_portal.care_team.session import asking, member, watch
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.papers.care_team_letter import care_team_letter, letter_to
from patient_portal.papers.typesetting import pdf_of
from patient_portal.signing_in.hospital_patient import preferred_language
from patient_portal.wiring import now, wiring
from vocabulary.actor import ActorKind
from vocabulary.errors import NotFound

blueprint = Blueprint("care_team_letters", __name__, url_prefix="/care-team/done")
watch(blueprint)


@blueprint.get("/<uuid:decision_id>/letter.pdf")
@gate(Gate.CARE_TEAM)
@limited("paper", per_minute=30)
def letter(decision_id: UUID) -> Response:
    """The letter, in the person's own language, with the name and address that the hospital gives just now."""
    decision = _recorded_by_staff(decision_id)
    settings = wiring().settings
    language = preferred_language(g.patient, settings.languages) or "en"
    written = letter_to(
        g.patient, decision, clinic=asking().provider.name, link=settings.base_url + url_for("choices.overview"),
        help_phone=settings.help_phone,
    )  # fmt: skip
    with wiring().database.begin(_own()) as session:
        line = by_actor(
            current_actor(), "paper.downloaded", "R", actor_reference=g.staff, detail={"paper": "letter-to-patient"}
        )
        write_audit(session, now(), line)
    response = make_response(pdf_of(care_team_letter(written, language, now())))
    response.content_type = "application/pdf"
    response.headers["Content-Disposition"] = 'attachment; filename="letter-to-patient.pdf"'
    return response


@blueprint.post("/<uuid:decision_id>/posted")
@gate(Gate.CARE_TEAM)
@limited("decide", per_minute=30)
def posted(decision_id: UUID) -> AnyResponse:
    """Staff say that the letter is on its way: nobody has to do it again."""
    decision = _recorded_by_staff(decision_id)
    with wiring().database.begin(_own()) as session:
        told = update(StaffTask).where(StaffTask.id == task_of(decision.id), StaffTask.closed_at.is_(None))
        session.execute(told.values(closed_at=now()))
    flash(gettext("Thank you. It is noted that the letter is on its way."))
    return redirect(url_for("care_team.chart"), 303)


def _recorded_by_staff(decision_id: UUID) -> Decision:
    """A decision about CancerLinQ that this practice's staff made for the person in the chart; NotFound for others."""
    with wiring().database.begin(_own()) as session:
        history = read_history(session, current_actor().persons)
    for made in (entry.decision for entry in history):
        by_staff = made.by.kind is ActorKind.CARE_TEAM and made.practice == member().practice
        if made.id == decision_id and made.subject == CANCERLINQ and by_staff:
            return made
    raise NotFound("decision")


def _own() -> Context:
    actor = current_actor()
    return as_persons(*actor.persons, account=actor.account_id)
