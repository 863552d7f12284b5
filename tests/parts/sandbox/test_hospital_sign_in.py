"""The sandbox hospital's authorization server over real HTTP, spoken to by a client written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from pytest_httpserver import HTTPServer

from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.server import RunningHospital, start
from tests.parts.sandbox.smart_client import SCOPE, Client, hospital

PATIENT = "Patient/lk-p03"


@pytest.fixture(scope="module")
def lakeside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHospital]:
    with hospital(tmp_path_factory.mktemp("lakeside")) as running:
        yield running


@pytest.fixture
def riverside(tmp_path: Path, httpserver: HTTPServer) -> Iterator[tuple[RunningHospital, RSAKey, ECKey]]:
    """Riverside, which reads the portal's keys (one RSA, one EC) over HTTP."""
    rsa = RSAKey.generate_key(2048, auto_kid=True)
    curve = ECKey.generate_key("P-384", auto_kid=True)
    keys = {"keys": [rsa.as_dict(private=False), curve.as_dict(private=False)]}
    httpserver.expect_request("/jwks").respond_with_json(keys)
    with hospital(tmp_path, "riverside", jwks_url=httpserver.url_for("/jwks")) as running:
        yield running, rsa, curve


def test_discovery_is_smart(lakeside: RunningHospital) -> None:
    """SMART-01, SMART-02, SMART-03: the configuration is beside the FHIR base, complete, S256 and nothing plain."""
    told = requests.get(f"{lakeside.fhir_url}/.well-known/smart-configuration", timeout=5).json()
    assert {"authorization_endpoint", "token_endpoint", "capabilities", "issuer", "jwks_uri"} <= set(told)
    assert told["code_challenge_methods_supported"] == ["S256"]
    openid = requests.get(f"{told['issuer']}/.well-known/openid-configuration", timeout=5).json()
    assert openid["issuer"] == told["issuer"]
    assert openid["jwks_uri"] == told["jwks_uri"]
    metadata = requests.get(f"{lakeside.fhir_url}/metadata", timeout=5).json()
    assert metadata["resourceType"] == "CapabilityStatement"


def test_symmetric_client_signs_in(lakeside: RunningHospital) -> None:
    """SMART-41, SMART-44, SMART-45, SMART-60, SMART-61: token, context and a valid id_token with the nonce."""
    token = Client(lakeside).connect(PATIENT)
    assert token["patient"] == "lk-p03"
    assert token["token_type"] == "Bearer"
    assert token["scope"] == SCOPE
    assert token["expires_in"] == 3600
    keys = KeySet.import_key_set(requests.get(f"{lakeside.url}/.well-known/jwks.json", timeout=5).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (lakeside.url, "portal", "nonce-1")
    assert claims["fhirUser"] == PATIENT  # lakeside writes it relative
    assert claims["exp"] > claims["iat"]
    again = jwt.decode(Client(lakeside).connect(PATIENT)["id_token"], keys, algorithms=["RS256"]).claims
    assert again["sub"] == claims["sub"]


def test_asymmetric_client_signs_in(riverside: tuple[RunningHospital, RSAKey, ECKey]) -> None:
    """SMART-42: RS384 and ES384 assertions are accepted; fhirUser is absolute here."""
    at, rsa, curve = riverside
    for key, alg in ((rsa, "RS384"), (curve, "ES384")):
        token = Client(at, key=key, alg=alg).connect("Patient/rv-p01")
        assert token["patient"] == "rv-p01"
        claims = jwt.decode(token["id_token"], at.hospital.keys.rsa, algorithms=["RS256"]).claims
        assert claims["fhirUser"] == f"{at.fhir_url}/Patient/rv-p01"


def test_bad_assertions_are_refused(riverside: tuple[RunningHospital, RSAKey, ECKey]) -> None:
    """SMART-42: wrong audience, too long a life, a reused jti, a foreign key, another algorithm."""
    at, rsa, _ = riverside
    client = Client(at, key=rsa, alg="RS384")
    form = {"grant_type": "refresh_token", "refresh_token": "unknown"}
    for changes in ({"aud": at.url}, {"exp": 9_999_999_999}, {"iss": "somebody"}, {"exp": 1}):
        assert client.post(at.hospital.token_url, form, **changes).json()["error"] == "invalid_client", changes
    assert client.post(at.hospital.token_url, form, jti="once").json()["error"] == "invalid_grant"
    assert client.post(at.hospital.token_url, form, jti="once").json()["error"] == "invalid_client"
    for key, alg in ((RSAKey.generate_key(2048, auto_kid=True), "RS384"), (rsa, "RS256")):
        stranger = Client(at, key=key, alg=alg)
        assert stranger.post(at.hospital.token_url, form).json()["error"] == "invalid_client"


def test_public_client_signs_in(lakeside: RunningHospital) -> None:
    """SMART-40: a public client sends its id and no secret; a confidential one cannot pass as public."""
    assert Client(lakeside, "portal-public").connect(PATIENT)["patient"] == "lk-p03"
    code = Client(lakeside).decide(PATIENT)["code"]
    form = {"grant_type": "authorization_code", "code": code, "client_id": "portal"}
    assert requests.post(lakeside.hospital.token_url, form, timeout=5).json()["error"] == "invalid_client"


def test_wrong_secret(lakeside: RunningHospital) -> None:
    """SMART-41: a wrong secret is 401 invalid_client."""
    answer = requests.post(lakeside.hospital.token_url, {"grant_type": "authorization_code", "code": "x"},
                           auth=("portal", "wrong"), timeout=5)  # fmt: skip
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"},
        {"code_challenge_method": None}, {"aud": None}, {"aud": "http://localhost:1/fhir"}, {"scope": "nonsense"},
        {"scope": "launch openid", "launch": "unknown"},
    ],
)  # fmt: skip
def test_bad_authorization_requests(lakeside: RunningHospital, changes: dict[str, str | None]) -> None:
    """SMART-03, SMART-10, SMART-12: no PKCE, plain PKCE, wrong aud, no scope, unknown launch go back as errors."""
    client = Client(lakeside)
    answer = requests.get(f"{lakeside.url}/oauth/authorize", params=client.query(**changes), timeout=5,
                          allow_redirects=False)  # fmt: skip
    landed = client.landed(answer)
    assert landed["error"] in ("invalid_request", "invalid_scope")
    assert landed["state"] == "state-1"


@pytest.mark.parametrize("changes", [{"client_id": "stranger"}, {"redirect_uri": "http://evil.example/callback"},
                                     {"redirect_uri": None}])  # fmt: skip
def test_never_an_open_redirector(lakeside: RunningHospital, changes: dict[str, str | None]) -> None:
    """SMART-14: an unknown app or redirect gets a page, not a redirect."""
    answer = requests.get(f"{lakeside.url}/oauth/authorize", params=Client(lakeside).query(**changes), timeout=5,
                          allow_redirects=False)  # fmt: skip
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_authorize_by_post(lakeside: RunningHospital) -> None:
    """SMART-13: the authorization request may come as a form."""
    answer = requests.post(f"{lakeside.url}/oauth/authorize", Client(lakeside).query(), timeout=5)
    assert answer.status_code == 200
    assert "Sign in as" in answer.text


def test_deny_goes_back_as_access_denied(lakeside: RunningHospital) -> None:
    """SMART-14: Deny is access_denied with the state and no code."""
    landed = Client(lakeside).decide(PATIENT, decision="deny")
    assert landed["error"] == "access_denied"
    assert landed["state"] == "state-1"
    assert "code" not in landed


def test_wrong_verifier(lakeside: RunningHospital) -> None:
    """SMART-12: a verifier that does not fit the challenge, or none, gives no token."""
    client = Client(lakeside)
    code = client.decide(PATIENT)["code"]
    assert client.exchange(code, code_verifier="x" * 50).json()["error"] == "invalid_grant"
    assert client.exchange(code, code_verifier="").json()["error"] == "invalid_request"
    assert client.exchange(code, redirect_uri="http://evil.example/").json()["error"] == "invalid_grant"


def test_code_works_once_and_reuse_revokes(lakeside: RunningHospital) -> None:
    """A reused code is invalid_grant and ends what the first use gave (RFC 6749 4.1.2)."""
    client = Client(lakeside)
    code = client.decide(PATIENT)["code"]
    token = client.exchange(code).json()
    assert client.get("Patient/lk-p03", token["access_token"]).status_code == 200
    assert client.exchange(code).json()["error"] == "invalid_grant"
    assert client.get("Patient/lk-p03", token["access_token"]).status_code == 401


def test_code_of_another_client(lakeside: RunningHospital) -> None:
    """A code works only for the client it was given to."""
    code = Client(lakeside).decide(PATIENT)["code"]
    assert Client(lakeside, "portal-public").exchange(code).json()["error"] == "invalid_grant"


def test_refresh_rotates_and_reuse_revokes(lakeside: RunningHospital) -> None:
    """SMART-47: each refresh token works once; using an old one ends everything."""
    client = Client(lakeside)
    first = client.connect(PATIENT)
    second = client.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["patient"], second["expires_in"]) == ("lk-p03", 3600)
    assert client.get("Patient/lk-p03", second["access_token"]).status_code == 200
    assert client.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert client.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert client.get("Patient/lk-p03", second["access_token"]).status_code == 401


def test_no_refresh_token_unless_offline_is_granted(lakeside: RunningHospital) -> None:
    """SMART-36: without offline_access, asked or ticked, there is no refresh token."""
    assert "refresh_token" not in Client(lakeside).connect(PATIENT, scope="launch/patient openid patient/*.rs")
    token = Client(lakeside).connect(PATIENT, offline=False)
    assert "refresh_token" not in token
    assert "offline_access" not in token["scope"]


def test_sessions_survive_a_restart(tmp_path: Path) -> None:
    """A restart keeps the port, the keys and the refresh tokens; revoked ones stay revoked."""
    with hospital(tmp_path) as before:
        kept = Client(before).connect(PATIENT)
        gone = Client(before).connect(PATIENT)
        assert Client(before).post(before.hospital.revoke_url, {"token": gone["refresh_token"]}).status_code == 200
    assert (tmp_path / "permissions.json").stat().st_mode & 0o077 == 0
    with hospital(tmp_path) as after:
        assert after.url == before.url
        assert after.hospital.keys.public() == before.hospital.keys.public()
        assert Client(after).refresh(kept["refresh_token"]).status_code == 200
        assert Client(after).refresh(gone["refresh_token"]).json()["error"] == "invalid_grant"


def test_revocation(lakeside: RunningHospital) -> None:
    """SMART-49: revoking ends both tokens at once; an unknown token is 200 too; a stranger's token is not ended."""
    client = Client(lakeside)
    token = client.connect(PATIENT)
    other = Client(lakeside, "portal-public")
    other.post(lakeside.hospital.revoke_url, {"token": token["refresh_token"]})
    assert client.get("Patient/lk-p03", token["access_token"]).status_code == 200
    form = {"token": token["refresh_token"], "token_type_hint": "refresh_token"}
    assert client.post(lakeside.hospital.revoke_url, form).status_code == 200
    assert client.post(lakeside.hospital.revoke_url, {"token": "unknown"}).status_code == 200
    assert client.get("Patient/lk-p03", token["access_token"]).status_code == 401
    assert client.refresh(token["refresh_token"]).json()["error"] == "invalid_grant"


def test_introspection(lakeside: RunningHospital) -> None:
    """SMART-50: active, scope, client_id, exp and the patient; a dead token is only inactive."""
    client = Client(lakeside)
    token = client.connect(PATIENT)
    told = client.post(lakeside.hospital.introspect_url, {"token": token["access_token"]}).json()
    assert (told["active"], told["client_id"], told["patient"]) == (True, "portal", "lk-p03")
    assert {"scope", "exp", "sub", "iss"} <= set(told)
    assert client.post(lakeside.hospital.introspect_url, {"token": "unknown"}).json() == {"active": False}


def test_relative_signs_in_for_a_child(tmp_path: Path, httpserver: HTTPServer) -> None:
    """SMART-62: a mother signs in as RelatedPerson with her child's context."""
    key = ECKey.generate_key("P-384", auto_kid=True)
    httpserver.expect_request("/jwks").respond_with_json({"keys": [key.as_dict(private=False)]})
    with hospital(tmp_path, "riverside", jwks_url=httpserver.url_for("/jwks")) as at:
        token = Client(at, key=key).connect("RelatedPerson/rv-p05-mother")
        claims = jwt.decode(token["id_token"], at.hospital.keys.rsa, algorithms=["RS256"]).claims
        assert token["patient"] == "rv-p05"
        assert claims["fhirUser"].endswith("/RelatedPerson/rv-p05-mother")
        assert Client(at).get("RelatedPerson/rv-p05-mother", token["access_token"]).status_code == 200


def test_clinician_picks_a_patient(lakeside: RunningHospital) -> None:
    """SMART-62: a clinician who signs in standalone chooses a chart; the banner is asked for."""
    token = Client(lakeside).connect("Practitioner/lk-nurse-diaz", patient="lk-p04")
    assert token["patient"] == "lk-p04"
    assert token["need_patient_banner"] is True
    assert Client(lakeside).decide("Practitioner/lk-nurse-diaz", patient="nobody")["error"] == "access_denied"


def test_ehr_launch(lakeside: RunningHospital) -> None:
    """SMART-20, SMART-22, SMART-45, SMART-65: from the chart to a token with patient, banner and practitioner."""
    browser = requests.Session()
    with browser:
        browser.post(f"{lakeside.url}/chart/sign-in", {"login": "Practitioner/lk-nurse-diaz"}, timeout=5)
        chart = browser.get(f"{lakeside.url}/chart/lk-p02", timeout=5)
        assert "Open in My Cancer Record (EHR launch)" in chart.text
        sent = browser.post(f"{lakeside.url}/chart/lk-p02/launch", timeout=5, allow_redirects=False)
        where = urlsplit(sent.headers["Location"])
        assert f"{where.scheme}://{where.netloc}{where.path}" == "http://127.0.0.1:8000/launch"
        given = {key: values[0] for key, values in parse_qs(where.query).items()}
        assert given["iss"] == lakeside.fhir_url
        client = Client(lakeside)
        query = client.query(scope="launch openid fhirUser user/*.rs patient/*.rs", launch=given["launch"])
        answer = browser.get(f"{lakeside.url}/oauth/authorize", params=query, timeout=5, allow_redirects=False)
        token = client.exchange(client.landed(answer)["code"]).json()
        again = browser.get(f"{lakeside.url}/oauth/authorize", params=query, timeout=5, allow_redirects=False)
    assert (token["patient"], token["need_patient_banner"]) == ("lk-p02", True)
    claims = jwt.decode(token["id_token"], lakeside.hospital.keys.rsa, algorithms=["RS256"]).claims
    assert claims["fhirUser"] == "Practitioner/lk-nurse-diaz"
    assert client.landed(again)["error"] == "invalid_request"


def test_launch_needs_a_clinician(lakeside: RunningHospital) -> None:
    """SMART-20: nobody launches from the chart without having chosen who they are."""
    answer = requests.post(f"{lakeside.url}/chart/lk-p02/launch", timeout=5, allow_redirects=False)
    assert answer.headers["Location"].endswith("/chart")


def test_secret_is_needed_to_start(tmp_path: Path) -> None:
    """A hospital whose client authenticates by secret refuses to start without one."""
    with pytest.raises(ValueError, match="client-secret-file"):
        start(HospitalConfig(id="lakeside", state_dir=tmp_path))
