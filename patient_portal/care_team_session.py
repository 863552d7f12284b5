"""The session of a member of staff: whose chart is open, who asks the hospital, and what ends with the hospital's no.

Asked before every page that shows or changes anything about a patient: who left the care team, or whose launch the
hospital has ended, is refused at the next request (threats.md abuse case 10).
"""

from __future__ import annotations

from typing import Any

from flask import g, redirect, render_template, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from patient_portal.care_team import Chart
from patient_portal.care_team_hospital import Asking, RelationEnded, patient_now
from patient_portal.care_team_panel import OF_A_CHART
from patient_portal.gates import current_actor
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound
from vocabulary.resource import Resource


def asking() -> Asking:
    """Who asks the hospital in this request."""
    provider = wiring().provider(current_actor().provider_id or "")
    return Asking(wiring(), provider, str(session.get("staff", "")), str(session.get("staff_token", "")))


def has_panel() -> bool:
    """Whether staff signed in for their own list of patients, and not from a chart."""
    return bool(session.get("panel"))


def keep_chart(person: object, chart: Chart) -> None:
    """This chart is open from now on, and no other."""
    leave_chart()
    session.update(chart.as_session() | {"person": str(person), "persons": [str(person)]})


def leave_chart() -> None:
    """No chart is open any more."""
    for name in OF_A_CHART:
        session.pop(name, None)
    session["persons"] = []


def patient_in_chart() -> Resource:
    """The patient in the open chart, as the hospital gives them now; RelationEnded when it does not any more."""
    patient = session.get("chart_patient")
    if not isinstance(patient, str) or current_actor().person is None:
        raise NotFound("chart")
    return patient_now(asking(), patient, now(), from_chart=not has_panel())


def ended(error: RelationEnded) -> tuple[str, int]:
    """The page that says so. The chart is closed; where the hospital has ended everything, so is the session."""
    name, provider = session.get("chart_name", ""), asking().provider
    panel = has_panel() and not error.signed_out
    g.why_refused = error.reason
    page = render_template("care_team/ended.html", name=name, provider=provider, panel=panel, reason=error.reason)
    if panel:
        leave_chart()
    else:
        live: Any = session._get_current_object()  # type: ignore[attr-defined]  # what Flask's proxy stands for
        live.end()
    return page, 403


def to_list_without_chart() -> AnyResponse | None:
    """Where no chart is open, staff choose a patient first."""
    if current_actor().person is None:
        return redirect(url_for("care_team_panel.patients"), 303)
    return None
