"""`portal api`: programs sign in with their own key and read what is theirs (SMART Backend Services, CON-08, 12-14)."""

from __future__ import annotations

import io
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import orjson
import pytest
import yaml
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from clients.python import portal_decisions
from consent.as_fhir import EFFORT_SYSTEM
from consent.check_consent import check_consent
from consent.decision import Answer, donation_to
from consent.feed.read_events import SUBJECT_SYSTEM
from consent.record_decision import record_decision
from consent.sequencer import sequence_once
from consent.wire import subscription_id
from patient_portal.api.app import OPEN, create_api
from patient_portal.api.assertion import TYPE
from patient_portal.api.blueprints import BLUEPRINTS
from patient_portal.api.clients import MAY_HAVE, ApiClient, ClientRole
from patient_portal.wiring import now
from tests.parts.consent.people import RIVERSIDE, asked, person
from tests.support.portal import Portal
from tests.support.testdata import ROOT

EC = ECKey.generate_key("P-384", {"kid": "one"}, private=True)
RSA = RSAKey.generate_key(2048, {"kid": "two"}, private=True)
PUBLIC = KeySet.import_key_set({"keys": [EC.as_dict(private=False), RSA.as_dict(private=False)]})
ROLES = {
    "platform": (ClientRole.STORE, {"cancerlinq"}),
    "effort": (ClientRole.STORE, {"living-well"}),
    "auditor": (ClientRole.AUDITOR, set[str]()),
    "pipeline": (ClientRole.PIPELINE, {"cancerlinq", "living-well"}),
}


@dataclass
class Api:
    """The application and the front door whose ledger it reads."""

    app: Flask
    portal: Portal

    def post(self, path: str, **options: Any) -> Any:
        return self.app.test_client().post(path, **options)

    def token(self, client: str, scope: str = "") -> str:
        asks = scope or " ".join(sorted(MAY_HAVE[ROLES[client][0]]))
        answer = self.post("/oauth/token", data=form(client, self.aud, asks))
        assert answer.status_code == 200, answer.json
        assert (answer.json["token_type"], answer.json["expires_in"], answer.json["scope"]) == ("bearer", 300, asks)
        return str(answer.json["access_token"])

    @property
    def aud(self) -> str:
        return f"{self.portal.worker.settings.api_base_url}/oauth/token"

    def get(self, client: str, path: str, **headers: str) -> Any:
        return self.app.test_client().get(path, headers={"Authorization": f"Bearer {self.token(client)}", **headers})


@pytest.fixture
def api(portal: Portal) -> Iterator[Api]:
    clients = tuple(
        ApiClient(name, name, role, frozenset(stores), MAY_HAVE[role], PUBLIC) for name, (role, stores) in ROLES.items()
    )
    settings = replace(portal.worker.settings, clients=clients)
    app = create_api(replace(portal.worker, settings=settings), BLUEPRINTS)
    yield Api(app, portal)
    app.extensions["decider"].close()


def assertion(client: str, aud: str, *, key: Any = EC, header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {"iss": client, "sub": client, "aud": aud, "exp": int(time.time()) + 240, "jti": uuid4().hex, **claims}
    alg = "ES384" if key.key_type == "EC" else "RS384"
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(
        {"alg": alg, "typ": "JWT", "kid": key.kid, **(header or {})}, kept, key, algorithms=[alg, "RS256"]
    )


def form(client: str, aud: str, scope: str, **more: Any) -> dict[str, str]:
    return {
        "grant_type": "client_credentials", "client_assertion_type": TYPE, "scope": scope,
        "client_assertion": more.pop("token", None) or assertion(client, aud, **more),
    }  # fmt: skip


def decide(api: Api, who: UUID, *more: Any, **also: Any) -> UUID:
    made = record_decision(api.portal.database.web, api.portal.database.keyring, asked(who, *more, **also), now())
    return made.decisions[0].id


def json_of(api: Api, path: str) -> Any:
    """What anybody may read."""
    return api.app.test_client().get(path).json


def named(value: str) -> str:
    return f"/fhir/Consent?patient:identifier={RIVERSIDE}|{value}"


def test_every_route_declares_a_scope_and_asks_for_it(api: Api) -> None:
    """SEC-08, SEC-11: without a token 401, with another scope 403, for every route that is not open."""
    weak = api.token("pipeline", "system/decision.r")
    seen = 0
    for rule in api.app.url_map.iter_rules():
        scope = getattr(api.app.view_functions[rule.endpoint], "scope", None)
        assert scope is not None, rule.endpoint
        if scope == OPEN:
            continue
        path = str(rule).replace("<uuid:consent>", str(uuid4())).replace("<uuid:decision>", str(uuid4()))
        path = path.replace("<int:version>", "1").replace("<subscription>", str(uuid4()))
        method = "POST" if "POST" in (rule.methods or ()) else "GET"
        client = api.app.test_client()
        for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}):
            answer = client.open(path, method=method, headers=header)
            assert answer.status_code == 401, path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        if scope != "system/decision.r":
            answer = client.open(path, method=method, headers={"Authorization": f"Bearer {weak}"})
            assert answer.status_code == 403, path
        seen += 1
    assert seen >= 12


def test_assertions_that_prove_nothing(api: Api) -> None:
    """SMART-42 as server, SEC-11: each broken assertion is `invalid_client`, and none says why."""
    aud, other = api.aud, ECKey.generate_key("P-384", {"kid": "one"}, private=True)
    used = assertion("auditor", aud)
    assert api.post("/oauth/token", data=form("", aud, "system/Consent.rs", token=used)).status_code == 200
    bad = {
        "used before": used,
        "another's key": assertion("auditor", aud, key=other),
        "another audience": assertion("auditor", "https://elsewhere.example/token"),
        "over": assertion("auditor", aud, exp=int(time.time()) - 120),
        "too long": assertion("auditor", aud, exp=int(time.time()) + 4000),
        "no jti": assertion("auditor", aud, jti=None),
        "subject differs": assertion("auditor", aud, sub="platform"),
        "unknown client": assertion("nobody", aud),
        "unknown kid": assertion("auditor", aud, header={"kid": "other"}),
        "key in header": assertion("auditor", aud, header={"jku": "https://evil.example/jwks"}),
        "not yet": assertion("auditor", aud, nbf=int(time.time()) + 3600),
        "RS256": assertion("auditor", aud, key=RSA, header={"alg": "RS256"}),
        "no signature": used.rpartition(".")[0] + ".",
        "not a token": "x",
        "huge": "a" * 10_000,
    }
    for why, token in bad.items():
        answer = api.post("/oauth/token", data=form("", aud, "system/Consent.rs", token=token))
        assert (answer.status_code, answer.json) == (401, {"error": "invalid_client"}), why
    good = form("auditor", aud, "system/Subscription.rs")
    assert api.post("/oauth/token", data=good).json == {"error": "invalid_scope"}
    assert api.post("/oauth/token", data={**good, "grant_type": "password"}).status_code == 400
    assert api.post("/oauth/token", data=form("auditor", aud, "system/Consent.rs", key=RSA)).status_code == 200
    (kept,) = api.portal.rows("SELECT count(*) FROM api_token WHERE length(token_index) = 32")
    assert kept[0] == 2


def test_consents_and_their_history(api: Api) -> None:
    """CON-07, CON-08, CON-12: a Consent is active, then inactive, and its history says both; Provenance says who."""
    rosa = person(api.portal.database, 1)
    first, second = decide(api, rosa), decide(api, rosa, answer=Answer.YES)
    found = api.get("platform", named("MRN-1")).json
    assert [(entry["resource"]["id"], entry["resource"]["status"]) for entry in found["entry"]] == [
        (str(second), "active"), (str(first), "inactive"),
    ]  # fmt: skip
    assert [
        entry["resource"]["id"] for entry in api.get("platform", named("MRN-1") + "&status=active").json["entry"]
    ] == [str(second)]
    history = api.get("platform", f"/fhir/Consent/{first}/_history").json
    assert [(e["resource"]["meta"]["versionId"], e["resource"]["status"]) for e in history["entry"]] == [
        ("2", "inactive"), ("1", "active"),
    ]  # fmt: skip
    for entry in history["entry"]:
        assert check_consent(entry["resource"]) == []
        version = entry["resource"]["meta"]["versionId"]
        one = api.get("platform", f"/fhir/Consent/{first}/_history/{version}")
        assert (one.json, one.headers["ETag"]) == (entry["resource"], f'W/"{version}"')
    provenance = api.get("platform", f"/fhir/Provenance?target=Consent/{first}").json["entry"][0]["resource"]
    assert provenance["target"] == [{"reference": f"Consent/{first}/_history/1"}]
    assert api.get("platform", f"/fhir/Provenance/{first}").json == provenance


def test_a_store_reads_its_own_and_nobody_else(api: Api) -> None:
    """SEC-08: another store's Consent, an unknown one and a person of another hospital's number are all alike."""
    rosa = person(api.portal.database, 1)
    opted_out, given = decide(api, rosa), decide(api, rosa, donation_to("living-well"), Answer.YES)
    ways = [f"/fhir/Consent/{given}", f"/fhir/Consent/{uuid4()}", f"/fhir/Consent/{given}/_history"]
    answers = [api.get("platform", path) for path in ways] + [api.get("effort", f"/fhir/Consent/{opted_out}")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert api.get("platform", named("MRN-2")).json["total"] == 0
    assert api.get("effort", named("MRN-1")).json["total"] == 0, "an effort knows nobody by a record number"
    for query in ("", "?patient:identifier=MRN-1", f"?patient:identifier={RIVERSIDE}|MRN-1&patient=1", "?_count=x"):
        assert api.get("platform", f"/fhir/Consent{query}").status_code == 400, query


def test_an_effort_knows_its_donors_by_code_only(api: Api) -> None:
    """HIP-22: found by the random code; no record number in the answer."""
    rosa = person(api.portal.database, 1)
    given = decide(api, rosa, donation_to("living-well"), Answer.YES)
    assert api.get("effort", f"/fhir/Consent/{given}").status_code == 404, "no code yet: nobody there"
    rows = api.portal.rows("SELECT id FROM person")
    code = "c0de" * 6
    with api.portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO store_subject (store_id, person_id, subject, created_at)"
            " VALUES ('living-well', %s, %s, now())",
            (rows[0].id, code),
        )
    consent = api.get("effort", f"/fhir/Consent/{given}").json
    assert consent["patient"]["identifier"] == {"system": SUBJECT_SYSTEM, "value": code}
    assert consent["organization"][0]["identifier"] == {"system": EFFORT_SYSTEM, "value": "living-well"}
    found = api.get("effort", f"/fhir/Consent?patient:identifier={SUBJECT_SYSTEM}|{code}").json
    assert [entry["resource"]["id"] for entry in found["entry"]] == [str(given)]
    assert b"MRN" not in orjson.dumps([consent, found])


def test_reading_is_seen_by_the_person(api: Api) -> None:
    """CON-13: each reading is an AuditEvent; an auditor reads them by name."""
    rosa = person(api.portal.database, 1)
    decision = decide(api, rosa)
    api.get("platform", f"/fhir/Consent/{decision}")
    lines = api.get("auditor", f"/fhir/AuditEvent?patient:identifier={RIVERSIDE}|MRN-1").json["entry"]
    codes = [line["resource"]["subtype"][0]["code"] for line in lines]
    assert codes == ["choices.read-by-program", "decision.recorded"]
    assert lines[0]["resource"]["agent"][0]["who"]["identifier"]["value"] == "platform"
    assert api.get("auditor", f"/fhir/Consent/{decision}").json["patient"]["identifier"]["value"] == f"urn:uuid:{rosa}"


def test_r5_on_request(api: Api) -> None:
    """CON-14: `fhirVersion=5.0` gives the R5 form: a root decision and its exceptions."""
    rosa = person(api.portal.database, 1)
    decision = decide(api, rosa)
    answer = api.get("platform", f"/fhir/Consent/{decision}", Accept="application/fhir+json; fhirVersion=5.0")
    assert answer.content_type == "application/fhir+json; fhirVersion=5.0"
    consent = answer.json
    assert (consent["decision"], "scope" in consent, "policyRule" in consent) == ("permit", False, False)
    assert consent["subject"]["identifier"]["value"] == "MRN-1"
    assert [nested["purpose"][0]["code"] for nested in consent["provision"]] == ["HOPERAT"]
    assert all("type" not in nested for nested in consent["provision"])


def test_paging_and_times(api: Api) -> None:
    """FHIR search: `next` leads through all, each once; `_lastUpdated` narrows; a wrong date is told."""
    rosa = person(api.portal.database, 1)
    for number in range(5):
        decide(api, rosa, answer=Answer.NO if number % 2 == 0 else Answer.YES)
    path, seen = named("MRN-1") + "&_count=2", []
    while path:
        page = api.get("platform", path).json
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        path = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert (len(seen), len(set(seen)), page["total"]) == (5, 5, 5)
    assert api.get("platform", named("MRN-1") + "&_lastUpdated=ge2999-01-01").json["total"] == 0
    assert (
        api.get("platform", named("MRN-1") + "&_lastUpdated=ge2020-01-01&_lastUpdated=lt2999-01-01").json["total"] == 5
    )
    assert api.get("platform", named("MRN-1") + "&_lastUpdated=soon").status_code == 400


def test_own_subscription(api: Api) -> None:
    """SUB-05, SUB-06: a store asks about its own subscription; another's is as none."""
    own, other = subscription_id("cancerlinq"), subscription_id("living-well")
    status = api.get("platform", f"/fhir/Subscription/{own}/$status").json
    assert (status["type"], status["total"]) == ("searchset", 1)
    events = api.get("platform", f"/fhir/Subscription/{own}/$events?eventsSinceNumber=1").json
    assert events["entry"][0]["resource"]["resourceType"] == "Parameters"
    for path in (f"/fhir/Subscription/{other}/$status", "/fhir/Subscription/x/$events"):
        assert api.get("platform", path).status_code == 404
    assert api.get("platform", f"/fhir/Subscription/{own}/$events?eventsSinceNumber=-1").status_code == 400


def test_the_statement_is_true(api: Api) -> None:
    """CapabilityStatement: each interaction and search parameter it names is answered, and no other type is."""
    rosa = person(api.portal.database, 1)
    decision = decide(api, rosa)
    statement = json_of(api, "/fhir/metadata")
    name = f"patient:identifier={RIVERSIDE}|MRN-1"
    asks = {"patient": name, "status": f"{name}&status=active", "_lastUpdated": f"{name}&_lastUpdated=ge2020-01-01",
            "target": f"target=Consent/{decision}"}  # fmt: skip
    ways = {"read": "/{0}/{1}", "vread": "/{0}/{1}/_history/1", "history-instance": "/{0}/{1}/_history"}
    for resource in statement["rest"][0]["resource"]:
        for code in [each["code"] for each in resource.get("interaction", []) if each["code"] in ways]:
            assert api.get("auditor", "/fhir" + ways[code].format(resource["type"], decision)).status_code == 200
        for each in resource.get("searchParam", []):
            answer = api.get("auditor", f"/fhir/{resource['type']}?{asks[each['name']]}")
            assert (answer.status_code, answer.json["total"] > 0) == (200, True), (resource["type"], each)
    assert api.get("auditor", "/fhir/Patient").status_code == 404
    assert api.app.test_client().delete(f"/fhir/Consent/{decision}").status_code == 405
    smart = json_of(api, "/fhir/.well-known/smart-configuration")
    assert smart["token_endpoint"] == api.aud


def test_decisions_over_http(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 3, decisions for pipelines: single, batch and the hook; only for the client's own stores."""
    database = api.portal.database
    decide(api, person(database, 1))
    person(database, 2)
    while sequence_once(database.worker, now()):
        pass
    asks = {"store": "cancerlinq", "class": "clinical", "purpose": "operations", "id": f"{RIVERSIDE}|MRN-1"}
    header = {"Authorization": f"Bearer {api.token('pipeline')}"}
    assert api.post("/decide", json=asks, headers=header).json["allowed"] is False
    assert api.post("/decide", json={**asks, "id": f"{RIVERSIDE}|MRN-2"}, headers=header).json["allowed"] is True
    assert api.post("/decide", json={**asks, "store": "tempus"}, headers=header).status_code == 404
    assert api.post("/decide", data=b"{", headers=header).status_code == 400
    names = f"{RIVERSIDE}|MRN-1\n{RIVERSIDE}|MRN-2\n{RIVERSIDE}|MRN-3\n"
    batch = api.post(
        "/decide/batch?store=cancerlinq&class=clinical&purpose=operations", data=names,
        headers={**header, "Content-Type": "text/plain", "Accept": "text/plain"},
    )  # fmt: skip
    assert (batch.status_code, batch.text) == (200, f"{RIVERSIDE}|MRN-2\n")
    assert api.post("/decide", json=asks, headers=header).status_code == 200
    lines = api.portal.rows("SELECT person_id, detail FROM audit_event WHERE event = 'decisions.asked' ORDER BY id")
    assert [(line.person_id is None, line.detail["allowed"]) for line in lines] == [
        (False, False), (False, True), (True, 1)
    ], "HIP-25: one line a day for a person and question; a batch is one line with counts"  # fmt: skip
    assert lines[2].detail["count"] == 3
    assert json_of(api, "/cds-services")["services"][0]["hook"] == "patient-consent-consult"
    assert api.post("/cds-services/patient-consent-consult", json={"hook": "x"}, headers=header).status_code == 400
    asks_as_a_pipeline_does(api, monkeypatch)
    described = yaml.safe_load((ROOT / "docs/openapi-decide.yaml").read_text(encoding="utf-8"))
    served = {rule.rule: {way.lower() for way in rule.methods or ()} for rule in api.app.url_map.iter_rules()}
    assert all(ways.keys() <= served[path] for path, ways in described["paths"].items()), "each described way is served"
    flow = described["components"]["securitySchemes"]["backend"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] in served
    assert set(flow["scopes"]) == {"system/decision.r"}, "what a pipeline may have, and what these ways ask for"


def asks_as_a_pipeline_does(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python client, as it is handed out: one name, many, and what is refused is no answer."""

    def opened(request: urllib.request.Request, **_: Any) -> io.BytesIO:
        there = urlsplit(request.full_url)
        answer = api.post(f"{there.path}?{there.query}", data=request.data, headers=dict(request.header_items()))
        if answer.status_code >= 400:
            raise urllib.error.HTTPError(request.full_url, answer.status_code, "", Message(), None)
        return io.BytesIO(answer.data)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", lambda _, *given, **_more: opened(*given))
    client = portal_decisions.Decisions("https://portal.example", token=lambda: api.token("pipeline"))
    names = [f"{RIVERSIDE}|MRN-{number}" for number in (1, 2, 3)]
    one = client.ask("cancerlinq", "clinical", "operations", names[0])
    assert (one.allowed, one.reason) == (False, "opted-out")
    assert list(client.allowed("cancerlinq", "clinical", "operations", names)) == [names[1]]
    with pytest.raises(portal_decisions.NotAnswered, match="404"):
        client.ask("tempus", "clinical", "operations", names[0])
