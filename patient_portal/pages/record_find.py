"""Finding in a record: the entries of a kind by words and days, and each test once by its name. No script needed."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template, request
from flask_babel import gettext

from fhir_bridge.own_words import own_words
from fhir_bridge.reading.kinds import KIND_NAMES, TYPES_OF_KIND, Kind
from fhir_bridge.reading.same import Run, by_day, runs
from fhir_bridge.reading.standing import REFUTED
from fhir_bridge.record_aside import Aside
from fhir_bridge.record_list import Asked, EntryPage, every_test, found_in, page_of, says
from fhir_bridge.record_over_time import has_course
from fhir_bridge.record_standing import gap_of, gap_words
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.pages.own_record import entry_named, own_record, provider_names
from patient_portal.pages.record_later import asks_of_line
from patient_portal.wiring import now
from patient_portal.words.speaking import speaker
from patient_portal.words.trusted_links import links_of_kind
from vocabulary.errors import NotFound
from vocabulary.plain_text import folded

blueprint = Blueprint("find", __name__)
LONGEST = 100
TESTS_A_PAGE = 100
WORTH_FINDING_IN = 10
FOLDED = (Kind.MEDICINES, Kind.EVERYTHING_ELSE)


@blueprint.get("/record/kind/<kind>/find")
@gate(Gate.READS)
@limited("record-find", per_minute=60)
def entries(kind: str) -> str:
    """The entries of a kind in which the words stand, of the days that were asked for."""
    asked, errors = _asked(_kind(kind))
    with own_record() as record:
        if asked.words:
            page, beside = found_in(record, asked, speaker(language_code()), now())
        else:
            page, beside = page_of(record, asked, now())
    return shown_list(asked, page, beside, errors)


@blueprint.get("/record/kind/<kind>/tests")
@gate(Gate.READS)
@limited("record-find", per_minute=60)
def tests(kind: str) -> str:
    """Each test of a kind once, by name, with its newest result and the way to all of them."""
    wanted, words, say = _kind(kind), _words(), speaker(language_code())
    if not _has_tests(wanted):
        raise NotFound("tests")
    with own_record() as record:
        every = every_test(record, wanted)
        later = own_words(record).later
    found = [one for one in every if says(one.listed.line, one.resource, words, say)]
    found.sort(key=lambda one: folded(say(one.listed.line.title)))
    number = request.args.get("page", "1")
    page = int(number) if number.isdecimal() and len(number) < 4 else 1
    start = max(0, page - 1) * TESTS_A_PAGE
    rows = [(one.listed, has_course(one.resource)) for one in found[start : start + TESTS_A_PAGE]]
    return render_template(
        "record/tests.html", kind=wanted, name=KIND_NAMES[wanted], rows=rows, words=words, count=len(found), page=page,
        more=len(found) > start + TESTS_A_PAGE, asks_of=asks_of_line(later),
    )  # fmt: skip


def shown_list(asked: Asked, page: EntryPage, beside: Aside, errors: dict[str, str] | None = None) -> str:
    """A list as a page: what is missing of its kind first, then the form to find something, then the entries."""
    kind = asked.kind
    count = 1 if asked.narrows else page.total  # that nothing was found says nothing of what the hospital has
    gap = gap_of(kind, count, beside.sources)
    return render_template(
        "record/kind.html", kind=kind, name=KIND_NAMES[kind], page=page, asked=asked, errors=errors or {},
        days=by_day(runs(page.groups) if kind in FOLDED else [Run(one) for one in page.groups]),
        names=provider_names(), gap=gap, words=gap_words(gap, count), refuted=REFUTED,
        asks_of=asks_of_line(beside.own.later), has_tests=_has_tests(kind),
        finds=asked.narrows or bool(errors) or page.total > WORTH_FINDING_IN,
        links=links_of_kind(kind.value, language_code()),
    )  # fmt: skip


def _asked(kind: Kind) -> tuple[Asked, dict[str, str]]:
    """What was asked for; a day that is none is named and left out."""
    errors: dict[str, str] = {}
    days = {name: _day(name, errors) for name in ("since", "until")}
    if days["since"] and days["until"] and days["since"] > days["until"]:
        errors["until"] = gettext("The last day is before the first. Change one of them.")
        days["until"] = ""
    places = entry_named("older_than"), entry_named("newer_than")
    return Asked(kind, days["since"], days["until"], _words(), *places), errors


def _kind(kind: str) -> Kind:
    if kind not in {one.value for one in Kind}:
        raise NotFound("kind")
    return Kind(kind)


def _words() -> str:
    return " ".join(request.args.get("q", "").split())[:LONGEST]


def _day(name: str, errors: dict[str, str]) -> str:
    given = request.args.get(name, "").strip()
    try:
        return date.fromisoformat(given).isoformat() if given else ""
    except ValueError:
        errors[name] = gettext("Write the day as year, month, day, such as 2024-05-31.")
        return ""


def _has_tests(kind: Kind) -> bool:
    return "Observation" in TYPES_OF_KIND[kind]
