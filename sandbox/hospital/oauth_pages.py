"""Sign in, consent, tokens: the routes of the authorization server and the screens a person sees on the way."""

from __future__ import annotations

import time
from datetime import date
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.hospital.authorization import Decision
from sandbox.hospital.hospital import Hospital
from sandbox.hospital.records import ChartEntry, Login
from sandbox.hospital.scopes import OBSERVATION_CATEGORIES, granted, groups_asked, supported

_LIST_SHOWN = 60


def age(birth_date: str, today: date) -> int | None:
    """Whole years since a birth date of any precision; None when it is not known."""
    if not birth_date[:4].isdigit():
        return None
    return today.year - int(birth_date[:4]) - (today.strftime("%m-%d") < (birth_date[5:] or "01-01"))


def oauth_pages(hospital: Hospital, server: Any) -> Blueprint:
    """The routes under /oauth that a person sees."""
    pages = Blueprint("oauth", __name__)

    @pages.get("/oauth/authorize")
    def authorize() -> AnyResponse:
        try:
            grant = server.get_consent_grant()
        except OAuth2Error as error:
            return _naming_issuer(hospital, _refused(server, error))
        if "launch" in request.args.get("scope", "").split():
            return _naming_issuer(hospital, _ehr_launch(hospital, server, grant))
        return _sign_in_page(hospital)

    @pages.post("/oauth/authorize")
    def authorize_by_post() -> AnyResponse:
        return redirect(f"/oauth/authorize?{urlencode(list(request.form.items()))}", 303)

    @pages.post("/oauth/consent")
    def consent() -> AnyResponse:
        refusal = _check(server)
        if refusal is not None:
            return refusal
        login = hospital.records.logins.get(request.form.get("login", ""))
        return _consent_page(hospital, login) if login else _sign_in_page(hospital, status=400)

    @pages.post("/oauth/decision")
    def decision() -> AnyResponse:
        try:
            grant = server.get_consent_grant()
        except OAuth2Error as error:
            return _naming_issuer(hospital, _refused(server, error))
        decided = _decided(hospital)
        answer = _answer(server.create_authorization_response(grant_user=decided, grant=grant))
        return _naming_issuer(hospital, answer)

    return pages


def token_endpoints(hospital: Hospital, server: Any) -> Blueprint:
    """The routes that apps call without a person: token, revocation, introspection."""
    pages = Blueprint("tokens", __name__)

    @pages.post("/oauth/token")
    def token() -> AnyResponse:
        fault = hospital.faults.get("token")
        if fault in ("500", "503"):
            return Response("down", int(fault), {"Retry-After": "1"})
        if fault == "garbage":
            return Response("<html>oops</html>", 200, mimetype="text/html")
        return _answer(server.create_token_response())

    @pages.post("/oauth/revoke")
    def revoke() -> AnyResponse:
        return _answer(server.create_endpoint_response("revocation"))

    @pages.post("/oauth/introspect")
    def introspect() -> AnyResponse:
        return _answer(server.create_endpoint_response("introspection"))

    return pages


def _check(server: Any) -> AnyResponse | None:
    """What is wrong with the authorization request that the form carries along, or None."""
    try:
        server.get_consent_grant()
    except OAuth2Error as error:
        return _refused(server, error)
    return None


def _naming_issuer(hospital: Hospital, answer: AnyResponse) -> AnyResponse:
    """The way back to the app says whose answer it is (RFC 9207), where this hospital promises it."""
    fault = hospital.faults.get("callback_iss")
    where = answer.headers.get("Location", "")
    if not hospital.config.names_issuer or fault == "missing" or not where.startswith(hospital.config.redirect_uri):
        return answer
    named = "https://somebody-else.example" if fault == "wrong" else hospital.issuer
    answer.headers["Location"] = f"{where}&{urlencode({'iss': named})}"
    return answer


def _answer(response: Any) -> AnyResponse:
    assert isinstance(response, AnyResponse)
    return response


def _refused(server: Any, error: OAuth2Error) -> AnyResponse:
    """Back to the app where OAuth allows it, else a page: an unknown app or redirect is never redirected to."""
    if getattr(error, "redirect_uri", None):
        return _answer(server.handle_error_response(server.create_oauth2_request(request), error))
    return Response(render_template("problem.html", reason=error.description or error.error), 400)


def _sign_in_page(hospital: Hospital, status: int = 200) -> Response:
    wanted = request.values.get("find", "").strip().lower()
    rows = [_row(hospital, login) for login in hospital.records.people("patient")]
    ours = [r for r in rows if not r["entry"].loaded_from]
    loaded = [r for r in rows if r["entry"].loaded_from]
    found = [r for r in loaded if wanted in f"{r['login'].name} {r['entry'].cancer}".lower()]
    page = render_template(
        "sign_in.html", ours=ours, loaded=found[:_LIST_SHOWN], loaded_total=len(loaded), found_total=len(found),
        find=wanted, relatives=hospital.records.people("relative"), query=request.query_string.decode(),
        clinicians=hospital.records.people("clinician"), for_staff=_for_staff(request.values.get("scope", "")),
        asked=[(k, v) for k, v in request.args.items() if k != "find"],
    )  # fmt: skip
    return Response(page, status)


def _row(hospital: Hospital, login: Login) -> dict[str, Any]:
    entry: ChartEntry = hospital.records.entries[str(login.patient_id)]
    today = date.today()  # noqa: DTZ011  # the age that a person would say, where the server stands
    return {"login": login, "entry": entry, "age": age(entry.birth_date, today)}


def _for_staff(scope: str) -> bool:
    """Whether an app asks for a clinician's own rights and for no patient (`user/` scopes without a launch)."""
    asked = set(scope.split())
    return not {"launch", "launch/patient"} & asked and any(one.startswith("user/") for one in asked)


def _consent_page(hospital: Hospital, login: Login) -> Response:
    scope = request.args.get("scope", "")
    choosing = login.patient_id is None and not _for_staff(scope)
    patients = hospital.records.people("patient") if choosing else []
    page = render_template(
        "consent.html", login=login, groups=groups_asked(scope), patients=patients,
        offline="offline_access" in scope.split(), query=request.query_string.decode(),
        app_name=hospital.apps[request.args["client_id"]].name, categories=OBSERVATION_CATEGORIES,
        for_staff=_for_staff(scope),
    )  # fmt: skip
    return Response(page)


def _decided(hospital: Hospital) -> Decision | None:
    """The consent form as a decision; None is Deny (or nonsense)."""
    form = request.form
    login = hospital.records.logins.get(form.get("login", ""))
    if form.get("decision") != "allow" or login is None:
        return None
    asked = supported(request.args.get("scope", ""))
    if _for_staff(asked):
        return Decision(login, "", asked, banner=False) if login.kind == "clinician" else None
    patient_id = login.patient_id or form.get("patient", "")
    if patient_id not in hospital.records.entries:
        return None
    scope = granted(asked, form.getlist("group"), offline=form.get("offline") == "yes", only=form.getlist("only"))
    return Decision(login, patient_id, scope, banner=login.patient_id is None)


def _ehr_launch(hospital: Hospital, server: Any, grant: Any) -> AnyResponse:
    """No screens: the clinician is signed in to the chart and the hospital has approved the app."""
    value = request.args.get("launch", "")
    launch = hospital.permissions.launch(value, time.time(), use=False)
    decided = None
    if launch is not None:
        scope = grant.request.client.get_allowed_scope(request.args["scope"])
        decided = Decision(hospital.records.logins[launch.login_id], launch.patient_id, scope, banner=True)
    answer = _answer(server.create_authorization_response(grant_user=decided, grant=grant))
    hospital.permissions.launch(value, time.time(), use=True)
    return answer
