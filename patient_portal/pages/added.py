"""Paper scans and files that a person added: kept sealed, shown as theirs, saved and never opened here (SEC-12)."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from database.context import Context, as_persons
from fhir_bridge.access.added_files import Added, add_file, added_content, added_files, delete_file
from fhir_bridge.access.file_kinds import KINDS, MOST_BYTES, kind_of, plain_name
from fhir_bridge.access.malware import refuse_malware
from fhir_bridge.access.requests import own_request, own_requests
from patient_portal.edge.body_limits import takes_files
from patient_portal.edge.rate_limits import limited
from patient_portal.family.own_care import is_own_care
from patient_portal.family.standing import may_of_request
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, wiring
from vocabulary.errors import Conflict, NotFound, Refused, Unavailable

blueprint = Blueprint("added", __name__, url_prefix="/record/added")
FILE_POLICY = "sandbox; default-src 'none'"
MOST_BODY = MOST_BYTES + 64 * 1024
"""A file and the fields beside it."""


@blueprint.get("")
@gate(Gate.FOR_PERSON)
def overview() -> str:
    """What was added, and the form to add more."""
    return _page({})


@blueprint.post("")
@gate(Gate.FOR_PERSON)
@takes_files(MOST_BODY)
@limited("add-file", per_minute=20)
def add() -> AnyResponse:
    """Look at the file, ask the malware scanner, and keep it; nothing is kept of what is refused."""
    sent = request.files.get("file")
    content = sent.read() if sent is not None else b""
    if sent is None or not content:
        return make_response(_page({"file": gettext("Choose a file first.")}), 422)
    error, status = _kept(sent, content)
    if error:
        return make_response(_page({"file": error}), status)
    return redirect(url_for("added.overview"), 303)


@blueprint.get("/<uuid:file_id>")
@gate(Gate.FOR_PERSON)
def file(file_id: UUID) -> Response:
    """The bytes as they were sent: to save, never to open here."""
    actor = current_actor()
    with wiring().database.begin(_own()) as session:
        content, name, kind = added_content(session, wiring().keyring, actor.persons, file_id)
        if may_of_request().own_care and is_own_care(name):
            raise NotFound("added-file")
        write_audit(session, now(), by_actor(actor, "file.downloaded", "R"))
    response = make_response(content)
    response.content_type = kind.media_type
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/<uuid:file_id>/delete")
@gate(Gate.FOR_PERSON)
def ask_delete(file_id: UUID) -> str:
    """Asks once more, since a deleted file does not come back."""
    with wiring().database.begin(_own()) as session:
        files = _files(session)
    names = [one.name for one in files if one.id == file_id]
    if not names:
        raise NotFound("added-file")
    return render_template("added/delete.html", file_id=file_id, name=names[0])


@blueprint.post("/<uuid:file_id>/delete")
@gate(Gate.FOR_PERSON)
def delete(file_id: UUID) -> AnyResponse:
    """Gone for good."""
    actor = current_actor()
    with wiring().database.begin(_own()) as session:
        if file_id not in {one.id for one in _files(session)}:
            raise NotFound("added-file")
        delete_file(session, actor.persons, file_id)
        write_audit(session, now(), by_actor(actor, "file.deleted", "D"))
    flash(gettext("The file is deleted."))
    return redirect(url_for("added.overview"), 303)


def why_not_kept(content: bytes) -> tuple[str, int]:
    """Why such a file is not kept, in words, and the status to say it with; no words for one that may be kept."""
    scanner = wiring().settings.upload_scanner
    if len(content) > MOST_BYTES:
        return gettext("This file is too large. The most is 20 MB. Scan fewer pages at a time."), 413
    if kind_of(content) is None:
        return gettext("We cannot keep this kind of file. Send a PDF, a photo, a scan or plain text."), 422
    if scanner is None:
        return gettext("Files cannot be added here at this time."), 503
    try:
        refuse_malware(scanner, content)
    except Refused:
        return gettext("This file may harm a computer, so we did not keep it. Ask the clinic for a new copy."), 422
    except Unavailable:
        return gettext("We could not check this file for harm, so we did not keep it. Try again later."), 503
    return "", 200


def _kept(sent: FileStorage, content: bytes) -> tuple[str, int]:
    """Why the file is not kept and the status to say it with; no words when it is."""
    error, status = why_not_kept(content)
    kind, actor = kind_of(content), current_actor()
    if error or kind is None:
        return error, status
    person = actor.person
    assert person is not None
    try:
        with wiring().database.begin(_own()) as session:
            about = _request(request.form.get("request", ""))
            if about is not None:
                about = own_request(session, wiring().keyring, actor.persons, about).id
            name = plain_name(sent.filename or "", kind)
            new = add_file(session, wiring().keyring, person, content, name, kind, now(), about)
            if new:
                write_audit(session, now(), by_actor(actor, "file.added", "C", person=person))
    except Conflict:
        return gettext("There is no more room for files. Delete one first."), 409
    flash(gettext("The file is added to your record.") if new else gettext("This file was here already."))
    return "", 200


def _page(errors: dict[str, str]) -> str:
    actor, parts, scanner = current_actor(), wiring(), wiring().settings.upload_scanner
    with parts.database.begin(_own()) as session:
        files = _files(session)
        letters = own_requests(session, parts.keyring, actor.persons)
    return render_template(
        "added/overview.html", files=files, letters={one.id: one.letter.clinic for one in letters}, errors=errors,
        chosen=str(_request(request.values.get("request", "")) or ""), kinds=[kind.name for kind in KINDS.values()],
        can_add=scanner is not None,
        checked=scanner is not None and scanner.kind != "none",
    )  # fmt: skip


def _files(session: Session) -> list[Added]:
    """The files; whoever acts for a minor is not shown one whose name tells of the minor's own care."""
    files = added_files(session, wiring().keyring, current_actor().persons)
    return [one for one in files if not (may_of_request().own_care and is_own_care(one.name))]


def _request(named: str) -> UUID | None:
    try:
        return UUID(named)
    except ValueError:
        return None


def _own() -> Context:
    actor = current_actor()
    return as_persons(*actor.persons, account=actor.account_id)
