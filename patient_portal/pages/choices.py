"""My choices: what stands, what would change, the decision itself, and what every store did about it.

Saying no takes no more steps than saying yes, and no step-up (SEC-31, HIP-13).
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.asked import EFFORT_ENDED, OPTED_OUT, SHUT_OUT, Asked, check_standing
from consent.audit import by_actor, write_audit
from consent.authorization import ConsentText
from consent.decision import CANCERLINQ, Answer, DataCategory, SensitiveClass, donation_to
from consent.duo.plain_choices import SAYS
from consent.duo.stated import says_about_itself
from consent.efforts import Effort
from consent.kept_texts import signed_text
from consent.record_decision import read_evidence
from consent.status import all_confirmed, read_status
from consent.text_versions import asks_again
from database.context import as_persons
from patient_portal.choices.choosing import (
    TEXTS,
    Choices,
    asked_by,
    choices_of,
    effort_or_not_found,
    new_form,
    note_denied,
    read_choices,
    record,
    what_would_change,
)
from patient_portal.choices.receipts import receipt_document, reference_of
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.times import zone_name
from patient_portal.family.filled_in import decided, left_by_helper
from patient_portal.family.standing import waits_for
from patient_portal.family.words import relation_in
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.papers.signed_copy import attachment
from patient_portal.wiring import now, wiring
from research.deliveries import deliveries_of
from vocabulary.errors import Conflict, Invalid

blueprint = Blueprint("choices", __name__, url_prefix="/choices")


@blueprint.get("")
@gate(Gate.READS)
def overview() -> str:
    """Every choice, each on its own, with where it stands."""
    choices = choices_of(wiring(), current_actor())
    stands = {each.id: choices.standing.donation(each) for each in choices.efforts}
    return render_template(
        "choices/overview.html",
        choices=choices,
        standing=choices.standing,
        scopes=SAYS,
        outside={each.id: choices.shut_out(each) for each in choices.efforts},
        changed={name for name, each in stands.items() if each.permits and asks_again(each.decision, TEXTS)},
        form=new_form(),
    )


@blueprint.get("/cancerlinq")
@gate(Gate.READS)
def cancerlinq() -> str:
    """In or out of CancerLinQ: what would change, before it is confirmed."""
    choices = choices_of(wiring(), current_actor())
    answer = Answer.YES if choices.standing.opted_out else Answer.NO
    text = TEXTS.newest("cancerlinq", language_code()) or TEXTS.newest("cancerlinq", "en")
    asked = asked_by(current_actor(), CANCERLINQ, answer, new_form(), text)
    rows = what_would_change(choices, asked)
    return render_template(
        "choices/cancerlinq.html", choices=choices, rows=rows, text=text, form=asked.idempotency_key,
        waits=waits_for(current_actor()) if asked.answer is Answer.YES else None,
    )  # fmt: skip


@blueprint.post("/cancerlinq")
@gate(Gate.FOR_PERSON)
@limited("decide", per_minute=30)
def decide_cancerlinq() -> AnyResponse:
    """Record the answer and show what each store does with it."""
    text = TEXTS.newest("cancerlinq", language_code()) or TEXTS.newest("cancerlinq", "en")
    return _recorded(asked_by(current_actor(), CANCERLINQ, _answer(), _form(), text))


@blueprint.get("/efforts/<effort_id>")
@gate(Gate.READS)
def effort(effort_id: str) -> str:
    """Read what an effort is and gets, and decide."""
    choices = choices_of(wiring(), current_actor())
    found = effort_or_not_found(choices, effort_id)
    return _effort_page(choices, found, {}, {})


@blueprint.post("/efforts/<effort_id>")
@gate(Gate.FOR_PERSON)
@limited("decide", per_minute=30)
def decide_effort(effort_id: str) -> AnyResponse:
    """Sign a donation, or say no: the no needs nothing but the press of a button."""
    choices = choices_of(wiring(), current_actor())
    found = effort_or_not_found(choices, effort_id)
    answer = _answer()
    text = TEXTS.newest(found.id, language_code())
    asked = asked_by(current_actor(), donation_to(found.id), answer, _form(), text)
    if answer is Answer.NO:
        return _recorded(asked)
    errors = _donation_errors()
    try:
        check_standing(asked, choices.decisions, now(), choices.bounds)
        if errors:
            return make_response(_effort_page(choices, found, errors, dict(request.form)), 422)
        return _recorded(_donation(asked))
    except Conflict as error:
        if error.reason not in (EFFORT_ENDED, OPTED_OUT, SHUT_OUT):
            raise
        note_denied(wiring(), asked, error.reason)
    return make_response(_effort_page(choices_of(wiring(), current_actor()), found, {}, {}, refused=True), 409)


@blueprint.get("/stop-all")
@gate(Gate.FOR_PERSON)
def stop_all() -> str:
    """What "stop all research sharing" would end."""
    choices = choices_of(wiring(), current_actor())
    asked = asked_by(current_actor(), None, Answer.NO, new_form(), None)
    rows = what_would_change(choices, asked)
    given = (choices.standing.donation(each).decision for each in choices.efforts)
    nothing = all(each is None or each.is_no for each in given)
    return render_template("choices/stop_all.html", nothing=nothing, rows=rows, form=asked.idempotency_key)


@blueprint.post("/stop-all")
@gate(Gate.FOR_PERSON)
@limited("decide", per_minute=30)
def decide_stop_all() -> AnyResponse:
    """End every donation in one step."""
    return _recorded(asked_by(current_actor(), None, Answer.NO, _form(), None))


@blueprint.get("/decision/<uuid:decision_id>")
@gate(Gate.FOR_PERSON)
def status(decision_id: UUID) -> str:
    """What became of a decision in every store; `?part=1` is only the list, for the script that keeps it current."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, wiring(), actor.persons)
        entry = choices.entry(decision_id)
        rows = read_status(session, choices.history, choices.stores_of(entry.decision), choices.known, now())
        sent = [each for each in deliveries_of(session, actor.persons) if each.effort_id == entry.decision.effort]
    page = "choices/_stores.html" if request.args.get("part") else "choices/status.html"
    return render_template(
        page,
        choices=choices,
        entry=entry,
        decision=entry.decision,
        rows=rows,
        settled=all_confirmed(rows),
        sent=sent,
        reference=reference_of(entry.decision),
        effort=next((each for each in choices.efforts if each.id == entry.decision.effort), None),
    )


@blueprint.get("/decision/<uuid:decision_id>/receipt")
@gate(Gate.FOR_PERSON)
def receipt(decision_id: UUID) -> Response:
    """The receipt of a decision: what was decided, by whom, its place, and what each store has signed so far."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, wiring(), actor.persons)
        entry = choices.entry(decision_id)
        rows = read_status(session, choices.history, choices.stores_of(entry.decision), choices.known, now())
        copy = attachment(session, wiring(), entry.decision)
        document = receipt_document(session, wiring(), entry, rows, copy)
        write_audit(session, now(), by_actor(actor, "receipt.downloaded", "R", person=entry.decision.person_id))
    response = make_response(document)
    response.content_type = "application/json"
    response.headers["Content-Disposition"] = f'attachment; filename="receipt-{reference_of(entry.decision)}.json"'
    return response


@blueprint.get("/decision/<uuid:decision_id>/signed")
@gate(Gate.FOR_PERSON)
def signed(decision_id: UUID) -> str:
    """The signed copy: exactly the words that were shown, with name, time and meaning (HIP-11 (c)(4))."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        decision = read_choices(session, wiring(), actor.persons).entry(decision_id).decision
        evidence = read_evidence(wiring().keyring, decision)
        text = signed_text(session, decision, evidence, TEXTS)
    return render_template(
        "choices/signed.html", decision=decision, text=text, name=evidence.get("signed_name", ""),
        relation=relation_in(evidence), reference=reference_of(decision),
    )  # fmt: skip


def _effort_page(
    choices: Choices, effort: Effort, errors: dict[str, str], given: dict[str, str], *, refused: bool = False
) -> str:
    text = TEXTS.newest(effort.id, language_code())
    stands = choices.standing.donation(effort)
    draft = left_by_helper(effort.id)
    left = draft.form if draft and not errors else {}
    return render_template(
        "choices/effort.html",
        choices=choices,
        effort=effort,
        stands=stands,
        form_changed=stands.permits and asks_again(stands.decision, TEXTS),
        text=text,
        english=TEXTS.newest(effort.id, "en") if text is None else None,
        may_sign=text is not None and _reviewed(text),
        waits=waits_for(current_actor()),
        draft=draft,
        refused=refused,
        outside=choices.shut_out(effort),
        states=says_about_itself(effort.id, now().date()),
        errors=errors,
        chosen=request.form.getlist("categories") if errors else left.get("categories", []),
        switched=request.form.getlist("sensitive") if errors else [],
        signed_name=given.get("signed_name", ""),
        form=given.get("form") or new_form(),
        categories=list(DataCategory),
        sensitive=list(SensitiveClass),
    )


def _reviewed(text: ConsentText) -> bool:
    return text.review == "approved" or not wiring().settings.production


def _donation_errors() -> dict[str, str]:
    errors = {}
    if not request.form.getlist("categories"):
        errors["categories"] = gettext("Tick at least one part to share.")
    if not request.form.get("signed_name", "").strip():
        errors["signed_name"] = gettext("Type your full name to sign.")
    return errors


def _donation(asked: Asked) -> Asked:
    try:
        categories = frozenset(DataCategory(each) for each in request.form.getlist("categories"))
        sensitive = frozenset(SensitiveClass(each) for each in request.form.getlist("sensitive"))
    except ValueError:
        raise Invalid("unknown-part") from None
    name = request.form["signed_name"].strip()[:200]
    # The hash of the words goes into the sealed signature, and with it into the decision's leaf (P11-01).
    evidence = {"signed_name": name, "zone": zone_name()} | ({"text_sha256": asked.text.sha256} if asked.text else {})
    return replace(asked, categories=categories, sensitive=sensitive, evidence=evidence)


def _recorded(asked: Asked) -> AnyResponse:
    recorded = record(wiring(), asked)
    if asked.subject is not None and asked.subject.effort is not None:
        decided(asked.subject.effort)
    if recorded.governing is None:
        shown = next(iter(recorded.decisions), None)
        if shown is None:
            flash(gettext("There was nothing to stop: you do not share with any study."))
        target = url_for("choices.status", decision_id=shown.id) if shown else url_for("choices.overview")
        return redirect(target, 303)
    return redirect(url_for("choices.status", decision_id=recorded.governing.id), 303)


def _answer() -> Answer:
    try:
        return Answer(request.form.get("answer", ""))
    except ValueError:
        raise Invalid("answer") from None


def _form() -> str:
    form = request.form.get("form", "")
    if not 8 <= len(form) <= 64:
        raise Invalid("form")
    return form
