"""Take my record with me: in which form, which parts, and what the copy lacks, before it is made (DL-01 to DL-05)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from database.jobs import defer
from fhir_bridge.export import jobs
from fhir_bridge.reading.kinds import KIND_NAMES
from fhir_bridge.record_aside import aside
from fhir_bridge.record_copy import Wanted
from fhir_bridge.record_sources import counts
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.times import there
from patient_portal.family.standing import may_of_request
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.jobs import make_record_copy
from patient_portal.pages.own_record import own_record, own_session, provider_names
from patient_portal.pages.record_tiles import tiles_of
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.taking_away.making import FILES, NAMES, Form, is_small, open_copy, pieces
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid, NotFound
from vocabulary.phrase import phrase

blueprint = Blueprint("take_away", __name__)

FILE_POLICY = "sandbox; default-src 'none'"
_BACKWARDS = phrase("The last day is before the first. Change one of them.")
_NO_DAY = phrase("Write the day as year, month, day, such as 2024-05-31.")


@blueprint.get("/record/download")
@gate(Gate.FOR_PERSON)
def choose() -> str:
    """What there is to take, in which forms, and what it lacks."""
    return _page(Form.PDF, Wanted(), {})


@blueprint.post("/record/download")
@gate(Gate.FOR_PERSON)
@limited("record-download", per_minute=6)
def take() -> AnyResponse:
    """The file at once when it is small; else a job makes it. Without a form it is the whole FHIR Bundle."""
    form = _form()
    try:
        wanted = _wanted()
    except Invalid as problem:
        errors = {name: gettext(words) for name, words in problem.fields.items()}
        return make_response(_page(form, Wanted(), errors), 422)
    if not is_fresh(now()):
        return sign_in_again()
    actor, parts, apart = current_actor(), wiring(), may_of_request().own_care
    assert actor.person is not None
    with own_session() as session:
        language = copy_language(language_code())
        copy = open_copy(session, parts, actor.persons, form, wanted, language=language, now=there(now()),
                         apart=apart)  # fmt: skip
        write_audit(session, now(), by_actor(actor, "record.downloaded", "R", detail={"format": form.value}))
        if not is_small(copy, form):
            job = jobs.ask(
                session, person=actor.person, persons=actor.persons, form=form.value, language=language,
                wanted=wanted, total=copy.total, now=now(), apart=apart,
            )  # fmt: skip
            defer(session, make_record_copy, lock=f"copy:{actor.person}", person=str(actor.person), copy=str(job))
            return redirect(url_for("take_away.copy", copy_id=job), 303)
    return attached(pieces(copy, form), *FILES[form])


@blueprint.get("/record/download/<uuid:copy_id>")
@gate(Gate.FOR_PERSON)
def copy(copy_id: UUID) -> str:
    """How far a copy is; when it is made, the way to it."""
    actor = current_actor()
    assert actor.person is not None
    with own_session() as session:
        asked = _copy_of(session, actor.person, copy_id)
    return render_template("record/copy.html", asked=asked, name=NAMES[Form(asked.form)][0], ready=jobs.READY)


@blueprint.get("/record/download/<uuid:copy_id>/file")
@gate(Gate.FOR_PERSON)
@limited("record-download", per_minute=20)
def file(copy_id: UUID) -> AnyResponse:
    """A copy that was made, as often as one likes on its day."""
    actor, parts = current_actor(), wiring()
    assert actor.person is not None
    with own_session() as session:
        asked = _copy_of(session, actor.person, copy_id)
        if asked.state != jobs.READY:
            return redirect(url_for("take_away.copy", copy_id=copy_id), 303)
        if not is_fresh(now()):
            return sign_in_again()
        write_audit(session, now(), by_actor(actor, "record.downloaded", "R", detail={"format": asked.form}))
    return attached(jobs.kept_pieces(parts.database, parts.keyring, asked), *FILES[Form(asked.form)])


@blueprint.post("/record/download/<uuid:copy_id>/delete")
@gate(Gate.FOR_PERSON)
def throw_away(copy_id: UUID) -> AnyResponse:
    """Delete a copy before its day is over."""
    actor = current_actor()
    assert actor.person is not None
    with own_session() as session:
        _copy_of(session, actor.person, copy_id)
        jobs.throw_away(session, actor.person, copy_id)
    flash(gettext("The copy is deleted here. Files that you saved stay where you put them."))
    return redirect(url_for("take_away.choose"), 303)


def sign_in_again() -> AnyResponse:
    """A record leaves only after a sign-in that is fresh (DL-05)."""
    flash(gettext("To take your record with you, sign in once more. This keeps others from doing it."))
    return redirect(url_for("sign_in.choose", next=url_for("take_away.choose")), 303)


def copy_language(otherwise: str) -> str:
    """The language that a copy shall be written in: English or the reader's own."""
    asked = request.form.get("language", otherwise)
    return asked if asked in ("en", language_code()) else otherwise


def attached(body: bytes | Iterable[bytes], media_type: str, name: str) -> Response:
    """A file that is saved, never opened here, and kept by no cache."""
    response = make_response(Response(body, content_type=media_type))
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


def _copy_of(session: Session, person: UUID, copy: UUID) -> jobs.AskedCopy:
    """One copy; who acts for a minor has only those made without the minor's own care."""
    asked = jobs.copy_of(session, person, copy, now())
    if not _may_have(asked):
        raise NotFound("copy")
    return asked


def _may_have(asked: jobs.AskedCopy) -> bool:
    return asked.apart or not may_of_request().own_care


def _page(chosen: Form, wanted: Wanted, errors: dict[str, str]) -> str:
    actor = current_actor()
    assert actor.person is not None
    with own_record() as record:
        beside, counted = aside(record, now(), copies=True), counts(record)
    found, copies = beside.sources, [one for one in beside.copies if one.person == actor.person and _may_have(one)]
    tiles, _none = tiles_of(counted, found)
    return render_template(
        "record/download.html", sources=found, names=provider_names(), forms=NAMES, chosen=chosen, wanted=wanted,
        errors=errors, given=request.form, copies=copies, ready=jobs.READY, form_of=Form,
        total=sum(one.count + one.withdrawn for one in counted.values()),
        kinds=[(kind.value, name) for kind, name in KIND_NAMES.items() if kind in counted],
        lacking=[one for one in tiles if one.lacks], under_way=any(one.under_way for one in found),
    )  # fmt: skip


def _form() -> Form:
    named = request.form.get("form", Form.BUNDLE.value)
    if named not in {one.value for one in Form}:
        raise Invalid("form")
    return Form(named)


def _wanted() -> Wanted:
    known = {one.value for one in KIND_NAMES}
    kinds = frozenset(request.form.getlist("kinds")) & known
    days = {name: _day(name) for name in ("since", "until")}
    if days["since"] and days["until"] and days["since"] > days["until"]:
        raise Invalid("days", {"until": _BACKWARDS.msgid})
    return Wanted(frozenset() if kinds == known else kinds, days["since"], days["until"])


def _day(name: str) -> str:
    given = request.form.get(name, "").strip()
    if not given:
        return ""
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError as error:
        raise Invalid("day", {name: _NO_DAY.msgid}) from error
