"""Choose a hospital, sign in there, come back; sign out here or everywhere."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from flask import (
    Blueprint,
    Response,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.stores.backend_services import public_keys
from database.context import Context, knowing
from fhir_bridge.login_attempts import save_attempt, state_index, take_attempt
from fhir_bridge.providers import Provider, provider_for_issuer
from fhir_bridge.smart.client_keys import public_jwks
from fhir_bridge.smart.errors import LaunchDenied, LaunchRefused, ProviderUnavailable
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.launch import ENTROPY_BYTES
from patient_portal.care_team.chart import NotServed, learn_names, open_chart
from patient_portal.care_team.panel import staff_session
from patient_portal.edge.framing import FRAMED, frame_for
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.security_headers import forms_go_to
from patient_portal.family.reported import was_reported
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.signing_in.another_hospital import FRESH_AT_RETURN, KEPT, come_from, turn_away
from patient_portal.signing_in.finding_hospital import MOST_AT_FIRST, at_first, find
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.signing_in.hospital_patient import learn_at_sign_in, short_name
from patient_portal.signing_in.own_paths import own_path
from patient_portal.signing_in.sign_in import sign_in as bring_home
from patient_portal.signing_in.smart import smart_client
from patient_portal.signing_in.web_session import end_all_of_account, live_session
from patient_portal.wiring import now, wiring
from vocabulary.actor import ActorKind
from vocabulary.errors import Refused

blueprint = Blueprint("sign_in", __name__)
BROWSER = "browser"
JWKS_SECONDS = 600
RETRY_SECONDS = 60
log = structlog.get_logger()
# Why an answer is refused when it comes a second time: signing in took the launch, and its browser's mark, away.
REPEATED = frozenset({"no-session", "state-used"})


@blueprint.get("/sign-in")
@gate(Gate.PUBLIC)
def choose() -> str:
    """Find the hospital by its name or place, with what signing in means."""
    query = " ".join(request.args.get("q", "").split())[:200]
    providers = wiring().settings.providers
    return render_template(
        "sign_in/choose.html", query=query, places=find(wiring().database, providers, query) if query else
        at_first(providers), more=max(0, len(providers) - MOST_AT_FIRST), after=own_path(request.args.get("next")),
        adding=_adding(),
    )  # fmt: skip


@blueprint.get("/sign-in/<provider>")
@gate(Gate.PUBLIC)
def confirm(provider: str) -> str:
    """One hospital, and a button: a link alone changes nothing (SEC-03)."""
    found, after = wiring().provider(provider), own_path(request.args.get("next"))
    forms_go_to(found)
    return render_template("sign_in/confirm.html", provider=found, after=after, adding=_adding())


@blueprint.post("/sign-in/<provider>")
@gate(Gate.PUBLIC)
@limited("sign-in", per_minute=20)
def begin(provider: str) -> AnyResponse:
    """Send the browser to the hospital."""
    actor = current_actor()
    adding = actor.account_id if request.form.get("add") and actor.kind is ActorKind.PATIENT else None
    found = wiring().provider(provider)
    if adding is not None and actor.provider_id != found.id and not is_fresh(now()):
        own = next((one for one in wiring().settings.providers if one.id == actor.provider_id), found)
        flash(gettext("To be safe, sign in at your own hospital once more. Then you can add the other one."))
        back = url_for("sign_in.confirm", provider=found.id, add=1)
        return redirect(url_for("sign_in.confirm", provider=own.id, next=back), 303)
    return to_hospital(found, after=own_path(request.form.get("next")), launch=None, adding=adding)


@blueprint.get("/launch")
@gate(Gate.PUBLIC)
@limited("sign-in", per_minute=20)
def launch() -> AnyResponse:
    """An EHR opens us from a chart (SMART-20, SMART-21): `iss` must be a configured FHIR base, exactly."""
    issuer, value = request.args.get("iss", ""), request.args.get("launch", "")
    if not issuer or not value:
        return make_response(render_template("errors/launch.html", problem="missing"), 400)
    parts = _well_formed(issuer)
    if not parts:
        return make_response(render_template("errors/launch.html", problem="malformed"), 400)
    provider = provider_for_issuer(wiring().settings.providers, issuer)
    if provider is None:
        return make_response(render_template("errors/launch.html", problem="unknown"), 403)
    frame_for(provider)
    try:
        return to_hospital(provider, after="", launch=value)
    except LaunchRefused:  # the launch value is longer than any, or no text
        return make_response(render_template("errors/launch.html", problem="missing"), 400)


@blueprint.get("/callback/<provider>")
@gate(Gate.PUBLIC)
@limited("callback", per_minute=40)
def callback(provider: str) -> AnyResponse:
    """The hospital sends the browser back: check everything, then sign in with a new session id."""
    found = wiring().provider(provider)
    try:
        return _finish(found)
    except LaunchDenied:
        page = render_template("sign_in/denied.html", provider=found, staff=_from_chart(), again=_again(found))
        return make_response(page, 403)
    except LaunchRefused as error:
        page = render_template(
            "sign_in/refused.html", provider=found, staff=_from_chart(), repeated=error.reason in REPEATED,
            again=_again(found),
        )  # fmt: skip
        return make_response(page, 400)
    except NotServed as error:
        return make_response(render_template("care_team/not_open.html", provider=found, reason=error.reason), 403)
    except Refused:
        return make_response(render_template("sign_in/role.html", provider=found), 403)
    except ProviderUnavailable as error:
        return _unavailable(found, error, staff=_from_chart())


@blueprint.post("/sign-out")
@gate(Gate.PUBLIC)
def sign_out() -> AnyResponse:
    """End this session, or with `everywhere` every session of the account; the browser forgets what it kept."""
    actor = current_actor()
    if request.form.get("everywhere") and actor.account_id:
        with wiring().database.begin(Context(account=actor.account_id)) as database:
            end_all_of_account(database, actor.account_id, now())
    live_session().end()
    response = redirect(url_for("public.home"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.get("/.well-known/jwks.json")
@gate(Gate.PUBLIC)
def jwks() -> Response:
    """The public halves of our client keys, at hospitals and at FHIR stores (SMART-43)."""
    settings = wiring().settings
    places = (*settings.providers, *(identity.door for identity in settings.identities))
    keys = [place.client_keys for place in places if place.client_keys]
    document = public_jwks(keys)
    response = jsonify({"keys": [*document["keys"], *public_keys(wiring().keyring)]})
    response.headers["Cache-Control"] = f"public, max-age={JWKS_SECONDS}"
    return response


def _adding() -> bool:
    """Whether somebody who is signed in adds a hospital, or connects one of theirs again."""
    return bool(request.args.get("add")) and current_actor().kind is ActorKind.PATIENT


def to_hospital(
    provider: Provider, *, after: str, launch: str | None, adding: UUID | None = None, panel: bool = False
) -> AnyResponse:
    """Send the browser to the hospital; `panel`: staff, for their own list of patients."""
    g.panel = panel
    try:
        begun = smart_client().begin(
            provider,
            now(),
            redirect_uri=wiring().settings.base_url + url_for("sign_in.callback", provider=provider.id),
            entropy=secrets.token_bytes(ENTROPY_BYTES),
            launch_value=launch,
            offline="offline_access" in provider.scopes.split() and bool(request.form.get("offline")),
            panel=panel,
        )
    except ProviderUnavailable as error:
        return _unavailable(provider, error, staff=launch is not None)
    ring = wiring().keyring
    with wiring().database.begin(knowing(state_index(ring, begun.state))) as database:
        save_attempt(database, ring, begun, browser=browser_mark(make=True), after=after, now=now(), adding=adding)
    if begun.by_post:
        forms_go_to(provider)
        return make_response(render_template("sign_in/by_post.html", provider=provider, begun=begun))
    return redirect(begun.url, 303 if request.method == "POST" else 302)


def _finish(provider: Provider) -> AnyResponse:
    params = {name: value for name, value in request.args.items() if len(value) < 8192}
    state = params.get("state", "")
    ring = wiring().keyring
    with wiring().database.begin(knowing(state_index(ring, state))) as database:
        attempt = take_attempt(database, ring, state, browser=browser_mark(make=False), now=now())
    g.from_chart, g.panel = attempt.request.ehr_launch, attempt.request.panel
    grant = smart_client().finish(provider, attempt.request, params, now())
    actor = current_actor()
    if attempt.adding is not None and actor.kind is ActorKind.PATIENT and actor.account_id == attempt.adding:
        return _added(provider, grant, attempt.after)
    if attempt.request.panel:
        return _staff_in(staff_session(wiring(), provider, grant, now()))
    chart = open_chart(wiring(), provider, grant, from_chart=attempt.request.ehr_launch)
    language = chart.language if chart else language_code()
    signed_in = bring_home(wiring(), grant, language=language, now=now())
    kept = {name: session[name] for name in ("language", *([FRAMED] if chart else [])) if name in session}
    session.clear()
    session.update(kept | signed_in.as_session())
    live_session().renew()
    if chart is not None:
        learn_names(wiring(), provider, signed_in.person, chart, now())
        session.update(chart.as_session() | {"staff_token": grant.access_token})
        return redirect(url_for("care_team.chart"), 303)
    called = learn_at_sign_in(wiring(), provider, grant, signed_in.person, now())
    session["name"], session["called"] = short_name(called.name) or session.get("name"), [called.name, called.born]
    own = signed_in.kind is ActorKind.PATIENT
    others = gettext("You are signed in for somebody else. We are bringing in their record.")
    flash(gettext("You are signed in. We are bringing in your record.") if own else others)
    if own and was_reported(signed_in.persons):
        return redirect(url_for("died.are_you_here"), 303)
    return redirect(attempt.after or url_for("record.overview"), 303)


def _staff_in(content: dict[str, object]) -> AnyResponse:
    """Staff without a chart: signed in for their own list of patients."""
    kept = {"language": session["language"]} if "language" in session else {}
    session.clear()
    session.update(kept | content)
    live_session().renew()
    return redirect(url_for("care_team_panel.patients"), 303)


def _added(provider: Provider, grant: Grant, after: str) -> AnyResponse:
    """Another hospital of somebody who is signed in: connected again in place, or theirs to say whether it is them."""
    waiting = come_from(wiring(), current_actor(), provider, grant, now())
    if waiting is None:
        flash(gettext("%(name)s is connected. We are bringing in your record.", name=provider.name))
        return redirect(after or url_for("connection.overview"), 303)
    if not is_fresh(now(), FRESH_AT_RETURN):
        turn_away(wiring(), smart_client(), current_actor(), waiting, now())
        flash(
            gettext("Nothing was added. Sign in at your own hospital once more, and add the other one then."), "warning"
        )
        return redirect(url_for("connection.overview"), 303)
    session[KEPT] = waiting.as_session()
    return redirect(url_for("connection.adding"), 303)


def browser_mark(*, make: bool) -> bytes:
    """What binds a launch to this browser: a random value in its session (SMART-11)."""
    value = session.get(BROWSER)
    if not isinstance(value, str):
        if not make:
            raise LaunchRefused("no-session")
        value = session[BROWSER] = secrets.token_urlsafe(32)
    return hmac.digest(b"login-attempt", value.encode(), "sha256")


def _from_chart() -> bool:
    """Whether the launch that this answer is about began in a chart: staff then get words and ways out that fit."""
    return bool(g.get("from_chart"))


def _again(provider: Provider) -> str:
    """Where to begin anew what this answer is about."""
    return url_for("care_team_panel.confirm" if g.get("panel") else "sign_in.confirm", provider=provider.id)


def _unavailable(provider: Provider, error: ProviderUnavailable, *, staff: bool) -> AnyResponse:
    """`lacking`: it answers, but its sign-in cannot be used safely, and waiting is no help (SMART-02, 03, 05)."""
    lacking = error.reason.startswith(("configuration-", "launch-not-supported"))
    log.warning("provider-unavailable", provider=provider.id, reason=error.reason)
    page = render_template(
        "sign_in/unavailable.html", provider=provider, staff=staff, lacking=lacking, again=_again(provider)
    )
    return make_response(page, 503, {"Retry-After": str(error.retry_after_seconds or RETRY_SECONDS)})


def _well_formed(issuer: str) -> bool:
    try:
        parts = urlsplit(issuer)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and len(issuer) < 2000 and parts.port != 0
    except ValueError:
        return False
