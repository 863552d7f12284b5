"""FHIR reading and searching at the sandbox hospital: scopes, filters, pages, files, faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from sandbox.hospital import fhir_api
from sandbox.hospital.server import RunningHospital
from tests.parts.sandbox.smart_client import Client, entries, hospital

PATIENT = "lk-p03"


@pytest.fixture(scope="module")
def lakeside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHospital]:
    with hospital(tmp_path_factory.mktemp("lakeside")) as running:
        yield running


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHospital]:
    """Riverside with a public client, so that these tests need no key."""
    with hospital(tmp_path_factory.mktemp("riverside"), "riverside", client_auth="public") as running:
        yield running


@pytest.fixture(scope="module")
def token(lakeside: RunningHospital) -> str:
    return str(Client(lakeside).connect(f"Patient/{PATIENT}")["access_token"])


@pytest.fixture(autouse=True)
def heal(lakeside: RunningHospital) -> Iterator[None]:
    yield
    requests.delete(f"{lakeside.url}/sandbox/faults", timeout=5)


def search(at: RunningHospital, token: str, path: str) -> dict[str, Any]:
    answer = Client(at).get(path, token)
    assert answer.status_code == 200, answer.text
    bundle: dict[str, Any] = answer.json()
    return bundle


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


def test_every_type_can_be_read(open_house: RunningHospital) -> None:
    """FHIR-01, FHIR-02: each type in the chart is searched in full and each entry read, versions and times on it."""
    client = Client(open_house, "portal-public")
    token = client.connect("Patient/rv-p06")["access_token"]
    chart = open_house.hospital.records.chart("rv-p06")
    assert chart is not None
    for kind, held in chart.by_type.items():
        bundle = search(open_house, token, f"{kind}?patient=rv-p06&_count=500")
        assert bundle["total"] == len(held), kind
        first = entries(bundle)[0]
        assert first["meta"]["versionId"]
        assert first["meta"]["lastUpdated"]
        read = client.get(f"{kind}/{first['id']}", token, Accept="application/fhir+json")
        assert read.json() == first


def test_no_token_dead_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SMART-48: no token, a wrong one and an expired one are 401 with WWW-Authenticate and an OperationOutcome."""
    with hospital(tmp_path, access_token_seconds=600) as short:
        client = Client(short)
        late = client.connect(f"Patient/{PATIENT}")["access_token"]
        assert client.get(f"Patient/{PATIENT}", late).status_code == 200
        monkeypatch.setattr(fhir_api, "time", SimpleNamespace(time=lambda: time.time() + 601))
        answers = [client.get(f"Patient/{PATIENT}", late), client.get(f"Patient/{PATIENT}", "wrong"),
                   requests.get(f"{short.fhir_url}/Patient/{PATIENT}", timeout=5)]  # fmt: skip
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_other_patients_never(lakeside: RunningHospital, token: str) -> None:
    """FHIR-17: another patient's id in a search is 403, in a read 404, and never any data."""
    client = Client(lakeside)
    assert client.get("Condition?patient=lk-p04", token).status_code == 403
    assert client.get("Condition?subject=Patient/lk-p04", token).status_code == 403
    assert client.get("Patient/lk-p04", token).status_code == 404
    assert client.get("Condition/lk-p04-pancreas", token).status_code == 404
    assert client.get("Patient/lk-p04/$everything", token).status_code == 403
    assert [r["id"] for r in entries(search(lakeside, token, "Patient"))] == [PATIENT]


def test_narrower_consent_is_403_for_the_type(lakeside: RunningHospital) -> None:
    """SMART-33, SMART-34: what was not ticked is not in `scope` and answers 403; what was ticked works."""
    client = Client(lakeside)
    token = client.connect(f"Patient/{PATIENT}", groups=["about-you", "conditions"])
    assert "patient/Condition.rs" in token["scope"].split()
    assert "patient/Observation.rs" not in token["scope"].split()
    assert "patient/*.rs" not in token["scope"].split()
    assert client.get(f"Condition?patient={PATIENT}", token["access_token"]).status_code == 200
    refused = client.get(f"Observation?patient={PATIENT}&category=laboratory", token["access_token"])
    assert refused.status_code == 403
    assert refused.json()["issue"][0]["code"] == "forbidden"


def test_explicit_scopes_and_rights(lakeside: RunningHospital) -> None:
    """SMART-30, SMART-32: `.r` does not search, `.s` does not read, a granular scope filters."""
    client = Client(lakeside)
    scope = (
        "launch/patient patient/Patient.r patient/Condition.s patient/Observation.rs?category="
        "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs patient/Procedure.read"
    )
    token = client.connect(f"Patient/{PATIENT}", scope=scope)["access_token"]
    assert client.get(f"Patient/{PATIENT}", token).status_code == 200
    assert client.get("Patient", token).status_code == 403
    assert client.get(f"Condition?patient={PATIENT}", token).status_code == 200
    assert client.get(f"Condition/{PATIENT}-thyroid", token).status_code == 403
    assert client.get(f"Procedure?patient={PATIENT}", token).status_code == 200
    assert entries(search(lakeside, token, f"Observation?patient={PATIENT}&category=laboratory")) == []
    vitals = entries(search(lakeside, token, f"Observation?patient={PATIENT}&category=vital-signs"))
    assert vitals
    assert client.get("Practitioner", token).status_code == 403
    assert client.get("NotAType?patient=x", token).json()["issue"][0]["code"] == "not-supported"


def test_observations_need_a_category_at_lakeside(lakeside: RunningHospital, token: str) -> None:
    """FHIR-03: lakeside refuses an unfiltered Observation search; by category nothing is lost."""
    refused = Client(lakeside).get(f"Observation?patient={PATIENT}", token)
    assert refused.status_code == 400
    assert refused.json()["resourceType"] == "OperationOutcome"
    chart = lakeside.hospital.records.chart(PATIENT)
    assert chart is not None
    ids: set[str] = set()
    for category in ("laboratory", "vital-signs", "social-history", "survey", "exam", "imaging", "procedure"):
        path = f"Observation?patient={PATIENT}&category={category}&_count=500"
        ids |= {r["id"] for r in entries(search(lakeside, token, path))}
    assert ids == {r["id"] for r in chart.by_type["Observation"]}


def test_token_searches(lakeside: RunningHospital, token: str) -> None:
    """FHIR-03: category, code and intent by code, by system and code, and several at once."""

    def total(path: str) -> int:
        return int(search(lakeside, token, path)["total"])

    labs = total(f"Observation?patient={PATIENT}&category=laboratory")
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    assert labs == total(f"Observation?patient={PATIENT}&category={system}%7Claboratory") > 50
    assert total(f"Observation?patient={PATIENT}&category=urn:other%7Claboratory") == 0
    vitals = total(f"Observation?patient={PATIENT}&category=vital-signs")
    assert total(f"Observation?patient={PATIENT}&category=laboratory,vital-signs") == labs + vitals
    assert total(f"Observation?patient={PATIENT}&code=http://loinc.org%7C3013-0") == 6
    assert total(f"MedicationRequest?patient={PATIENT}&intent=order") == 1
    assert total(f"MedicationRequest?patient={PATIENT}&intent=plan,order") == 1
    assert total(f"DocumentReference?patient={PATIENT}&category=clinical-note") == 2
    assert total(f"CarePlan?patient={PATIENT}&category=assess-plan") == 1


def test_last_updated(lakeside: RunningHospital, token: str) -> None:
    """FHIR-16: ge, gt, le and lt split the record without loss; nonsense is 400."""

    def count(path: str) -> int:
        return len(entries(search(lakeside, token, f"Encounter?patient={PATIENT}&_count=500{path}")))

    everything = count("")
    moment = entries(search(lakeside, token, f"Encounter?patient={PATIENT}"))[1]["meta"]["lastUpdated"]
    assert count(f"&_lastUpdated=ge{moment}") + count(f"&_lastUpdated=lt{moment}") == everything
    assert count(f"&_lastUpdated=gt{moment}") + count(f"&_lastUpdated=le{moment}") == everything
    assert count(f"&_lastUpdated=ge{moment}") == count(f"&_lastUpdated=gt{moment}") + 1
    assert count("&_lastUpdated=ge2022&_lastUpdated=lt2023") == 1
    bad = Client(lakeside).get(f"Encounter?patient={PATIENT}&_lastUpdated=geyesterday", token)
    assert bad.status_code == 400


def test_pages_bring_everything_once(lakeside: RunningHospital, token: str) -> None:
    """FHIR-05: opaque next links lead through the whole record once; a link is bound to its patient."""
    path: str | None = f"Observation?patient={PATIENT}&category=laboratory&_count=40"
    seen: list[str] = []
    pages = 0
    last = ""
    while path:
        bundle = search(lakeside, token, path)
        seen += [r["id"] for r in entries(bundle)]
        path, pages = link(bundle, "next"), pages + 1
        last = path or last
    assert len(seen) == len(set(seen)) == bundle["total"]
    assert pages == -(-bundle["total"] // 40)
    other = Client(lakeside).connect("Patient/lk-p04")["access_token"]
    assert Client(lakeside).get(last, other).status_code == 410
    assert Client(lakeside).get(last[:-1], token).status_code == 410


def test_includes(lakeside: RunningHospital, token: str) -> None:
    """FHIR-06, FHIR-08: `_include` and `_revinclude=Provenance:target` come as includes, not as matches."""
    bundle = search(lakeside, token, f"Encounter?patient={PATIENT}&_revinclude=Provenance:target")
    included = entries(bundle, "include")
    assert len(included) == len(entries(bundle)) == 4
    assert {r["resourceType"] for r in included} == {"Provenance"}
    assert {a["type"]["coding"][0]["code"] for r in included for a in r["agent"]} == {"author", "transmitter"}
    bundle = search(lakeside, token, f"MedicationRequest?patient={PATIENT}&_include=MedicationRequest:requester")
    assert [r["id"] for r in entries(bundle, "include")] == ["lk-dr-haddad"]


def test_binary_honours_accept(lakeside: RunningHospital, token: str) -> None:
    """FHIR-11: raw bytes for the content type or anything, FHIR JSON when asked."""
    note = entries(search(lakeside, token, f"DocumentReference?patient={PATIENT}"))[0]
    attachment = note["content"][0]["attachment"]
    client = Client(lakeside)
    raw = client.get(attachment["url"], token, Accept="application/pdf")
    assert raw.content.startswith(b"%PDF")
    assert raw.headers["Content-Type"] == "application/pdf"
    assert len(raw.content) == attachment["size"]
    assert client.get(attachment["url"], token, Accept="application/fhir+json").json()["resourceType"] == "Binary"
    narrow = client.connect(f"Patient/{PATIENT}", groups=["conditions"])["access_token"]
    assert client.get(attachment["url"], narrow).status_code == 403


def test_everything(lakeside: RunningHospital, token: str) -> None:
    """FHIR-15: $everything pages through all types the scope allows; _type narrows."""
    chart = lakeside.hospital.records.chart(PATIENT)
    assert chart is not None
    bundle = search(lakeside, token, f"Patient/{PATIENT}/$everything?_count=500")
    assert bundle["total"] == sum(len(rows) for rows in chart.by_type.values())
    second = link(search(lakeside, token, f"Patient/{PATIENT}/$everything?_count=200"), "next")
    assert second
    assert entries(search(lakeside, token, second))
    assert search(lakeside, token, f"Patient/{PATIENT}/$everything?_type=Goal,CarePlan")["total"] == 2


def fault(at: RunningHospital, wanted: dict[str, Any]) -> None:
    assert requests.post(f"{at.url}/sandbox/faults", json=wanted, timeout=5).status_code == 200


def test_faults_by_type(lakeside: RunningHospital, token: str) -> None:
    """FHIR-09, FHIR-10: one type can be made to fail, for a number of times, while the others work."""
    client = Client(lakeside)
    fault(lakeside, {"types": {"Goal": {"do": "status", "status": 503, "retry_after": 1, "times": 1}}})
    first = client.get(f"Goal?patient={PATIENT}", token)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "1")
    assert client.get(f"CarePlan?patient={PATIENT}", token).status_code == 200
    assert client.get(f"Goal?patient={PATIENT}", token).status_code == 200
    for kind in ("garbage", "truncated"):
        fault(lakeside, {"types": {"*": {"do": kind}}})
        with pytest.raises(ValueError):
            client.get(f"Goal?patient={PATIENT}", token).json()
    fault(lakeside, {"types": {"Goal": {"do": "html"}}})
    assert client.get(f"Goal?patient={PATIENT}", token).headers["Content-Type"].startswith("text/html")
    fault(lakeside, {"types": {"Goal": {"do": "slow", "seconds": 0.2}}})
    began = time.monotonic()
    assert client.get(f"Goal?patient={PATIENT}", token).status_code == 200
    assert time.monotonic() - began > 0.2
    assert requests.post(f"{lakeside.url}/sandbox/faults", data="no", timeout=5).status_code == 400


def test_faults_in_bundles(lakeside: RunningHospital, token: str) -> None:
    """FHIR-05, FHIR-07, FHIR-17: foreign and looping next links, a stranger in the page, an incomplete list."""
    path = f"Encounter?patient={PATIENT}"
    fault(lakeside, {"next_link": {"foreign": "http://localhost:1/steal"}})
    assert link(search(lakeside, token, path), "next") == "http://localhost:1/steal"
    fault(lakeside, {"next_link": "loop"})
    assert link(search(lakeside, token, path), "next") == f"{lakeside.fhir_url}/{path}"
    fault(lakeside, {"next_link": "relative"})
    relative = link(search(lakeside, token, f"{path}&_count=2"), "next")
    assert relative
    assert relative.startswith("/fhir/_page/")
    fault(lakeside, {"other_patient": "Encounter", "incomplete": True})
    bundle = search(lakeside, token, path)
    assert entries(bundle)[-1]["subject"]["reference"] == "Patient/somebody-else"
    assert entries(bundle, "outcome")[0]["issue"][0]["severity"] == "warning"


@pytest.mark.parametrize(
    ("name", "claim"),
    [("iss", "iss"), ("aud", "aud"), ("exp", "exp"), ("nonce", "nonce"), ("no_sub", "sub"), ("no_nonce", "nonce"),
     ("kid", ""), ("alg_none", ""), ("azp", "aud"), ("sub_long", "sub"), ("fhir_user", "fhirUser")],
)  # fmt: skip
def test_faults_in_id_tokens(lakeside: RunningHospital, name: str, claim: str) -> None:
    """SMART-60, SMART-61: each broken claim differs from an honest token in just that."""

    def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        def opened(text: str) -> dict[str, Any]:
            import base64
            import json

            read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return read

        header, claims, _ = token.split(".")
        return opened(header), opened(claims)

    honest_header, honest = parts(Client(lakeside).connect(f"Patient/{PATIENT}")["id_token"])
    fault(lakeside, {"id_token": name})
    header, broken = parts(Client(lakeside).connect(f"Patient/{PATIENT}")["id_token"])
    clock = {"iat", "exp"}
    if claim:
        assert broken.get(claim) != honest[claim]
        same = set(honest) - clock - {claim}
        assert {k: broken[k] for k in same} == {k: honest[k] for k in same}
        assert header == honest_header
    else:
        assert header != honest_header


def test_faults_in_tokens_and_configuration(lakeside: RunningHospital) -> None:
    """SMART-02, SMART-03, SMART-45, SMART-47: no patient, a swapped patient, invalid_grant, no S256, down."""
    client = Client(lakeside)
    fault(lakeside, {"token": "no_patient"})
    assert "patient" not in client.connect(f"Patient/{PATIENT}")
    fault(lakeside, {"refresh": "swap_patient"})
    token = client.connect(f"Patient/{PATIENT}")
    assert token["patient"] == PATIENT
    swapped = client.refresh(token["refresh_token"]).json()
    assert swapped["patient"] == "somebody-else"
    fault(lakeside, {"refresh": "invalid_grant"})
    assert client.refresh(swapped["refresh_token"]).json()["error"] == "invalid_grant"
    fault(lakeside, {"configuration": "no_s256"})
    where = f"{lakeside.fhir_url}/.well-known/smart-configuration"
    assert requests.get(where, timeout=5).json()["code_challenge_methods_supported"] == []
    fault(lakeside, {"configuration": {"token_endpoint": None}})
    assert "token_endpoint" not in requests.get(where, timeout=5).json()
    fault(lakeside, {"configuration": "503"})
    assert requests.get(where, timeout=5).status_code == 503
    fault(lakeside, {"expire_access_tokens": True})
    assert client.get(f"Patient/{PATIENT}", token["access_token"]).status_code == 401
