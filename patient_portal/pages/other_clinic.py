"""A person names a clinic that is not connected here; our staff finds out whether it takes part (decisions, One
opt-out covers every linked clinic)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import insert
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from consent.audit_tables import StaffTask
from database.context import as_persons
from database.keyring import KeyRing
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, wiring

blueprint = Blueprint("other_clinic", __name__, url_prefix="/choices/other-clinic")
KIND = "clinic-not-linked"
LONGEST = 200


@blueprint.get("")
@gate(Gate.PATIENT)
def ask() -> str:
    return render_template("choices/other_clinic.html", errors={}, clinic="")


@blueprint.post("")
@gate(Gate.PATIENT)
@limited("other-clinic", per_minute=5)
def name() -> AnyResponse:
    """Keep what was named, sealed, as a case for staff."""
    actor, clinic = current_actor(), " ".join(request.form.get("clinic", "").split())
    if not 2 <= len(clinic) <= LONGEST:
        errors = {"clinic": gettext("Write the name of the clinic, and its city if you know it.")}
        return make_response(render_template("choices/other_clinic.html", errors=errors, clinic=clinic[:LONGEST]), 422)
    case = uuid4()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        sealed = wiring().keyring.seal(clinic.encode(), _place(case)).hex()
        session.execute(
            insert(StaffTask).values(
                id=case, person_id=actor.person, practice_id=None, store_id=None, kind=KIND,
                detail={"clinic": sealed}, opened_at=now(),
            )
        )  # fmt: skip
        write_audit(session, now(), by_actor(actor, "staff-task.opened", "C", detail={"kind": KIND}))
    flash(gettext("Thank you. Our staff finds out if this clinic takes part."))
    return redirect(url_for("choices.overview"), 303)


def clinic_of(ring: KeyRing, case: UUID, detail: Mapping[str, Any]) -> str:
    """The clinic that was named in a case; empty for a case of another kind."""
    sealed = detail.get("clinic")
    return ring.open(bytes.fromhex(sealed), _place(case)).decode() if isinstance(sealed, str) else ""


def _place(case: UUID) -> str:
    return f"staff_task:clinic:{case}"
