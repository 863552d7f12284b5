"""Papers to keep: the signed copy, the paper twin of a decision, the form without an account; and what changed between
two versions of a consent text. PDFs are made when they are asked for and are kept nowhere."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy.orm import Session

from consent.audit import by_actor, write_audit
from consent.authorization import ConsentText
from consent.decision import Decision, donation_to
from consent.kept_texts import kept_text
from consent.paper_twin import twin_codes
from consent.seal import newest_head
from consent.status import Progress, read_status
from consent.text_versions import said_changes, what_changed
from database.context import as_persons
from patient_portal.choices.choosing import TEXTS, effort_or_not_found, read_choices
from patient_portal.choices.receipts import reference_of
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.papers.decision_paper import decision_paper
from patient_portal.papers.opt_out_form import opt_out_form
from patient_portal.papers.signed_copy import signed_pdf
from patient_portal.papers.typesetting import pdf_of
from patient_portal.papers.words import HEADINGS
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound

blueprint = Blueprint("papers", __name__)
UNCONFIRMED = frozenset({Progress.WAITING, Progress.ACCEPTED, Progress.NOT_CONFIRMED, Progress.WITH_STAFF})


@blueprint.get("/choices/decision/<uuid:decision_id>/signed.pdf")
@gate(Gate.FOR_PERSON)
@limited("paper", per_minute=30)
def signed(decision_id: UUID) -> Response:
    """The signed copy, in the language of the form (HIP-11 (c)(4))."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        decision = read_choices(session, wiring(), actor.persons).entry(decision_id).decision
        pdf = signed_pdf(session, wiring(), decision)
        _note(session, decision, "signed-form")
    return _file(pdf, f"signed-form-{reference_of(decision)}.pdf")


@blueprint.get("/choices/decision/<uuid:decision_id>/paper.pdf")
@gate(Gate.FOR_PERSON)
@limited("paper", per_minute=30)
def twin(decision_id: UUID) -> Response:
    """The decision on one page, with the codes that restore it after a total loss."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, wiring(), actor.persons)
        entry = choices.entry(decision_id)
        rows = read_status(session, choices.history, choices.stores_of(entry.decision), choices.known, now())
        head = newest_head(session, covering=entry.position) if entry.position is not None else None
        _note(session, entry.decision, "choice-on-paper")
    scanned = twin_codes(wiring().keyring, entry.decision, entry.position, head)
    waits = [row.name for row in rows if row.progress in UNCONFIRMED]
    paper = decision_paper(entry.decision, scanned, language_code(), placed=head is not None, unconfirmed=waits)
    return _file(pdf_of(paper), f"choice-{reference_of(entry.decision)}.pdf")


@blueprint.get("/without-account/form.pdf")
@gate(Gate.PUBLIC)
@limited("paper", per_minute=30)
def form() -> Response:
    """The form for those without an account, in the reader's language."""
    paper = opt_out_form(language_code(), wiring().settings.help_phone)
    return _file(pdf_of(paper), "my-choice.pdf")


@blueprint.get("/choices/efforts/<effort_id>/changes")
@gate(Gate.FOR_PERSON)
def changes(effort_id: str) -> str:
    """What is different between two versions of an effort's form: in plain words first, then word for word.

    `from` and `to` are versions; without them, from the one that the person signed to the newest in their language.
    """
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, wiring(), actor.persons)
        effort = effort_or_not_found(choices, effort_id)
        signed_on = choices.standing.answered(donation_to(effort.id)).decision
        newest = TEXTS.newest(effort.id, language_code()) or TEXTS.newest(effort.id, "en")
        if newest is None:
            raise NotFound("text")
        after = _words(session, newest, _version("to", newest.version))
        first = signed_on.text_version if signed_on and signed_on.text_version else newest.version
        before = _words(session, newest, _version("from", first))
    return render_template(
        "choices/changes.html",
        effort=effort,
        before=before,
        after=after,
        said=said_changes([text for text in TEXTS.all if _same_form(text, newest)], before.version, after.version),
        changes=what_changed(before, after),
        headings=HEADINGS,
        signed_on=signed_on if signed_on and not signed_on.is_no else None,
    )


def _words(session: Session, form: ConsentText, version: int) -> ConsentText:
    """One version of a form in the same language, as it was kept; NotFound when there is none."""
    found = kept_text(session, form.id, version, form.language) or TEXTS.exactly(form.id, version, form.language)
    if found is None:
        raise NotFound("text")
    return found


def _same_form(text: ConsentText, form: ConsentText) -> bool:
    return (text.id, text.language) == (form.id, form.language)


def _version(name: str, otherwise: int) -> int:
    asked = request.args.get(name, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else otherwise


def _note(session: Session, decision: Decision, paper: str) -> None:
    """Who took a paper away stands in the audit (HIP-25)."""
    line = by_actor(current_actor(), "paper.downloaded", "R", person=decision.person_id, detail={"paper": paper})
    write_audit(session, now(), line)


def _file(pdf: bytes, name: str) -> Response:
    response = make_response(pdf)
    response.content_type = "application/pdf"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
