"""My record: the cancer story first, then everything by kind, each entry in plain words with the form that was sent."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import orjson
from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from fhir_bridge.bundle import MEDIA_TYPE
from fhir_bridge.own_words import entry_with_choice
from fhir_bridge.reading.cancers import SITE_NAMES
from fhir_bridge.reading.clinical_document import NotShown, read_clinical_document
from fhir_bridge.reading.kinds import KIND_NAMES, Kind
from fhir_bridge.reading.line import read_line
from fhir_bridge.reading.minimum import TOPIC_NAMES, missing_from
from fhir_bridge.reading.standing import REFUTED
from fhir_bridge.reading.together import together
from fhir_bridge.record_aside import aside
from fhir_bridge.record_copy import ask_again
from fhir_bridge.record_entry import one_file, whole_entry
from fhir_bridge.record_list import Asked, page_of
from fhir_bridge.record_over_time import has_course
from fhir_bridge.record_sources import counts, remarks, sources
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.own_record import entry_named, own_record, own_session, provider_names, shown_statements
from patient_portal.pages.record_find import shown_list
from patient_portal.pages.record_later import asks_for, asks_of_line
from patient_portal.pages.record_tiles import progress_of, tiles_of
from patient_portal.signing_in.sign_in import defer_bring_in
from patient_portal.wiring import now, wiring
from patient_portal.words.record_words import FILTERS
from patient_portal.words.trusted_links import links_for
from vocabulary.errors import NotFound

blueprint = Blueprint("record", __name__)
for _name, _filter in FILTERS.items():
    blueprint.add_app_template_filter(_filter, _name)

LONGEST_PRINTED = 300_000
FILE_POLICY = "sandbox; default-src 'none'"


@blueprint.get("/record")
@gate(Gate.READS)
def overview() -> str:
    """The cancer story, what there is of each kind, and where it came from."""
    with own_record() as record:
        beside, counted = aside(record, now(), stories=True, statements=True), counts(record)
    found, own = beside.standing, beside.own
    joined = together(found.stories)
    story, told_by = (
        joined.story,
        [sorted({name for one in told for name in found.places[one]}) for told in joined.told_by],
    )
    tiles, none_there = tiles_of(counted, found.sources)
    return render_template(
        "record/overview.html", story=story, told_by=told_by, tiles=tiles, none_there=none_there, sources=found.sources,
        progress=[progress_of(one, {}) for one in found.sources if one.under_way], names=provider_names(),
        lacking=sum(len(one.lacking) - one.unshared for one in found.sources),
        unshared=sum(one.unshared for one in found.sources), has_entries=bool(counted), added=beside.added,
        asks=asks_for(own.later),
        links=links_for([one.site for one in story.cancers], language_code()), site_names=SITE_NAMES,
        said=shown_statements(own), topics=TOPIC_NAMES, missing=missing_from(story) if story.cancers else (),
    )  # fmt: skip


@blueprint.get("/record/progress")
@gate(Gate.READS)
def progress() -> str:
    """Each type of each hospital: done, being fetched, could not, and everything that was left out, by name."""
    part = request.args.get("part") == "1"
    with own_record() as record:
        found = sources(record)
        said = {} if part else remarks(record, found)
    rows = [progress_of(one, said) for one in found]
    page = "record/progress_part.html" if part else "record/progress.html"
    return render_template(page, progress=rows, names=provider_names(), waiting=any(one.under_way for one in found))


@blueprint.post("/record/again")
@gate(Gate.FOR_PERSON)
@limited("record-again", per_minute=6)
def again() -> AnyResponse:
    """Ask each connected hospital once more."""
    actor = current_actor()
    assert actor.account_id is not None
    with own_session() as session:
        asked = ask_again(session, account=actor.account_id, persons=actor.persons, now=now())
        for one in asked:
            defer_bring_in(session, one.person, one.retrieval, one.provider_id)
    if asked:
        flash(gettext("We are asking your hospital again. This can take a minute."))
    else:
        flash(gettext("Nothing new was asked for. Your record is on its way, or your hospital wants you to sign in."))
    return redirect(url_for("record.overview"), 303)


@blueprint.get("/record/kind/<kind>")
@gate(Gate.READS)
def kind(kind: str) -> str | AnyResponse:
    """The entries of one kind, newest first."""
    if kind not in {one.value for one in Kind}:
        raise NotFound("kind")
    asked = Asked(Kind(kind), older_than=entry_named("older_than"), newer_than=entry_named("newer_than"))
    with own_record() as record:
        page, beside = page_of(record, asked, now())
    if not page.entries and (asked.older_than or asked.newer_than):
        return redirect(url_for("record.kind", kind=kind), 303)
    return shown_list(asked, page, beside)


@blueprint.get("/record/entry/<uuid:entry>")
@gate(Gate.READS)
def entry(entry: UUID) -> str:
    """One entry in plain words."""
    with own_record() as record:
        stored, later = entry_with_choice(record, entry)
        whole = whole_entry(record, stored, _base_of(stored.provider_id))
    question = asks_of_line(later)(read_line(stored.resource))
    return render_template(
        "record/entry.html",
        whole=whole,
        view=whole.view,
        name=KIND_NAMES[whole.view.kind],
        names=provider_names(),
        refuted=REFUTED,
        has_course=has_course(stored.resource),
        question=question,
    )


@blueprint.get("/record/entry/<uuid:entry>/fhir")
@gate(Gate.READS)
def fhir(entry: UUID) -> str | Response:
    """The form the hospital sent: as a page, or with `save=1` as the file itself, byte for byte."""
    with own_record() as record:
        stored = record.entry(entry)
    if request.args.get("save") == "1":
        return _attached(stored.raw, MEDIA_TYPE, "entry.json")
    printed = orjson.dumps(stored.resource, option=orjson.OPT_INDENT_2).decode()
    return render_template(
        "record/fhir.html", entry=entry, line=read_line(stored.resource), printed=printed[:LONGEST_PRINTED],
        cut=len(printed) > LONGEST_PRINTED, names=provider_names(), stored=stored,
    )  # fmt: skip


@blueprint.get("/record/entry/<uuid:entry>/file/<int:index>")
@gate(Gate.READS)
def file(entry: UUID, index: int) -> Response:
    """A file attached to an entry: always saved, never opened here (FHIR-14)."""
    with own_record() as record:
        stored = record.entry(entry)
        found = one_file(record, stored, index, _base_of(stored.provider_id))
    response = _attached(found.body or b"", "application/octet-stream", found.file_name)
    if not found.file_name.endswith(".bin"):
        response.mimetype = found.content_type
    return response


@blueprint.get("/record/entry/<uuid:entry>/file/<int:index>/read")
@gate(Gate.READS)
@limited("record-document", per_minute=30)
def document(entry: UUID, index: int) -> str:
    """A clinical document in its own words, inside a frame in which nothing can run (DL-04)."""
    with own_record() as record:
        stored, later = entry_with_choice(record, entry)
        found = one_file(record, stored, index, _base_of(stored.provider_id))
    if not found.is_document:
        raise NotFound("document")
    told, why, line = None, None, read_line(stored.resource)
    try:
        told = read_clinical_document(found.body or b"")
    except NotShown as problem:
        why = problem.words
    return render_template(
        "record/document.html", told=told, why=why, line=line, stored=stored, index=index,
        question=asks_of_line(later)(line),
    )  # fmt: skip


def _attached(body: bytes | Iterator[bytes], media_type: str, name: str) -> Response:
    response = make_response(Response(body, mimetype=media_type))
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


def _base_of(provider_id: str) -> str | None:
    return next((one.fhir_base_url for one in wiring().settings.providers if one.id == provider_id), None)
