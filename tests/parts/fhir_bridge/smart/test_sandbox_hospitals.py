"""The whole sign-in at the two sandbox hospitals, over real HTTP, with both kinds of confidential client."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc.jwk import ECKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from fhir_bridge.providers import Provider, load_providers, provider_for_issuer
from fhir_bridge.retrieve.plan import plan_for
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.client_keys import add_key, newest_first, public_jwks, read_client_keys
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.errors import LaunchDenied, LaunchRefused, ReconnectNeeded
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.launch import LaunchRequest
from fhir_bridge.smart.refresh import Binding
from outbound.client import OutboundClient, OutboundResponse
from outbound.destinations import AllowList
from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.server import RunningHospital, start

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

PORTAL = "http://127.0.0.1:8000"


@dataclass
class Site:
    """One hospital, our entry for it, and a client."""

    hospital: RunningHospital
    provider: Provider
    http: OutboundClient
    client: SmartClient
    published: dict[str, object]
    key_file: Path

    def search(self, grant: Grant, query: str) -> OutboundResponse:
        """One question to the FHIR server, with the grant's token."""
        sent = {"Authorization": f"Bearer {grant.access_token}", "Accept": "application/fhir+json"}
        base = grant.fhir_base_url
        return self.http.request("GET", f"{base}/{query}", headers=sent, within=base)

    def begin(self, launch: str | None = None, *, offline: bool = True) -> LaunchRequest:
        return self.client.begin(
            self.provider,
            datetime.now(UTC),
            redirect_uri=f"{PORTAL}/callback/{self.provider.id}",
            entropy=secrets.token_bytes(96),
            launch_value=launch,
            offline=offline,
        )

    def decide(self, request: LaunchRequest, login: str, **form: str | list[str]) -> dict[str, str]:
        """Press the buttons a person would; what the redirect back carries."""
        query = urlsplit(request.url).query
        page = requests.post(f"{self.hospital.url}/oauth/consent?{query}", {"login": login}, timeout=10)
        groups = [part.split('"')[0] for part in page.text.split('name="group" value="')[1:]]
        choices: dict[str, str | list[str]] = {"login": login, "decision": "allow", "group": groups, "offline": "yes"}
        answer = requests.post(
            f"{self.hospital.url}/oauth/decision?{query}", {**choices, **form}, allow_redirects=False, timeout=10
        )
        return landed(answer, request.redirect_uri)

    def finish(self, request: LaunchRequest, params: dict[str, str]) -> Grant:
        return self.client.finish(self.provider, request, params, datetime.now(UTC))

    def a_login(self, kind: str) -> tuple[str, str | None]:
        found = self.hospital.hospital.records.people(kind)[0]
        return found.id, found.patient_id


def landed(answer: requests.Response, redirect_uri: str) -> dict[str, str]:
    where = urlsplit(answer.headers["Location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == redirect_uri
    return {name: values[0] for name, values in parse_qs(where.query).items()}


@pytest.fixture(params=["riverside", "lakeside"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """riverside takes private_key_jwt and reads our published keys; lakeside takes a secret."""
    (tmp_path / "key.json").write_text(json.dumps(ECKey.generate_key("P-384", {"kid": "k1"}).as_dict(private=True)))
    published: dict[str, object] = {}
    keys = make_server("127.0.0.1", 0, jwks_app(published))
    thread = Thread(target=keys.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hospital = start(
        HospitalConfig(
            id=request.param,
            state_dir=tmp_path / "state",
            portal=PORTAL,
            client_secret="sandbox-secret",
            jwks_url=f"http://127.0.0.1:{keys.server_port}/.well-known/jwks.json",
        )
    )
    (provider,) = load_providers(
        written(tmp_path, request.param, hospital.fhir_url), {"SECRET": "sandbox-secret"}, production=False
    )
    if provider.client_keys is not None:
        published.update(public_jwks([provider.client_keys]))
    http = OutboundClient(AllowList(provider.destinations()))
    yield Site(hospital, provider, http, SmartClient(http), published, tmp_path / "key.json")
    http.close()
    hospital.stop()
    keys.shutdown()
    thread.join()
    keys.server_close()


def jwks_app(published: dict[str, object]) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return Response(json.dumps(published), content_type="application/json")(environ, start_response)

    return app


def written(folder: Path, hospital_id: str, fhir_url: str) -> Path:
    auth = {
        "riverside": 'client_auth = "private_key_jwt"\nprivate_key = "file:key.json"',
        "lakeside": 'client_auth = "client_secret_basic"\nclient_secret = "env:SECRET"',
    }[hospital_id]
    path = folder / "providers.toml"
    path.write_text(
        f'[[provider]]\nid = "{hospital_id}"\nname = "A sandbox hospital"\nstate = "MA"\nfhir_base_url = "{fhir_url}"\n'
        f'client_id = "portal"\n{auth}\nscopes = "launch/patient openid fhirUser offline_access patient/*.rs"\n'
        'care_team = true\nnetwork = "private"\n'
    )
    return path


def test_a_patient_signs_in_reads_refreshes_and_leaves(site: Site) -> None:
    """SMART-01, 10, 40 to 47, 49, 60 to 63: the whole path at both hospitals."""
    login, patient = site.a_login("patient")
    request = site.begin()
    grant = site.finish(request, site.decide(request, login))
    assert (grant.role, grant.patient) == (LaunchRole.SELF, patient)
    assert grant.scopes.not_shared(["Patient", "Condition", "Observation"]) == ()
    answer = site.http.request(
        "GET",
        f"{grant.fhir_base_url}/Patient/{patient}",
        headers={"Authorization": f"Bearer {grant.access_token}", "Accept": "application/fhir+json"},
        within=grant.fhir_base_url,
    )
    assert (answer.status, answer.json()["id"]) == (200, patient)
    binding = Binding(grant.identity.issuer, grant.identity.subject, grant.patient)
    now = datetime.now(UTC)
    assert grant.refresh_token is not None
    fresh = site.client.refresh(site.provider, now, refresh_token=grant.refresh_token, binding=binding)
    assert fresh.refresh_token != grant.refresh_token
    assert site.client.revoke(site.provider, now, token=fresh.refresh_token, hint="refresh_token")
    with pytest.raises(ReconnectNeeded):
        site.client.refresh(site.provider, now, refresh_token=fresh.refresh_token, binding=binding)


def test_a_patient_shares_less(site: Site) -> None:
    """SMART-33: what was unticked at the hospital is named as not shared."""
    login, _ = site.a_login("patient")
    request = site.begin(offline=False)
    grant = site.finish(request, site.decide(request, login, group=["about-you", "conditions"]))
    assert grant.scopes.not_shared(["Patient", "Condition", "Observation"]) == ("Observation",)
    assert grant.refresh_token is None


def test_a_patient_says_no(site: Site) -> None:
    """SMART-14: access_denied."""
    login, _ = site.a_login("patient")
    request = site.begin()
    with pytest.raises(LaunchDenied):
        site.finish(request, site.decide(request, login, decision="deny"))


def test_a_code_works_once(site: Site) -> None:
    """SMART-11: the same callback a second time gives no second grant."""
    login, _ = site.a_login("patient")
    request = site.begin()
    params = site.decide(request, login)
    site.finish(request, params)
    with pytest.raises(LaunchRefused, match="token-invalid_grant"):
        site.finish(request, params)


def test_a_nurse_launches_from_the_chart(site: Site) -> None:
    """SMART-20, SMART-22, SMART-62: `iss` finds the provider, the nurse is care team, the chart's patient is named."""
    nurse, _ = site.a_login("clinician")
    _, patient = site.a_login("patient")
    browser = requests.Session()
    browser.post(f"{site.hospital.url}/chart/sign-in", {"login": nurse}, timeout=10)
    launched = browser.post(f"{site.hospital.url}/chart/{patient}/launch", allow_redirects=False, timeout=10)
    query = parse_qs(urlsplit(launched.headers["Location"]).query)
    assert provider_for_issuer((site.provider,), query["iss"][0]) is site.provider
    request = site.begin(query["launch"][0], offline=False)
    answer = browser.get(request.url, allow_redirects=False, timeout=10)
    grant = site.finish(request, landed(answer, request.redirect_uri))
    assert (grant.role, grant.patient, grant.need_patient_banner) == (LaunchRole.CARE_TEAM, patient, True)
    assert grant.scopes.may_read("Patient")
    assert not grant.scopes.may_read("Condition")


FAULTS = [
    ("iss", "id-token-iss"), ("aud", "id-token-aud"), ("azp", "id-token-aud"), ("exp", "id-token-exp"),
    ("nonce", "id-token-nonce"), ("no_nonce", "id-token-nonce"), ("sub_long", "id-token-sub"),
    ("fhir_user", "fhir-user-form"), ("no_iat", "id-token-iat"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_a_hospital_that_lies_about_who_signed_in(site: Site, fault: str, reason: str) -> None:
    """SMART-60, SMART-61, SMART-62, LIB-05: the sandbox's own faults sign nobody in."""
    site.hospital.hospital.faults.set({"id_token": fault})
    login, _ = site.a_login("patient")
    request = site.begin()
    with pytest.raises(LaunchRefused) as caught:
        site.finish(request, site.decide(request, login))
    assert caught.value.reason == reason


def test_a_hospital_that_knows_only_version_1(site: Site) -> None:
    """SMART-31: `.read` is asked for, granted and understood; the record can be read with it."""
    site.hospital.hospital.faults.set({"configuration": "v1_only"})
    login, patient = site.a_login("patient")
    request = site.begin()
    assert "patient/*.read" in request.scope.split()
    grant = site.finish(request, site.decide(request, login))
    assert "patient/*.rs" not in grant.scope
    assert grant.scopes.may_search("Condition")
    assert site.search(grant, f"Condition?patient={patient}").status == 200


def test_only_lab_tests_are_shared(site: Site) -> None:
    """SMART-32, SMART-34: a granular grant; what is planned is what the hospital answers, and nothing else comes."""
    login, patient = site.a_login("patient")
    assert patient is not None
    request = site.begin()
    grant = site.finish(request, site.decide(request, login, only=["laboratory", "vital-signs"]))
    assert grant.scopes.partly_shared(["Observation", "Condition"]) == ("Observation",)
    planned = next(one for one in plan_for(patient, grant.scopes).types if one.type == "Observation")
    assert (len(planned.first), planned.narrowed, planned.fallback) == (2, True, ())
    for search in planned.first:
        answer = site.search(grant, search.query)
        assert answer.status == 200
        for entry in answer.json()["entry"]:
            codes = {each["code"] for one in entry["resource"]["category"] for each in one["coding"]}
            assert codes & {"laboratory", "vital-signs"}
    assert site.search(grant, f"Condition?patient={patient}").status == 200


def test_the_answer_names_its_issuer(site: Site) -> None:
    """SMART-15: RFC 9207, for real: promised and right, wrong, or missing although promised."""
    login, _ = site.a_login("patient")
    promised = site.hospital.hospital.config.names_issuer
    request = site.begin()
    params = site.decide(request, login)
    assert params.get("iss") == (site.hospital.url if promised else None)
    assert site.finish(request, params).patient
    for fault in ("wrong", "missing"):
        site.hospital.hospital.faults.set({"callback_iss": fault})
        request = site.begin()
        params = site.decide(request, login)
        if promised:
            with pytest.raises(LaunchRefused, match="callback-iss"):
                site.finish(request, params)
        else:
            assert site.finish(request, params).patient


def test_keys_are_rotated_while_people_sign_in(site: Site) -> None:
    """SMART-43: published, then signing, then alone: at each step the hospital takes what is signed."""
    if site.provider.client_keys is None:
        assert site.provider.client_auth == "client_secret_basic"
        return
    login, _ = site.a_login("patient")
    both = read_client_keys(add_key(site.key_file.read_text(), "RS384"))
    steps = (both, read_client_keys(newest_first(add_key(site.key_file.read_text(), "ES384"))))
    for keys in steps:
        site.published.clear()
        site.published.update(public_jwks([keys]))
        place = replace(site.provider, client_keys=keys)
        request = site.begin()
        grant = site.client.finish(place, request, site.decide(request, login), datetime.now(UTC))
        assert grant.access_token
    assert len(public_jwks(steps)["keys"]) == 3
