"""The hospital's own pages: a front page, the clinicians' chart with the EHR launch, the load report, the faults."""

from __future__ import annotations

import time
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request, session
from werkzeug.wrappers import Response as AnyResponse

from sandbox.hospital.hospital import Hospital
from sandbox.hospital.oauth_pages import age
from sandbox.hospital.records import Login

_LIST_SHOWN = 60


def chart_pages(hospital: Hospital) -> Blueprint:
    """The routes that are neither OAuth nor FHIR."""
    pages = Blueprint("chart", __name__)

    @pages.get("/")
    def front() -> str:
        return render_template("front.html", people=len(hospital.records.entries))

    @pages.get("/chart")
    def chart() -> str:
        return _chart_list(hospital)

    @pages.post("/chart/sign-in")
    def sign_in() -> AnyResponse:
        login = hospital.records.logins.get(request.form.get("login", ""))
        if login is not None and login.kind == "clinician":
            session["clinician"] = login.id
        return redirect("/chart", 303)

    @pages.post("/chart/sign-out")
    def sign_out() -> AnyResponse:
        session.clear()
        return redirect("/chart", 303)

    @pages.get("/chart/<patient_id>")
    def one(patient_id: str) -> AnyResponse:
        return _one_chart(hospital, patient_id) or redirect("/chart", 303)

    @pages.post("/chart/<patient_id>/launch")
    def launch(patient_id: str) -> AnyResponse:
        return redirect(_launch_url(hospital, patient_id) or "/chart", 303)

    @pages.post("/chart/<patient_id>/inside")
    def inside(patient_id: str) -> AnyResponse:
        return _inside(hospital, patient_id) or redirect("/chart", 303)

    @pages.get("/sandbox/patients")
    def loaded() -> str:
        return render_template("loaded.html", report=hospital.load_report, folder=hospital.config.patients)

    return pages


def fault_pages(hospital: Hospital) -> Blueprint:
    """`/sandbox/faults`: GET shows, POST replaces, DELETE heals."""
    pages = Blueprint("faults", __name__)

    @pages.get("/sandbox/faults")
    def shown() -> Response:
        return jsonify(hospital.faults.shown())

    @pages.post("/sandbox/faults")
    def replaced() -> tuple[Response, int]:
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict):
            return jsonify(error="send one JSON object"), 400
        if wanted.pop("expire_access_tokens", False):
            hospital.permissions.expire_access_tokens()
        hospital.faults.set(wanted)
        return jsonify(hospital.faults.shown()), 200

    @pages.delete("/sandbox/faults")
    def healed() -> Response:
        hospital.faults.set({})
        return jsonify({})

    return pages


def _clinician(hospital: Hospital) -> Login | None:
    return hospital.records.logins.get(session.get("clinician", ""))


def _age(birth_date: str) -> int | None:
    return age(birth_date, date.today())  # noqa: DTZ011  # the age that a person would say, where the server stands


def _launch_url(hospital: Hospital, patient_id: str) -> str | None:
    """The portal's launch page with a new launch value (SMART-20); None without a clinician or a patient."""
    clinician = _clinician(hospital)
    if clinician is None or patient_id not in hospital.records.entries:
        return None
    value = hospital.permissions.add_launch(clinician.id, patient_id, time.time())
    query = urlencode({"iss": hospital.fhir_url, "launch": value})
    return f"{hospital.config.portal.rstrip('/')}/launch?{query}"


def _inside(hospital: Hospital, patient_id: str) -> Response | None:
    """The chart with the app in a frame of its own, as many EHRs show apps (SMART-23)."""
    where = _launch_url(hospital, patient_id)
    if where is None:
        return None
    page = Response(render_template("inside.html", entry=hospital.records.entries[patient_id], where=where))
    portal = hospital.config.portal.rstrip("/")
    page.headers["Content-Security-Policy"] = f"default-src 'none'; style-src 'self'; frame-src 'self' {portal}"
    return page


def _one_chart(hospital: Hospital, patient_id: str) -> Response | None:
    entry, clinician = hospital.records.entries.get(patient_id), _clinician(hospital)
    chart = hospital.records.chart(patient_id)
    if clinician is None or entry is None or chart is None:
        return None
    kinds = sorted((name, len(rows)) for name, rows in chart.by_type.items())
    page = render_template("chart.html", entry=entry, clinician=clinician, kinds=kinds, age=_age(entry.birth_date))
    return Response(page)


def _chart_list(hospital: Hospital) -> str:
    wanted = request.args.get("find", "").strip().lower()
    rows = [e for e in hospital.records.entries.values() if wanted in f"{e.name} {e.cancer} {e.mrn}".lower()]
    return render_template(
        "chart_list.html", clinician=_clinician(hospital), clinicians=hospital.records.people("clinician"),
        rows=[(e, _age(e.birth_date)) for e in rows[:_LIST_SHOWN]], total=len(rows), find=wanted,
    )  # fmt: skip
