"""The session of a member of staff: whose chart is open, who asks the hospital, and what ends with the hospital's no.

Asked before every page that shows or changes anything about a patient: who left the care team, or whose launch the
hospital has ended, is refused at the next request (threats.md abuse case 10).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, g, redirect, render_template, session, url_for
from flask_babel import format_date
from werkzeug.wrappers import Response as AnyResponse

from consent.void_entry import Member
from fhir_bridge.providers import Provider
from patient_portal.care_team.chart import Chart
from patient_portal.care_team.hospital import Asking, RelationEnded, patient_now
from patient_portal.care_team.panel import OF_A_CHART
from patient_portal.gates import current_actor
from patient_portal.wiring import now, wiring
from vocabulary.actor import ActorKind
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


def watch(blueprint: Blueprint) -> None:
    """Before anything about a patient is shown or done: is this still their care team?"""
    blueprint.register_error_handler(RelationEnded, ended)

    @blueprint.before_request
    def still_cares() -> AnyResponse | None:
        actor = current_actor()
        if actor.kind is not ActorKind.CARE_TEAM:
            return None  # the gate has the word
        if actor.person is None:
            return redirect(url_for("care_team_panel.patients"), 303)
        g.staff = session.get("staff")  # the session may end with the answer
        g.patient = patient_in_chart()
        return None


def member() -> Member:
    """Who acts, as decisions and requests name them."""
    account = current_actor().account_id
    assert account is not None, "staff are signed in"
    return Member(account, str(session.get("staff", "")), asking().provider.id, practice_of(asking().provider))


def practice_of(provider: Provider) -> str:
    """The practice whose patients this hospital's staff sees here; a hospital without named ones has one."""
    return provider.practice or f"{provider.id}-main"


def banner() -> dict[str, str]:
    """The name, birth date and record number of the patient in the open chart (SMART-45)."""
    born = str(session.get("chart_birth_date", ""))
    try:
        shown = format_date(date.fromisoformat(born), "long")
    except ValueError:
        shown = born  # a birth date of lesser precision is shown as the hospital keeps it
    number = str(session.get("chart_number", ""))
    return {"name": str(session.get("chart_name", "")), "born": shown, "number": number}
