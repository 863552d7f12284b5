"""A SMART server that tells the truth until a test makes it lie. It is ours, small, and knows no library's opinions."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

SCOPE = "launch/patient openid fhirUser offline_access patient/*.rs"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = RSAKey.generate_key(2048, {"kid": "k1"})  # one for all: making a key takes a while
Json = dict[str, Any]


def sign(claims: Json, key: RSAKey | ECKey, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1", **header}, claims, key, algorithms=["RS256", "ES384", "RS384"])


@dataclass
class FakeSmartServer:
    """`change_*` functions get what would be sent and give what is sent instead."""

    key: RSAKey = field(default_factory=lambda: KEY)
    kid: str = "k1"
    patient: str = "patient-1"
    client_id: str = "portal"
    change_configuration: Callable[[Json], Any] = lambda document: document
    change_openid: Callable[[Json], Any] = lambda document: document
    change_claims: Callable[[Json], Json] = lambda claims: claims
    change_token: Callable[[Json], Any] = lambda answer: answer
    make_id_token: Callable[[Json], str] | None = None
    token_status: int = 200
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def start(self) -> FakeSmartServer:
        self._server = make_server("localhost", 0, self._answer, threaded=True)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def fhir(self) -> str:
        return f"{self.url}/tenant/fhir"

    def calls(self, path: str) -> list[tuple[dict[str, str], dict[str, str]]]:
        """(headers, form) of each request to `path`."""
        return [(headers, form) for _, seen, headers, form in self.seen if seen == path]

    def authorize(self, url: str) -> dict[str, str]:
        """What a browser would bring back after the person agreed at `url`."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self._nonce, self._challenge = query.get("nonce"), query["code_challenge"]
        return {"code": "code-1", "state": query["state"]}

    def claims(self) -> Json:
        moment = int(NOW.timestamp())
        claims = {
            "iss": self.url, "aud": self.client_id, "sub": "subject-1", "iat": moment, "exp": moment + 300,
            "fhirUser": f"{self.fhir}/Patient/{self.patient}", "name": "Alma Test",
        }  # fmt: skip
        return {**claims, "nonce": self._nonce} if self._nonce else claims

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        form = {name: value for name, value in request.form.items()}
        self.seen.append((request.method, request.path, dict(request.headers), form))
        handlers: dict[str, Callable[[Request], Response]] = {
            "/tenant/fhir/.well-known/smart-configuration": self._configuration,
            "/.well-known/openid-configuration": self._openid,
            "/keys": self._keys,
            "/token": self._token,
            "/revoke": lambda _request: Response("", 200),
        }
        handler = handlers.get(request.path)
        response = handler(request) if handler else Response("no", 404)
        return response(environ, start_response)

    def _configuration(self, _request: Request) -> Response:
        document = {
            "issuer": self.url, "jwks_uri": f"{self.url}/keys", "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token", "revocation_endpoint": f"{self.url}/revoke",
            "grant_types_supported": ["authorization_code"], "code_challenge_methods_supported": ["S256"],
            "capabilities": [
                "launch-standalone", "launch-ehr", "sso-openid-connect", "permission-v2", "permission-patient",
                "permission-user", "context-standalone-patient", "context-ehr-patient", "context-ehr-encounter",
                "client-public", "client-confidential-symmetric", "client-confidential-asymmetric",
            ],
        }  # fmt: skip
        return _json(self.change_configuration(document))

    def _openid(self, _request: Request) -> Response:
        return _json(self.change_openid({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}))

    def _keys(self, _request: Request) -> Response:
        return _json({"keys": [{**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": "RS256"}]})

    def _token(self, request: Request) -> Response:
        if request.form.get("grant_type") == "authorization_code":
            digest = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self._challenge:
                return _json({"error": "invalid_grant"}, 400)
        claims = self.change_claims(self.claims())
        token = self.make_id_token(claims) if self.make_id_token else sign(claims, self.key, kid=self.kid)
        answer = {
            "access_token": "ACCESS-canary", "token_type": "bearer", "expires_in": 3600, "scope": SCOPE,
            "refresh_token": "REFRESH-canary", "id_token": token, "patient": self.patient,
            "need_patient_banner": True, "tenant": "t1", "intent": "summary",
        }  # fmt: skip
        return _json(self.change_token(answer), self.token_status)


def _json(document: Any, status: int = 200) -> Response:
    text = document if isinstance(document, str) else json.dumps(document)
    return Response(text, status, content_type="application/json")
