"""The product's sign-in and retrieval against a SMART on FHIR server that was not written beside them."""

from __future__ import annotations

import json
import random
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from joserfc.jwk import ECKey
from pytest_httpserver import HTTPServer

from fhir_bridge.providers import Provider
from fhir_bridge.retrieve.asking import Clock
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.plan import CORE_TYPES, EXTRA_TYPES, REFERENCED_TYPES, plan_for
from fhir_bridge.retrieve.references import file_links_in, references_in
from fhir_bridge.retrieve.run import Retrieved, Sinks, retrieve_all
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.client_keys import ClientKeys, add_key, public_jwks, read_client_keys
from fhir_bridge.smart.conformance import Verdict, examine
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.errors import LaunchDenied, LaunchRefused, ReconnectNeeded
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.launch import LaunchRequest
from fhir_bridge.smart.publications import fetch_published
from fhir_bridge.smart.refresh import Binding
from outbound.client import OutboundClient, OutboundResponse
from outbound.destinations import AllowList
from sandbox.people.person import SyntheticPerson
from tests.parts.third_party.sign_in_page import answer
from tests.support.processes import wait_until_gone
from tests.support.testdata import ROOT
from tests.support.third_party import StartHospital, ThirdPartyHospital
from vocabulary.resource import Resource

SCOPES = "launch/patient openid fhirUser offline_access patient/*.rs"
REDIRECT = "http://127.0.0.1:8000/callback/third"
METHODS = ("private_key_jwt", "client_secret_basic")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def keys() -> ClientKeys:
    """Two, as during a rotation: ES384 signs, RS384 is published."""
    one = json.dumps(ECKey.generate_key("P-384", {"kid": "k1"}).as_dict(private=True))
    return read_client_keys(add_key(one, "RS384"))


@pytest.fixture(scope="module")
def hospital(third_party_hospital: StartHospital, keys: ClientKeys) -> Iterator[ThirdPartyHospital]:
    """The hospital, with a portal that publishes its keys."""
    with HTTPServer() as portal:
        portal.expect_request("/.well-known/jwks.json").respond_with_json(public_jwks([keys]))
        yield third_party_hospital(portal=portal.url_for("/"), redirects=[REDIRECT])


@pytest.fixture
def http(hospital: ThirdPartyHospital) -> Iterator[OutboundClient]:
    client = OutboundClient(AllowList(provider(hospital, "public").destinations()))
    yield client
    client.close()


def provider(hospital: ThirdPartyHospital, method: str, keys: ClientKeys | None = None) -> Provider:
    """The hospital as providers.toml would describe it."""
    basic = method == "client_secret_basic"
    return Provider(
        id="third",
        name="Third-party hospital",
        state="CO",
        fhir_base_url=hospital.fhir,
        client_id=hospital.basic_client_id if basic else hospital.client_id,
        client_auth=method,
        scopes=SCOPES,
        private=True,
        client_secret=hospital.client_secret if basic else None,
        client_keys=keys if method == "private_key_jwt" else None,
    )


def begin(client: SmartClient, place: Provider) -> LaunchRequest:
    return client.begin(place, now(), redirect_uri=REDIRECT, entropy=secrets.token_bytes(96), offline=True)


def sign_in(client: SmartClient, place: Provider, person: SyntheticPerson) -> Grant:
    request = begin(client, place)
    return client.finish(place, request, answer(request.url, REDIRECT, patient=person.id), now())


def get(url: str, token: str | None = None, accept: str = "application/fhir+json") -> requests.Response:
    headers = {"Accept": accept, **({"Authorization": f"Bearer {token}"} if token else {})}
    return requests.get(url, headers=headers, timeout=20)


@pytest.mark.parametrize("method", METHODS)
def test_a_whole_launch(hospital: ThirdPartyHospital, http: OutboundClient, keys: ClientKeys, method: str) -> None:
    """SMART-10, SMART-12, SMART-40, SMART-41, SMART-42, SMART-45, SMART-47, SMART-49, SMART-60, SMART-61: launch,
    verified id_token, refresh that rotates, revocation that ends it."""
    client, place, person = SmartClient(http), provider(hospital, method, keys), hospital.patients[0]
    grant = sign_in(client, place, person)
    assert (grant.patient, grant.role) == (person.id, LaunchRole.SELF)
    assert (grant.identity.issuer, grant.identity.subject) == (hospital.issuer, person.id)
    assert set(SCOPES.split()) == set(grant.scope.split())
    assert get(f"{hospital.fhir}/Patient/{person.id}", grant.access_token).json()["birthDate"] == str(person.birth_date)
    assert grant.refresh_token is not None
    binding = Binding(grant.identity.issuer, grant.identity.subject, grant.patient)
    fresh = client.refresh(place, now(), refresh_token=grant.refresh_token, binding=binding)
    assert fresh.refresh_token != grant.refresh_token
    assert get(f"{hospital.fhir}/Patient/{person.id}", fresh.access_token).status_code == 200
    assert client.revoke(place, now(), token=fresh.refresh_token, hint="refresh_token")
    assert get(f"{hospital.fhir}/Patient/{person.id}", fresh.access_token).status_code == 401
    with pytest.raises(ReconnectNeeded):
        client.refresh(place, now(), refresh_token=fresh.refresh_token, binding=binding)


def test_the_other_algorithm_and_the_named_issuer(
    hospital: ThirdPartyHospital, http: OutboundClient, keys: ClientKeys
) -> None:
    """SMART-15, SMART-42, SMART-43: the second key of a rotation signs (RS384); the answer names its issuer (RFC 9207),
    and another's name is refused before any token call."""
    client, person = SmartClient(http), hospital.patients[0]
    place = provider(hospital, "private_key_jwt", ClientKeys(keys.keys[::-1]))
    assert place.client_keys is not None
    assert place.client_keys.signing.alg == "RS384"
    request = begin(client, place)
    back = answer(request.url, REDIRECT, patient=person.id)
    assert client.configuration(place, now()).response_names_issuer
    assert back["iss"] == hospital.issuer
    for wrong in ({"iss": "https://elsewhere.example"}, {"iss": ""}):
        with pytest.raises(LaunchRefused, match="callback-iss"):
            client.finish(place, request, back | wrong, now())
    without = {name: value for name, value in back.items() if name != "iss"}
    with pytest.raises(LaunchRefused, match="callback-iss"):
        client.finish(place, request, without, now())
    assert client.finish(place, request, back, now()).patient == person.id


def test_the_conformance_report(hospital: ThirdPartyHospital, http: OutboundClient, keys: ClientKeys) -> None:
    """SMART-01, SMART-02, SMART-03, SMART-05, SMART-42, SMART-60: a server that is not ours passes what it must, and
    what it does not offer is named."""
    place = provider(hospital, "private_key_jwt", keys)
    findings = examine(place, fetch_published(place, http, now()))
    verdicts = {(one.id, one.verdict) for one in findings}
    assert Verdict.MISSING not in {one.verdict for one in findings}
    for id_ in ("SMART-01", "SMART-02", "SMART-03", "SMART-05", "SMART-42", "SMART-60"):
        assert (id_, Verdict.OK) in verdicts
    lacking = {one.found for one in findings if one.verdict is Verdict.LACKING}
    assert "management_endpoint: no" in lacking


def test_what_must_be_refused_is_refused(hospital: ThirdPartyHospital, http: OutboundClient, keys: ClientKeys) -> None:
    """SMART-12, SMART-14, SMART-41, SMART-42: another verifier, the wrong secret or key, a person who says no."""
    client, person = SmartClient(http), hospital.patients[0]
    place = provider(hospital, "client_secret_basic")
    request = begin(client, place)
    back = answer(request.url, REDIRECT, patient=person.id)
    with pytest.raises(LaunchRefused, match="invalid_grant"):
        client.finish(place, replace(request, code_verifier="A" * 43), back, now())
    request = begin(client, place)
    back = answer(request.url, REDIRECT, patient=person.id)
    with pytest.raises(LaunchRefused, match="invalid_client"):
        client.finish(replace(place, client_secret="another"), request, back, now())
    stranger = read_client_keys(json.dumps(ECKey.generate_key("P-384", {"kid": "k1"}).as_dict(private=True)))
    place = provider(hospital, "private_key_jwt", keys)
    request = begin(client, place)
    back = answer(request.url, REDIRECT, patient=person.id)
    with pytest.raises(LaunchRefused, match="invalid_client"):
        client.finish(replace(place, client_keys=stranger), request, back, now())
    request = begin(client, place)
    with pytest.raises(LaunchDenied):
        client.finish(place, request, answer(request.url, REDIRECT, patient=person.id, button="deny"), now())


def test_the_audience_must_be_the_fhir_base(hospital: ThirdPartyHospital, http: OutboundClient) -> None:
    """SMART-10: this server refuses a launch for another FHIR server, so that a wrong `aud` of ours would show."""
    request = begin(SmartClient(http), provider(hospital, "client_secret_basic"))
    elsewhere = request.url.replace("%2Ffhir&", "%2Fother&")
    assert elsewhere != request.url
    refused = requests.get(elsewhere, allow_redirects=False, timeout=20)
    assert "error=invalid_request" in refused.headers["Location"]


def test_without_a_token_nothing_is_shown(hospital: ThirdPartyHospital, http: OutboundClient) -> None:
    """SMART-48: 401 without a token and with an invented one; a token opens no other person's chart."""
    one, other = hospital.patients[:2]
    assert get(f"{hospital.fhir}/Patient/{one.id}").status_code == 401
    assert get(f"{hospital.fhir}/Observation?patient={one.id}", "invented").status_code == 401
    grant = sign_in(SmartClient(http), provider(hospital, "client_secret_basic"), one)
    assert get(f"{hospital.fhir}/Patient/{other.id}", grant.access_token).status_code == 404
    assert get(f"{hospital.fhir}/Condition?patient={other.id}", grant.access_token).json()["total"] == 0


def test_a_narrow_grant_is_a_narrow_view(hospital: ThirdPartyHospital, http: OutboundClient) -> None:
    """SMART-33: only the scopes that were granted count, at the server and in our reading of them."""
    scopes = "openid fhirUser patient/Patient.rs patient/Condition.rs"
    place = replace(provider(hospital, "client_secret_basic"), scopes=scopes)
    person = hospital.patients[0]
    grant = sign_in(SmartClient(http), place, person)
    assert get(f"{hospital.fhir}/Condition?patient={person.id}", grant.access_token).status_code == 200
    assert get(f"{hospital.fhir}/Observation?patient={person.id}", grant.access_token).status_code == 403
    outcomes = {one.type: one.state.value for one in retrieved(http, grant, []).outcomes}
    assert (outcomes["Condition"], outcomes["Observation"]) == ("ok", "not-authorized")


def retrieved(
    http: OutboundClient, grant: Grant, into: list[Received], files: list[FetchedFile] | None = None
) -> Retrieved:
    """Everything the grant gives, as the worker would bring it in."""

    def fetch(url: str, headers: Mapping[str, str]) -> OutboundResponse:
        with_token = {**headers, "Authorization": f"Bearer {grant.access_token}"}
        return http.request("GET", url, headers=with_token, within=grant.fhir_base_url)

    sinks = Sinks(lambda _kind, page: into.extend(page), on_file=files.append if files is not None else None)
    clock = Clock(now, time.sleep, random.random)
    plan = plan_for(str(grant.patient), grant.scopes)
    return retrieve_all(fetch, plan, grant.fhir_base_url, sinks, renew=lambda: False, clock=clock)


def check_types(result: Retrieved, held: Mapping[tuple[str, str], Resource]) -> None:
    """Each searched type came in whole, and was called empty only where it is."""
    loaded = Counter(kind for kind, _ in held)
    for outcome in result.outcomes:
        # Provenance?patient= finds what is about the Patient resource only (R4 search parameter Provenance-patient).
        if outcome.type in CORE_TYPES + EXTRA_TYPES and outcome.type != "Provenance":
            expected = (loaded[outcome.type], "ok" if loaded[outcome.type] else "empty")
            assert (outcome.count, outcome.state.value) == expected, outcome.type


def test_the_whole_record_comes_in(hospital: ThirdPartyHospital, http: OutboundClient) -> None:
    """FHIR-01, FHIR-02, FHIR-05, FHIR-10, FHIR-11, FHIR-17: each person's chart, over many pages, type by type."""
    client, place = SmartClient(http), provider(hospital, "client_secret_basic")
    for person in hospital.patients:
        grant = sign_in(client, place, person)
        received: list[Received] = []
        files: list[FetchedFile] = []
        result = retrieved(http, grant, received, files)
        held = {(one["resourceType"], one["id"]): one for one in person.resources()}
        got = {(one.type, one.id): one.resource for one in received}
        check_types(result, held)
        assert len(got) == len(received)
        assert result.wrong_patient == ()
        assert max(outcome.pages for outcome in result.outcomes) > 1
        for one in got.values():
            named = {tuple(name.split("/")) for name in references_in(one, REFERENCED_TYPES, hospital.fhir)}
            assert named & held.keys() <= got.keys()
        unchanged = {key: without_version(one) for key, one in got.items()}
        assert unchanged == {key: without_version(held[key]) for key in got}
        links = {link.url for one in got.values() for link in file_links_in(one, hospital.fhir)}
        assert links
        assert sorted(one.link.url for one in files) == sorted(links)
        assert all(one.body and not one.problems for one in files)


def without_version(resource: Resource) -> Resource:
    """The server gives each resource a version of its own."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name != "versionId"}
    return {**resource, "meta": meta}


def test_the_hospital_ends_with_its_starter(third_party_packages: Path, tmp_path: Path) -> None:
    """Tests leave nothing running: a hospital ends by itself when whoever started it was killed."""
    code = (
        "import sys, time; from pathlib import Path; from tests.support import third_party as t\n"
        "with t.hospital_running(Path(sys.argv[1]), 'http://127.0.0.1:8000', ['http://127.0.0.1:8000/c'],"
        " t.some_people()[:1]) as hospital:\n"
        "    print(hospital.pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    with starter.stdout:
        pid = int(starter.stdout.readline())
        starter.kill()
        starter.wait(10)
        wait_until_gone([pid])
