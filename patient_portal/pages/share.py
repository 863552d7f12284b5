"""Links by which a person lets a doctor open a copy, and the answers to those who come with one (SHL-01 to SHL-03)."""

from __future__ import annotations

import hmac
from datetime import timedelta
from io import BytesIO
from uuid import UUID

import orjson
import segno
from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from fhir_bridge.export import shared_links
from fhir_bridge.export.shared_links import LinkView
from fhir_bridge.record_copy import Wanted
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.times import there
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.own_record import own_session
from patient_portal.pages.take_away import copy_language, sign_in_again
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.taking_away.making import Form, open_copy
from patient_portal.taking_away.sharing import SHARED, shared_content
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("share", __name__)

LASTS: dict[str, tuple[timedelta, Phrase]] = {
    "day": (timedelta(days=1), phrase("1 day")),
    "week": (timedelta(days=7), phrase("1 week")),
    "month": (timedelta(days=30), phrase("1 month")),
    "quarter": (timedelta(days=90), phrase("3 months")),
}
CODE_PIXELS = 280  # as wide as the smallest screen allows
SHORTEST_PASSCODE, LONGEST_PASSCODE = 6, 100
_SHORT = phrase("Choose a passcode of 6 characters or more. Or tick that no passcode is needed.")
_LABEL = phrase("My health record")


@blueprint.get("/record/share")
@gate(Gate.PATIENT)
def overview() -> str:
    """The links that work and those that are over; a form for a new one."""
    return _page({})


@blueprint.post("/record/share")
@gate(Gate.PATIENT)
@limited("share", per_minute=6)
def make() -> AnyResponse:
    """Make a link to a copy of this moment."""
    what = request.form.get("what", "")
    lasts, passcode = request.form.get("lasts", ""), request.form.get("passcode", "").strip()
    if what not in {one.value for one in SHARED} or lasts not in LASTS:
        raise Invalid("share")
    open_to_all = request.form.get("open") == "yes"
    if not open_to_all and not SHORTEST_PASSCODE <= len(passcode) <= LONGEST_PASSCODE:
        return make_response(_page({"passcode": gettext(_SHORT.msgid)}), 422)
    if not is_fresh(now()):
        return sign_in_again()
    actor, parts, moment = current_actor(), wiring(), now()
    assert actor.person is not None
    form = Form(what)
    with own_session() as session:
        copy = open_copy(session, parts, actor.persons, form, Wanted(), language=copy_language("en"), now=there(moment))
    content = shared_content(copy, form)
    with own_session() as session:
        link = shared_links.make_link(
            session, parts.keyring, actor.person, content, label=gettext(_LABEL.msgid), what=what,
            passcode="" if open_to_all else passcode, now=moment, expires_at=moment + LASTS[lasts][0],
        )  # fmt: skip
        detail = {"format": f"health-link:{what}"}
        write_audit(session, moment, by_actor(actor, "record.downloaded", "R", detail=detail))
    return redirect(url_for("share.link", link_id=link), 303)


@blueprint.get("/record/share/<uuid:link_id>")
@gate(Gate.PATIENT)
def link(link_id: UUID) -> str:
    """One link: the code to scan, what it opens, until when, and who opened it."""
    found = _own(link_id)
    works = found.works(now())
    told = f"{wiring().settings.base_url}/shl#{found.link(_address())}" if works else ""
    return render_template(
        "record/link.html", link=found, told=told, picture=_picture(told) if told else "", works=works,
        what=SHARED[Form(found.what)], wrong=shared_links.WRONG_PASSCODE,
    )  # fmt: skip


@blueprint.post("/record/share/<uuid:link_id>/end")
@gate(Gate.PATIENT)
def end(link_id: UUID) -> AnyResponse:
    """End a link; it asks for no fresh sign-in, for it only ends something."""
    actor = current_actor()
    found = _own(link_id)
    assert actor.person is not None
    with own_session() as session:
        shared_links.end_link(session, actor.person, found.id, now())
    flash(gettext("The link does not work any more. Copies that somebody saved stay with them."))
    return redirect(url_for("share.overview"), 303)


@blueprint.get("/shl")
@gate(Gate.PUBLIC)
def what_it_is() -> str:
    """Where a scanned code leads in a browser: what it is and what to do with it. The link stays in the browser."""
    return render_template("record/shl.html")


def _page(errors: dict[str, str]) -> str:
    actor = current_actor()
    assert actor.person is not None
    with own_session() as session:
        links = shared_links.links_of(session, wiring().keyring, actor.person)
    return render_template(
        "record/share.html", links=links, errors=errors, shared=SHARED, lasts=LASTS, given=request.form,
        moment_now=now(), form_of=Form,
    )  # fmt: skip


def _own(link_id: UUID) -> LinkView:
    actor = current_actor()
    assert actor.person is not None
    with own_session() as session:
        return shared_links.link_of(session, wiring().keyring, actor.person, link_id)


def _address() -> str:
    return f"{wiring().settings.base_url}/shl/m/"


def _picture(told: str) -> str:
    """The code as SVG, error correction M as the specification asks."""
    out = BytesIO()
    code = segno.make_qr(told, error="m", boost_error=False)
    code.save(out, kind="svg", xmldecl=False, border=4, dark="#000", light="#fff", omitsize=True)
    return out.getvalue().decode().replace("<svg ", f'<svg width="{CODE_PIXELS}" height="{CODE_PIXELS}" ', 1)


holder = Blueprint("shl", __name__)
"""For those who hold a link: its 256-bit secret in the address stands for a signature, so no form token is asked."""

MOST_BODY = 20_000
PLACE_LIVES = timedelta(minutes=30)


@holder.post("/shl/m/<token>")
@gate(Gate.SIGNATURE)
@limited("health-link", per_minute=60)
def manifest(token: str) -> AnyResponse:
    """What a link with a passcode opens (SHL-02)."""
    asked = _asked()
    parts, moment = wiring(), now()
    recipient, passcode = asked.get("recipient"), asked.get("passcode")
    if not isinstance(recipient, str) or not recipient.strip():
        raise Invalid("recipient")
    try:
        opened = shared_links.open_link(
            parts.database, parts.keyring, token, recipient=recipient, now=moment,
            passcode=passcode if isinstance(passcode, str) else None,
        )  # fmt: skip
    except shared_links.WrongPasscode as wrong:
        return _json({"remainingAttempts": wrong.remaining}, 401)
    longest = asked.get("embeddedLengthMax")
    files = [_file(token, number, jwe, longest) for number, jwe in enumerate(opened.files)]
    made = {"lastUpdated": opened.made_at.isoformat(timespec="seconds"), "status": "finalized", "fhirVersion": "4.0.1"}
    return _json({"files": [one | made for one in files]}, 200)


@holder.get("/shl/m/<token>")
@gate(Gate.SIGNATURE)
@limited("health-link", per_minute=60)
def direct(token: str) -> AnyResponse:
    """The only file of a link without a passcode (flag U, SHL-03)."""
    parts, recipient = wiring(), request.args.get("recipient", "")
    if not recipient.strip():
        raise Invalid("recipient")
    if shared_links.takes_passcode(parts.database, parts.keyring, token):
        return _json({"error": "not-found"}, 404)
    opened = shared_links.open_link(
        parts.database, parts.keyring, token, passcode=None, recipient=recipient, now=now()
    )  # fmt: skip
    return _jwe(opened.files[0])


@holder.get("/shl/f/<token>/<int:number>/<int:until>/<signature>")
@gate(Gate.SIGNATURE)
@limited("health-link", per_minute=60)
def file(token: str, number: int, until: int, signature: str) -> AnyResponse:
    """A file whose place a manifest named, for half an hour."""
    parts, moment = wiring(), now()
    if until < moment.timestamp() or not hmac.compare_digest(
        signature.encode(), _signature(token, number, until).encode()
    ):
        return _json({"error": "not-found"}, 404)
    return _jwe(shared_links.file_of(parts.database, parts.keyring, token, number, moment))


@holder.after_request
def allow_viewers(response: Response) -> Response:
    """Viewers run in browsers under names of their own (links specification, CORS)."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    response.headers["Cache-Control"] = "no-store"
    return response


def _asked() -> dict[str, object]:
    raw = request.get_data(cache=False)
    try:
        found = orjson.loads(raw) if len(raw) <= MOST_BODY else None
    except ValueError as error:
        raise Invalid("json") from error
    if not isinstance(found, dict):
        raise Invalid("json")
    return found


def _file(token: str, number: int, jwe: str, longest: object) -> dict[str, str]:
    told = {"contentType": "application/fhir+json"}
    if isinstance(longest, int) and not isinstance(longest, bool) and len(jwe) <= longest:
        return told | {"embedded": jwe}
    until = int((now() + PLACE_LIVES).timestamp())
    base = wiring().settings.base_url
    return told | {"location": f"{base}/shl/f/{token}/{number}/{until}/{_signature(token, number, until)}"}


def _signature(token: str, number: int, until: int) -> str:
    return wiring().keyring.blind_index("shared-file", f"{token}\x00{number}\x00{until}").hex()


def _json(value: object, status: int) -> Response:
    return make_response(Response(orjson.dumps(value), mimetype="application/json"), status)


def _jwe(token: str) -> Response:
    return make_response(Response(token, mimetype="application/jose"))
