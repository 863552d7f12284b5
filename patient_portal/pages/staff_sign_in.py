"""Staff sign in at their identity provider, and show a passkey here where it shows no second factor."""

from __future__ import annotations

import secrets

import structlog
from flask import Blueprint, current_app, make_response, redirect, render_template, request, session, url_for
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from werkzeug.wrappers import Response as AnyResponse

from database.context import knowing
from fhir_bridge.identity_providers import IdentityProvider
from fhir_bridge.login_attempts import save_attempt, state_index, take_attempt
from fhir_bridge.smart.errors import LaunchDenied, LaunchRefused, ProviderUnavailable
from fhir_bridge.smart.launch import ENTROPY_BYTES
from fhir_bridge.smart.openid import OpenIdClient
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.security_headers import forms_go_to
from patient_portal.gates import Gate, gate
from patient_portal.pages.sign_in import RETRY_SECONDS, browser_mark
from patient_portal.signing_in.own_paths import own_path
from patient_portal.signing_in.web_session import live_session
from patient_portal.staff.members import Member, come_in, note_sign_in
from patient_portal.staff.passkeys import (
    Site,
    check_shown,
    keep_new,
    new_challenge,
    options_to_make,
    options_to_show,
    passkeys_of,
    use_code,
)
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound, PortalError, Refused

blueprint = Blueprint("staff_sign_in", __name__, url_prefix="/staff")
WAITING, CHALLENGE, MAY_MAKE, AFTER = "staff_waiting", "staff_challenge", "staff_may_make", "staff_after"
log = structlog.get_logger()


@blueprint.get("/sign-in")
@gate(Gate.PUBLIC)
def choose() -> str:
    """The identity providers of staff; most often there is one, and its button stands here."""
    return _doors(_of_staff())


@blueprint.get("/sign-in/<identity>")
@gate(Gate.PUBLIC)
def confirm(identity: str) -> str:
    """One identity provider, and a button: a link alone changes nothing (SEC-03)."""
    return _doors((_served(identity),))


@blueprint.post("/sign-in/<identity>")
@gate(Gate.PUBLIC)
@limited("sign-in", per_minute=20)
def begin(identity: str) -> AnyResponse:
    """Send the browser to the identity provider."""
    found = _served(identity)
    try:
        begun = openid_client().begin(
            found, now(), entropy=secrets.token_bytes(ENTROPY_BYTES),
            redirect_uri=wiring().settings.base_url + url_for("staff_sign_in.callback", identity=found.id),
            again=request.form.get("again") == "yes",
        )  # fmt: skip
    except ProviderUnavailable as error:
        return _not_in(found, error)
    ring, after = wiring().keyring, own_path(request.form.get("next"))
    with wiring().database.begin(knowing(state_index(ring, begun.state))) as database:
        save_attempt(database, ring, begun, browser=browser_mark(make=True), after=after, now=now())
    return redirect(begun.url, 303)


@blueprint.get("/callback/<identity>")
@gate(Gate.PUBLIC)
@limited("callback", per_minute=40)
def callback(identity: str) -> AnyResponse:
    """Check what came back; with a second factor in it they are in, without one a passkey is asked for."""
    found = _served(identity)
    try:
        return _finish(found)
    except (Refused, LaunchRefused, ProviderUnavailable) as error:
        return _not_in(found, error)


@blueprint.get("/passkey")
@gate(Gate.PUBLIC)
def passkey() -> AnyResponse:
    """Show a passkey, or make the first one with a code."""
    member = _waiting()
    return redirect(url_for("staff_sign_in.choose"), 303) if member is None else _passkey_page(member)


@blueprint.post("/passkey/code")
@gate(Gate.PUBLIC)
@limited("staff-code", per_minute=5)
def code() -> AnyResponse:
    """A one-time code allows this sign-in to make its first passkey."""
    member = _waiting()
    if member is None:
        return redirect(url_for("staff_sign_in.choose"), 303)
    if passkeys_of(wiring(), member.account) or not use_code(wiring(), member, request.form.get("code", ""), now()):
        return _passkey_page(member, wrong_code=True)
    session[MAY_MAKE] = True
    return redirect(url_for("staff_sign_in.passkey"), 303)


@blueprint.post("/passkey")
@gate(Gate.PUBLIC)
@limited("callback", per_minute=40)
def show() -> AnyResponse:
    """What the authenticator signed; each challenge counts once."""
    member, challenge = _waiting(), session.pop(CHALLENGE, None)
    if member is None or not isinstance(challenge, str):
        return redirect(url_for("staff_sign_in.choose"), 303)
    credential, signed = request.form.get("credential", ""), base64url_to_bytes(challenge)
    known = bool(passkeys_of(wiring(), member.account))
    if not known and not session.get(MAY_MAKE):
        return redirect(url_for("staff_sign_in.passkey"), 303)
    try:
        (check_shown if known else keep_new)(wiring(), member, credential, signed, now())
    except Refused:
        log.warning("passkey-refused", part="staff")
        return _passkey_page(member, refused=True)
    return _enter(member, "passkey", str(session.get(AFTER, "")))


def openid_client() -> OpenIdClient:
    """This process's OpenID Connect client: it remembers what identity providers publish, so there is one of it."""
    found = current_app.extensions.setdefault("openid-client", OpenIdClient(wiring().http))
    assert isinstance(found, OpenIdClient)
    return found


def _of_staff() -> tuple[IdentityProvider, ...]:
    return tuple(each for each in wiring().settings.identities if each.signs_in == "staff")


def _served(identity: str) -> IdentityProvider:
    found = wiring().identity(identity)
    if found.signs_in != "staff":
        raise NotFound("identity")
    return found


def _doors(doors: tuple[IdentityProvider, ...]) -> str:
    if len(doors) == 1:
        forms_go_to(doors[0].door)
    return render_template("staff/sign_in.html", doors=doors, after=own_path(request.args.get("next")))


def _finish(found: IdentityProvider) -> AnyResponse:
    params = {name: value for name, value in request.args.items() if len(value) < 8192}
    ring, state = wiring().keyring, params.get("state", "")
    with wiring().database.begin(knowing(state_index(ring, state))) as database:
        attempt = take_attempt(database, ring, state, browser=browser_mark(make=False), now=now())
    identity = openid_client().finish(found, attempt.request, params, now())
    member = come_in(wiring(), found, identity, now())
    if found.shows_second_factor(identity.claims):
        return _enter(member, "token", attempt.after)
    _begin_anew({WAITING: member.as_waiting(), AFTER: attempt.after})
    return redirect(url_for("staff_sign_in.passkey"), 303)


def _enter(member: Member, factor: str, after: str) -> AnyResponse:
    """Both factors are shown: a new session, with a new id."""
    note_sign_in(wiring(), member, factor, now())
    _begin_anew(member.as_session())
    return redirect(after or url_for("staff.queue"), 303)


def _begin_anew(content: dict[str, object]) -> None:
    kept = {"language": session["language"]} if "language" in session else {}
    session.clear()
    session.update(kept | content)
    live_session().renew()


def _waiting() -> Member | None:
    kept = session.get(WAITING)
    return Member.from_waiting(kept) if isinstance(kept, dict) else None


def _passkey_page(member: Member, *, wrong_code: bool = False, refused: bool = False) -> AnyResponse:
    keys = passkeys_of(wiring(), member.account)
    challenge, site, options = new_challenge(), Site.of(wiring()), ""
    if keys:
        options = options_to_show(site, keys, challenge)
    elif session.get(MAY_MAKE):
        options = options_to_make(site, member, challenge)
    if options:
        session[CHALLENGE] = bytes_to_base64url(challenge)
    door = wiring().identity(member.identity_id)
    forms_go_to(door.door)
    page = render_template(
        "staff/passkey.html", name=member.name, making=not keys, options=options, wrong_code=wrong_code,
        refused=refused, door=door, after=str(session.get(AFTER, "")),
    )  # fmt: skip
    return make_response(page, 422 if wrong_code else 403 if refused else 200)


def _not_in(found: IdentityProvider, error: PortalError) -> AnyResponse:
    """What kept somebody out, in plain words, and a way to try again."""
    if isinstance(error, ProviderUnavailable):
        log.warning("provider-unavailable", provider=found.id, reason=error.reason)
        page = render_template("staff/not_signed_in.html", identity=found, why="unavailable")
        return make_response(page, 503, {"Retry-After": str(error.retry_after_seconds or RETRY_SECONDS)})
    log.info("staff-sign-in-refused", provider=found.id, reason=error.reason)
    why = error.reason if error.reason in {"no-role", "staff-ended"} else "refused"
    why = "denied" if isinstance(error, LaunchDenied) else why
    page = render_template("staff/not_signed_in.html", identity=found, why=why)
    return make_response(page, 400 if isinstance(error, LaunchRefused) else 403)
