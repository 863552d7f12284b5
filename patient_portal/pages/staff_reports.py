"""Reports by practice: counts of an hour ago at most, small ones hidden, as a page and as a table to take away."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, Response, make_response, render_template
from flask_babel import gettext

from consent.practice_counts import WHAT, read_practices
from consent.tables import Practice
from database.context import as_staff
from patient_portal.edge.page_context import say
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.operating.reached import SMALLEST_SHOWN
from patient_portal.pages.staff import account_of
from patient_portal.wiring import wiring
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("staff_reports", __name__, url_prefix="/staff/reports")
COLUMNS: Mapping[str, Phrase] = {
    "out": phrase("People who are out"),
    "lately": phrase("Opt-outs in 30 days"),
    "by-staff": phrase("Of these, recorded by a care team"),
    "cases-open": phrase("Open cases"),
    "cases-closed": phrase("Cases closed in 30 days"),
}
Row = tuple[str, dict[str, int | None]]


@blueprint.get("")
@gate(Gate.STAFF)
def overview() -> str:
    """A row per practice. There is no row of sums: with it a small number could be worked out."""
    rows, counted = _rows()
    return render_template("staff/reports.html", rows=rows, columns=COLUMNS, counted=counted, smallest=SMALLEST_SHOWN)


@blueprint.get("/by-practice.csv")
@gate(Gate.STAFF)
@limited("staff-reports", per_minute=10)
def as_csv() -> Response:
    """The same as a table."""
    rows, _counted = _rows()
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow([gettext("Practice"), *(say(words).unescape() for words in COLUMNS.values())])
    hidden = gettext("under %(n)s", n=SMALLEST_SHOWN)
    for practice, values in rows:
        cells = [hidden if value is None else str(value) for value in (values[what] for what in WHAT)]
        writer.writerow([_no_formula(practice), *cells])
    response = make_response("\ufeff" + table.getvalue())
    response.content_type = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="by-practice.csv"'
    return response


def hide_small(values: Mapping[str, int]) -> dict[str, int | None]:
    """Each count, 0 where there is none; None where it is small enough to point at somebody."""
    return {what: None if 0 < values.get(what, 0) < SMALLEST_SHOWN else values.get(what, 0) for what in WHAT}


def _rows() -> tuple[list[Row], datetime | None]:
    actor = current_actor()
    with wiring().database.begin(as_staff(actor.practices, account_of(actor))) as session:
        found, counted = read_practices(session)
        named = session.query(Practice.id, Practice.name).order_by(Practice.name).all()
    shown = [(each.id, each.name) for each in named if "*" in actor.practices or each.id in actor.practices]
    return [(name, hide_small(found.get(practice, {}))) for practice, name in shown], counted


def _no_formula(cell: str) -> str:
    """A cell that a spreadsheet would run gets a quote before it (SEC-12)."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
