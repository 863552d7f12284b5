"""A SMART client written out by hand, so that the sandbox hospital is not tested with the library it is made of."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.server import RunningHospital, start

PORTAL = "http://127.0.0.1:8000"
SECRET = "lakeside-secret/with:signs"
SCOPE = "launch/patient openid fhirUser offline_access patient/*.rs"


@contextmanager
def hospital(folder: Path, hospital_id: str = "lakeside", **settings: Any) -> Iterator[RunningHospital]:
    """A running hospital; lakeside's portal client has SECRET."""
    settings.setdefault("client_secret", SECRET)
    running = start(HospitalConfig(id=hospital_id, state_dir=folder, **settings))
    try:
        yield running
    finally:
        running.stop()


@dataclass
class Client:
    """One app at one hospital."""

    at: RunningHospital
    client_id: str = "portal"
    key: RSAKey | ECKey | None = None
    alg: str = "ES384"
    verifier: str = field(default_factory=lambda: token_urlsafe(48))

    @property
    def redirect_uri(self) -> str:
        return f"{PORTAL}/callback/{self.at.hospital.config.id}"

    def query(self, **changes: str | None) -> dict[str, str]:
        """Authorization request parameters; None leaves one out."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        asked: dict[str, str | None] = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri, "scope": SCOPE,
            "state": "state-1", "aud": self.at.fhir_url, "code_challenge": challenge, "code_challenge_method": "S256",
            "nonce": "nonce-1",
        }  # fmt: skip
        return {key: value for key, value in (asked | changes).items() if value is not None}

    def decide(
        self, login: str, *, decision: str = "allow", groups: list[str] | None = None, offline: bool = True,
        patient: str | None = None, **changes: str | None,
    ) -> dict[str, str]:  # fmt: skip
        """Walk the two screens by their forms; the parameters of the redirect back to the app."""
        query = urlencode(self.query(**changes))
        page = requests.post(f"{self.at.url}/oauth/consent?{query}", {"login": login}, timeout=10)
        assert page.status_code == 200, page.text
        if groups is None:
            groups = [part.split('"')[0] for part in page.text.split('name="group" value="')[1:]]
        form: dict[str, Any] = {"login": login, "decision": decision, "group": groups}
        form |= {"offline": "yes"} if offline else {}
        form |= {"patient": patient} if patient else {}
        url = f"{self.at.url}/oauth/decision?{query}"
        return self.landed(requests.post(url, form, allow_redirects=False, timeout=10))

    def landed(self, answer: requests.Response) -> dict[str, str]:
        """The query of a redirect to this app's callback."""
        assert answer.status_code == 302, answer.text
        where = urlsplit(answer.headers["Location"])
        assert f"{where.scheme}://{where.netloc}{where.path}" == self.redirect_uri
        return {key: values[0] for key, values in parse_qs(where.query).items()}

    def post(self, url: str, form: dict[str, str], **assertion: Any) -> requests.Response:
        """A request with this client's own authentication."""
        auth = None
        if self.key is not None:
            form = form | self.assertion(**assertion)
        elif self.client_id == "portal":
            auth = (self.client_id, quote(SECRET, safe=""))
        else:
            form = form | {"client_id": self.client_id}
        return requests.post(url, form, auth=auth, timeout=10)

    def assertion(self, **changes: Any) -> dict[str, str]:
        """private_key_jwt parameters (SMART-42)."""
        assert self.key is not None
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.at.hospital.token_url,
                  "exp": int(time.time()) + 240, "jti": token_urlsafe(16)} | changes  # fmt: skip
        signed = jwt.encode({"alg": self.alg, "kid": self.key.kid, "typ": "JWT"}, claims, self.key, [self.alg])
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return {"client_assertion_type": kind, "client_assertion": signed}

    def exchange(self, code: str, **changes: str) -> requests.Response:
        """The token request for a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
                "code_verifier": self.verifier} | changes  # fmt: skip
        return self.post(self.at.hospital.token_url, form)

    def refresh(self, token: str) -> requests.Response:
        """The refresh request."""
        return self.post(self.at.hospital.token_url, {"grant_type": "refresh_token", "refresh_token": token})

    def connect(self, login: str, **choices: Any) -> dict[str, Any]:
        """The whole way; the token response."""
        answer = self.exchange(self.decide(login, **choices)["code"])
        assert answer.status_code == 200, answer.text
        token: dict[str, Any] = answer.json()
        return token

    def get(self, path: str, token: str, **headers: str) -> requests.Response:
        """A FHIR request; `path` relative to the base or absolute."""
        url = path if path.startswith("http") else f"{self.at.fhir_url}/{path}"
        return requests.get(url, headers={"Authorization": f"Bearer {token}", **headers}, timeout=10)


def entries(bundle: dict[str, Any], mode: str = "match") -> list[dict[str, Any]]:
    """Resources of a Bundle by search mode."""
    return [e["resource"] for e in bundle.get("entry", []) if e["search"]["mode"] == mode]
