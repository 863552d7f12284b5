"""OpenID Connect, as much of it as a sign-in needs (Core 1.0 section 3.1): code, PKCE S256, RS256 id_token, `amr`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as AnyResponse

from sandbox.hospital.signing import HospitalKeys

CLIENT_ID = "portal"
CODE_SECONDS = 60
# What the sign-in asked for, as RFC 8176 calls it.
WAYS = {"key": ["pwd", "hwk", "mfa"], "password": ["pwd"]}


@dataclass(frozen=True)
class Colleague:
    """One invented member of staff."""

    id: str
    name: str
    roles: tuple[str, ...]
    mail: str


STAFF = (
    Colleague("dana", "Dana Brooks", ("cancerlinq-staff", "cancerlinq-lead"), "dana@staff.example"),
    Colleague("miguel", "Miguel Ortega", ("cancerlinq-staff",), "miguel@staff.example"),
)


class QuietHandler(WSGIRequestHandler):
    """Writes no access log: addresses carry codes."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


@dataclass
class StaffIdentity:
    """The provider: its key, its one client, and the codes that are out. `staff` may be changed by tests."""

    issuer: str
    portal: str
    client_secret: str
    keys: HospitalKeys
    staff: tuple[Colleague, ...] = STAFF
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def refusal(self, asked: dict[str, str]) -> str | None:
        """Why an authorization request cannot be shown; None when it can."""
        if asked.get("client_id") != CLIENT_ID or not asked.get("redirect_uri", "").startswith(f"{self.portal}/"):
            return "This app is not known here."
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return "Only the code flow of OpenID Connect is served."
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "PKCE with S256 is required."
        return None

    def code_for(self, colleague: Colleague, way: str, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(24)
        self.codes[code] = {"who": colleague, "way": way, "asked": asked, "until": time.time() + CODE_SECONDS}
        return code

    def id_token(self, kept: dict[str, Any], access_token: str) -> str:
        colleague, asked, moment = kept["who"], kept["asked"], int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer, "sub": colleague.id, "aud": CLIENT_ID, "iat": moment, "exp": moment + 300,
            "auth_time": moment, "nonce": asked.get("nonce"), "name": colleague.name, "amr": WAYS[kept["way"]],
            "roles": list(colleague.roles), "email": colleague.mail, "email_verified": True,
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="),
        }  # fmt: skip
        return self.keys.sign(claims)


def build_app(identity: StaffIdentity) -> Flask:
    """The provider as an application; the look is that of the sandbox's phones."""
    here = Path(__file__).parent
    app = Flask(__name__, template_folder=str(here / "templates"), static_folder=str(here.parent / "phone" / "static"))
    app.add_url_rule("/jwks", view_func=lambda: jsonify(identity.keys.public()), endpoint="jwks")
    app.add_url_rule("/authorize", view_func=lambda: _ask(identity), endpoint="ask")
    app.add_url_rule("/authorize", view_func=lambda: _decide(identity), endpoint="decide", methods=["POST"])
    app.add_url_rule("/token", view_func=lambda: _token(identity), endpoint="token", methods=["POST"])
    app.add_url_rule(
        "/.well-known/openid-configuration", view_func=lambda: _configuration(identity), endpoint="configuration"
    )

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["content-security-policy"] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["cache-control"] = "no-store"
        return response

    return app


def _configuration(identity: StaffIdentity) -> Response:
    issuer = identity.issuer
    return jsonify(
        issuer=issuer, authorization_endpoint=f"{issuer}/authorize", token_endpoint=f"{issuer}/token",
        jwks_uri=f"{issuer}/jwks", response_types_supported=["code"], subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"], code_challenge_methods_supported=["S256"],
        token_endpoint_auth_methods_supported=["client_secret_basic"],
        authorization_response_iss_parameter_supported=True,
    )  # fmt: skip


def _ask(identity: StaffIdentity) -> Response:
    asked = request.args.to_dict()
    refused = identity.refusal(asked)
    page = render_template("sign_in.html", staff=identity.staff, asked=asked, refused=refused)
    return Response(page, 400 if refused else 200)


def _decide(identity: StaffIdentity) -> AnyResponse:
    sent = request.form.to_dict()
    chosen, _, way = sent.pop("who", "").partition(" ")
    colleague = next((one for one in identity.staff if one.id == chosen), None)
    refused = identity.refusal(sent)
    if refused or (chosen and (colleague is None or way not in WAYS)):
        page = render_template("sign_in.html", staff=identity.staff, asked=sent, refused=refused or "Nobody")
        return Response(page, 400)
    answer = {"state": sent.get("state", ""), "iss": identity.issuer}
    more = {"error": "access_denied"} if colleague is None else {"code": identity.code_for(colleague, way, sent)}
    return redirect(f"{sent['redirect_uri']}?{urlencode(more | answer)}", 303)


def _token(identity: StaffIdentity) -> tuple[Response, int]:
    sent, basic = request.form, request.authorization
    if basic is None or basic.username != CLIENT_ID or basic.password != identity.client_secret:
        return jsonify(error="invalid_client"), 401
    kept = identity.codes.pop(sent.get("code", ""), None)
    proof = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
    if (
        kept is None or kept["until"] < time.time() or kept["asked"]["redirect_uri"] != sent.get("redirect_uri")
        or not hmac.compare_digest(proof.decode().rstrip("="), kept["asked"]["code_challenge"])
    ):  # fmt: skip
        return jsonify(error="invalid_grant"), 400
    access = secrets.token_urlsafe(24)
    answer = {"access_token": access, "token_type": "Bearer", "expires_in": 300}
    return jsonify(answer | {"id_token": identity.id_token(kept, access)}), 200


@dataclass(frozen=True)
class RunningStaffIdentity:
    """A provider that answers at `url`, its issuer."""

    url: str
    identity: StaffIdentity
    _server: BaseWSGIServer
    _thread: threading.Thread

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()


def start(folder: Path, *, portal: str, client_secret: str, port: int = 0) -> RunningStaffIdentity:
    """Start the provider on `localhost` in a thread; port 0 takes a free one."""
    serving: list[Flask] = []
    server = make_server(
        "127.0.0.1", port, lambda env, answer: serving[0](env, answer), threaded=True, request_handler=QuietHandler
    )
    url = f"http://localhost:{server.server_port}"
    identity = StaffIdentity(url, portal.rstrip("/"), client_secret, HospitalKeys(folder))
    serving.append(build_app(identity))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="staff-identity", daemon=True)
    thread.start()
    return RunningStaffIdentity(url, identity, server, thread)
