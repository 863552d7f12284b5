"""Many opt-outs from one list: send it, read every bad row, confirm it as a whole, print the letters."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import Audited, by_actor, write_audit
from consent.history import read_history
from database.context import as_persons
from patient_portal.care_team.bulk import (
    KeptList,
    Made,
    apply_list,
    checked_with_hospital,
    drop_list,
    keep_list,
    kept_list,
    letters_posted,
    letters_waiting,
    own_lists,
    would_change,
)
from patient_portal.care_team.chart import staff_text
from patient_portal.care_team.hospital import RelationEnded, on_teams_of, patients_by_id
from patient_portal.care_team.opt_out_list import COLUMNS, MOST_BYTES, MOST_ROWS, BadRow, askable, read_list, template
from patient_portal.care_team.panel import note_listed
from patient_portal.care_team.session import asking, ended, has_panel, member
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.care_team import how_words, who_words
from patient_portal.pages.care_team import words_for as words_of_field
from patient_portal.papers.care_team_letter import Letter, letter_to, letters_paper
from patient_portal.papers.typesetting import pdf_of
from patient_portal.signing_in.hospital_patient import name_of, preferred_language
from patient_portal.wiring import now, wiring
from vocabulary.actor import ActorKind
from vocabulary.errors import NotFound, Unavailable
from vocabulary.resource import Resource

blueprint = Blueprint("care_team_list", __name__, url_prefix="/care-team/list")
blueprint.register_error_handler(RelationEnded, ended)
A_BATCH = 100


@blueprint.before_request
def with_own_patients() -> None:
    """A list is for staff who signed in for their own patients; from one chart there is only that chart."""
    if current_actor().kind is ActorKind.CARE_TEAM and not has_panel() and request.method != "OPTIONS":
        raise NotFound("panel")


@blueprint.get("")
@gate(Gate.CARE_TEAM)
def overview() -> str:
    """What a list looks like, the form to send one, and the lists under way."""
    return _overview([])


@blueprint.get("/template.csv")
@gate(Gate.CARE_TEAM)
def empty() -> Response:
    """An empty list to fill in."""
    response = make_response(template())
    response.content_type = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="opt-out-list.csv"'
    return response


@blueprint.post("")
@gate(Gate.CARE_TEAM)
@limited("staff-list", per_minute=20)
def send() -> AnyResponse:
    """Look at the whole file, and ask the hospital about each row that names somebody; a list with one bad row is not
    taken, and every one of them is named at once."""
    sent = request.files.get("file")
    content = sent.read(MOST_BYTES + 1) if sent is not None else b""
    rows, bad = read_list(content, now())
    try:
        _, unknown = checked_with_hospital(asking(), askable(rows, bad), now())
    except Unavailable:
        if not bad:  # what the file itself says is told all the same
            raise
        unknown = []
    if bad or unknown:
        return make_response(_overview(sorted([*bad, *unknown], key=lambda one: one.line)), 422)
    kept = keep_list(wiring(), member(), content, rows, now())
    return redirect(url_for("care_team_list.preview", list_id=kept), 303)


@blueprint.get("/<uuid:list_id>")
@gate(Gate.CARE_TEAM)
def preview(list_id: UUID) -> AnyResponse:
    """What the list would record, or what it did."""
    kept = kept_list(wiring(), member(), list_id)
    if kept.applied_at is not None:
        waiting = letters_waiting(wiring(), member(), kept)
        return make_response(
            render_template("care_team/list_done.html", listed=kept, waiting=len(waiting), spoken=_counted(waiting))
        )
    patients, bad = checked_with_hospital(asking(), kept.rows, now())
    return make_response(_preview(kept, patients, bad), 409 if bad else 200)


@blueprint.post("/<uuid:list_id>")
@gate(Gate.CARE_TEAM)
@limited("staff-list", per_minute=20)
def apply(list_id: UUID) -> AnyResponse:
    """Record all of it, when the hospital still says of each row what it said; pressed twice it is recorded once."""
    kept = kept_list(wiring(), member(), list_id)
    if request.form.get("do") == "drop":
        drop_list(wiring(), member(), list_id)
        flash(gettext("The list is thrown away. Nothing was recorded."))
        return redirect(url_for("care_team_list.overview"), 303)
    if kept.applied_at is None:
        patients, bad = checked_with_hospital(asking(), kept.rows, now())
        if bad:
            return make_response(_preview(kept, patients, bad), 409)
        apply_list(
            wiring(), current_actor(), member(), kept, patients, words=staff_text(language_code()),
            language=language_code(), now=now(),
        )  # fmt: skip
    return redirect(url_for("care_team_list.preview", list_id=list_id), 303)


@blueprint.get("/<uuid:list_id>/letters-<language>.pdf")
@gate(Gate.CARE_TEAM)
@limited("paper", per_minute=30)
def letters(list_id: UUID, language: str) -> AnyResponse:
    """The letters to people whom nothing else reaches and who read this language, one on each page."""
    kept = kept_list(wiring(), member(), list_id)
    found = _letters(letters_waiting(wiring(), member(), kept), language) if language in _spoken() else []
    if not found:
        flash(gettext("No letter in this language waits."))
        return redirect(url_for("care_team_list.preview", list_id=list_id), 303)
    response = make_response(pdf_of(letters_paper(found, language, now())))
    response.content_type = "application/pdf"
    response.headers["Content-Disposition"] = f'attachment; filename="letters-{language}.pdf"'
    return response


@blueprint.post("/<uuid:list_id>/posted")
@gate(Gate.CARE_TEAM)
@limited("decide", per_minute=30)
def posted(list_id: UUID) -> AnyResponse:
    """All letters of the list are on their way."""
    kept = kept_list(wiring(), member(), list_id)
    count = letters_posted(wiring(), member(), kept, _still_theirs(letters_waiting(wiring(), member(), kept)), now())
    flash(ngettext("%(num)s letter is noted as on its way.", "%(num)s letters are noted as on their way.", count))
    return redirect(url_for("care_team_list.overview"), 303)


def _still_theirs(waiting: list[Made]) -> list[Made]:
    """Those on whose care team the member is now; the others stay tasks of CancerLinQ's staff."""
    theirs = on_teams_of(asking(), [one.patient for one in waiting], now())
    return [one for one in waiting if one.patient in theirs]


def _by_language(waiting: list[Made]) -> tuple[dict[str, Resource], dict[str, list[Made]]]:
    """The patients, read anew at the hospital, whose name and address nothing here keeps; who reads which language."""
    waiting = _still_theirs(waiting)
    patients = patients_by_id(asking(), [one.patient for one in waiting])
    readers: dict[str, list[Made]] = {}
    for one in waiting:
        if one.patient in patients:
            language = preferred_language(patients[one.patient], wiring().settings.languages) or "en"
            readers.setdefault(language, []).append(one)
    return patients, readers


def _counted(waiting: list[Made]) -> Mapping[str, int | None]:
    """How many letters wait in each language; while the hospital does not answer, each language without a number."""
    try:
        return {language: len(some) for language, some in _by_language(waiting)[1].items()} if waiting else {}
    except Unavailable:
        return dict.fromkeys(_spoken())


def _letters(waiting: list[Made], language: str) -> list[Letter]:
    patients, readers = _by_language(waiting)
    theirs, settings, found = readers.get(language, []), wiring().settings, list[Letter]()
    for start in range(0, len(theirs), A_BATCH):
        some = theirs[start : start + A_BATCH]
        with wiring().database.begin(as_persons(*(one.person for one in some))) as session:
            history = read_history(session, [one.person for one in some])
            write_audit(session, now(), *(_printed(one.person) for one in some))
        decisions = {entry.decision.id: entry.decision for entry in history}
        found += [
            letter_to(
                patients[one.patient], decisions[one.decision], clinic=asking().provider.name,
                link=settings.base_url + url_for("choices.overview"), help_phone=settings.help_phone,
            )
            for one in some
        ]  # fmt: skip
    return found


def _printed(person: UUID) -> Audited:
    more = {"person": person, "actor_reference": asking().staff, "detail": {"paper": "letter-to-patient"}}
    return by_actor(current_actor(), "paper.downloaded", "R", **more)


def _spoken() -> tuple[str, ...]:
    return wiring().settings.languages


def _overview(bad: list[BadRow]) -> str:
    return render_template(
        "care_team/list.html", bad=[(one.line, one.column, _words(one)) for one in bad], columns=COLUMNS,
        most=MOST_ROWS, lists=own_lists(wiring(), member()), who=who_words(), how=how_words(),
    )  # fmt: skip


def _preview(kept: KeptList, patients: dict[int, Resource], bad: list[BadRow]) -> str:
    names = {line: name_of(patient) for line, patient in patients.items()}
    note_listed(asking(), current_actor(), "list", len(names), now())
    words, language = staff_text(language_code()), language_code()
    effects = would_change(wiring(), current_actor(), member(), list(patients.values()), words, language, now())
    return render_template(
        "care_team/list_preview.html", listed=kept, names=names, text=words, rows=effects,
        bad=[(one.line, one.column, _words(one)) for one in bad], who=dict(who_words()), how=dict(how_words()),
    )  # fmt: skip


def _words(bad: BadRow) -> str:
    words: dict[tuple[str, str], str] = {
        ("file", "empty"): gettext("There is no row in it. Choose a file with at least one row."),
        ("file", "too-large"): gettext("The file is too large. The most is 1 MB."),
        ("file", "too-many"): gettext("There are too many rows. The most is %(most)s; make two lists.", most=MOST_ROWS),
        ("file", "unreadable"): gettext("This is not a CSV file that we can read. Save it as “CSV UTF-8”."),
        ("file", "quotes"): gettext("A quotation mark is open that is never closed."),
        ("file", "cells"): gettext("This row has more or fewer cells than the title row."),
        ("record_number", "missing"): gettext("Give the record number."),
        ("record_number", "unreadable"): gettext("This is no record number."),
        ("record_number", "twice"): gettext("This record number stands in the list twice."),
        ("record_number", "unknown"): gettext("Your hospital does not know this record number."),
        ("record_number", "several"): gettext("Your hospital has several patients with this record number."),
        ("record_number", "not-yours"): gettext("You are not on the care team of this patient."),
        ("birth_date", "missing"): gettext("Give the birth date."),
        ("birth_date", "unreadable"): gettext("Give the date as year, month and day, such as 2026-10-03."),
        ("birth_date", "another"): gettext("Your hospital has another birth date for this record number."),
        ("asked_on", "missing"): gettext("Give the day on which they asked."),
        ("who_asked", "unreadable"): gettext("Use one of these: patient, representative, family, other."),
        ("how", "unreadable"): gettext("Use one of these: in-person, phone, paper."),
    }
    if bad.code == "column-missing":
        return str(gettext("The column “%(name)s” is missing, or stands there twice.", name=bad.column))
    return words.get((bad.column, bad.code)) or words_of_field(
        {"who_asked": "who"}.get(bad.column, bad.column), bad.code
    )
