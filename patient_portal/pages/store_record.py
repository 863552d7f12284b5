"""The stores' public record: how fast each confirms, what is late now, what its last check found; about nobody."""

from __future__ import annotations

from flask import Blueprint, render_template

from consent.store_record import SMALLEST_SHOWN, read_records
from database.context import as_nobody
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.pages.operator import lasting
from patient_portal.wiring import now, wiring

blueprint = Blueprint("store_record", __name__, url_prefix="/stores")


@blueprint.get("")
@gate(Gate.PUBLIC)
@limited("stores", per_minute=120)
def overview() -> str:
    """A part for each store that is told of choices, by name."""
    with wiring().database.begin(as_nobody()) as session:
        records = read_records(session, now())
    return render_template("public/stores.html", records=records, smallest=SMALLEST_SHOWN, lasting=lasting)
