"""Decisions as FHIR, and our own checks, each with what it must refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from consent.as_fhir import ACT_CODE, ACT_REASON, EFFORT_SYSTEM, as_consent, as_provenance
from consent.check_consent import MOVES, STATUSES, check_consent, check_move
from consent.decision import CANCERLINQ, Answer, ByWhom, DataCategory, SensitiveClass, donation_to
from tests.pure.consent.decisions import T0, decided
from vocabulary.actor import ActorKind
from vocabulary.errors import Conflict
from vocabulary.resource import Resource

MRN = ("urn:oid:2.16.840.1.113883.19.5", "MRN-1")
OPT_OUT = as_consent(decided(3), *MRN)
DONATION = as_consent(
    decided(
        4,
        donation_to("living-well"),
        Answer.YES,
        categories=frozenset({DataCategory.CLINICAL}),
        sensitive=frozenset({SensitiveClass.GENETIC}),
        text_id="living-well",
        expires_at=T0,
    ),
    "urn:store",
    "code-1",
)


def codes(concept: Resource) -> set[str]:
    return {coding["code"] for coding in concept["coding"]}


def test_what_we_make_passes_our_checks() -> None:
    """CON-01, 02, 05: both patterns, both answers, each actor."""
    for answer in Answer:
        for subject in (CANCERLINQ, donation_to("living-well")):
            for kind in (ActorKind.PATIENT, ActorKind.PROXY, ActorKind.CARE_TEAM, ActorKind.SYSTEM):
                decision = decided(1, subject, answer, by=kind)
                assert check_consent(as_consent(decision, *MRN)) == []


def test_opt_out_pattern() -> None:
    """CON-04: OPTIN at the root, one nested deny for CancerLinQ, its actions and purposes."""
    assert codes(OPT_OUT["scope"]) == {"patient-privacy"}
    assert codes(OPT_OUT["policyRule"]) == {"OPTIN"}
    assert [codes(c) for c in OPT_OUT["category"]] == [{"59284-0"}, {"INFA"}]
    (nested,) = OPT_OUT["provision"]["provision"]
    assert nested["type"] == "deny"
    assert {c["code"] for c in nested["purpose"]} == {"HOPERAT", "HQUALIMP", "HRESCH"}
    assert {code for action in nested["action"] for code in codes(action)} == {"collect", "access", "use", "disclose"}
    lifted = as_consent(decided(4, CANCERLINQ, Answer.YES), *MRN)
    assert lifted["provision"]["provision"][0]["type"] == "permit"
    assert OPT_OUT["meta"]["versionId"] == "3"


def test_donation_pattern() -> None:
    """CON-03, CON-05, CON-06: scope, versioned text, effort as actor, categories, sensitive classes denied."""
    assert codes(DONATION["scope"]) == {"research"}
    assert "hipaa-auth" in codes(DONATION["policyRule"])
    assert DONATION["policy"] == [{"uri": "https://patient-portal.example/fhir/policy/living-well/1/en"}]
    root = DONATION["provision"]
    assert root["period"]["end"] == "2026-11-22T12:00:00.000Z"
    (nested,) = root["provision"]
    assert nested["actor"][0]["reference"]["identifier"] == {"system": EFFORT_SYSTEM, "value": "living-well"}
    assert nested["purpose"] == [{"system": ACT_REASON, "code": "HRESCH"}]
    assert {"Observation", "Condition"} <= {c["code"] for c in nested["class"]}
    assert "MedicationRequest" not in {c["code"] for c in nested["class"]}
    (off,) = nested["provision"]
    denied = {label["code"] for label in off["securityLabel"]}
    assert {"ETH", "ETHUD", "SUD", "HIV", "PSY", "SEX", "SDV", "R", "V"} == denied
    assert {"system": ACT_CODE, "code": "PSY"} in off["securityLabel"]


def test_care_team_opt_out_is_unverified_and_on_behalf() -> None:
    """CON-11, CON-12, X-04: same record, other performer and Provenance; unverified until confirmed."""
    nurse = ByWhom(ActorKind.CARE_TEAM, provider_id="riverside", reference="Practitioner/7")
    decision = decided(3, confirmed_by_person=False, reason="asked at the visit")
    decision = type(decision)(**{**decision.__dict__, "by": nurse})
    consent, provenance = as_consent(decision, *MRN), as_provenance(decision, *MRN)
    assert consent["verification"] == [{"verified": False}]
    assert consent["provision"] == OPT_OUT["provision"]
    assert consent["performer"][0]["type"] == "Practitioner"
    (agent,) = provenance["agent"]
    assert agent["onBehalfOf"] == consent["patient"]
    assert codes(agent["type"]) == {"enterer"}
    assert provenance["target"] == [{"reference": f"Consent/{decision.id}/_history/3"}]
    assert provenance["reason"] == [{"text": "asked at the visit"}]
    own = as_provenance(decided(3), *MRN)
    assert "onBehalfOf" not in own["agent"][0]
    assert as_consent(decided(3), *MRN)["verification"][0]["verified"] is True


def _nested(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = resource["provision"]["provision"][0]
    return found


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda r: r.update(status="bogus"), "Consent.status"),
        (lambda r: r.pop("status"), "Consent.status"),
        (lambda r: r.pop("scope"), "Consent.scope"),
        (lambda r: r.update(scope={"coding": [{"code": "whatever"}]}), "Consent.scope"),
        (lambda r: r.pop("category"), "Consent.category"),
        (lambda r: r.update(category=[]), "Consent.category"),
        (lambda r: r.pop("patient"), "Consent.patient"),
        (lambda r: r.pop("performer"), "Consent.performer"),
        (lambda r: r.pop("dateTime"), "Consent.dateTime"),
        (lambda r: (r.pop("policy"), r.pop("policyRule")), "Consent.policy"),
        (lambda r: r.update(policyRule={"coding": [{"system": ACT_CODE, "code": "MAYBE"}]}), "Consent.policyRule"),
        (lambda r: r["provision"].update(type="permit"), "Consent.provision.type"),
        (lambda r: r.update(provision=[]), "Consent.provision"),
        (lambda r: _nested(r).pop("type"), "Consent.provision.provision[0].type"),
        (lambda r: _nested(r).update(type="perhaps"), "Consent.provision.provision[0].type"),
        (lambda r: _nested(r)["provision"][0].pop("type"), "Consent.provision.provision[0].provision[0].type"),
        (lambda r: _nested(r).pop("actor"), "Consent.provision.provision[0].actor"),
        (lambda r: r["verification"][0].pop("verified"), "Consent.verification[0].verified"),
        (lambda r: r.update(resourceType="Patient"), "Consent"),
        (lambda r: r.pop("policy"), "Consent.policy"),
    ],
)
def test_each_fault_is_found(spoil: Callable[[Resource], object], where: str) -> None:
    """CON-01, CON-02, CON-03, CON-07, CON-10, CON-11, LIB-04: one broken thing, one named problem."""
    resource = copy.deepcopy(DONATION)
    spoil(resource)
    assert where in [problem.where for problem in check_consent(resource)]


@pytest.mark.parametrize("junk", [{}, {"provision": 3}, {"category": "x"}, {"scope": []}, {"verification": [None]}])
def test_junk_is_named_not_raised(junk: Resource) -> None:
    """Bad input: no shape of JSON makes the checks fail themselves."""
    assert check_consent({"resourceType": "Consent", **junk})


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_status_moves(before: str, after: str) -> None:
    """CON-07: only the listed moves; inactive is never active again; entered-in-error by staff with a reason."""
    legal = after in MOVES[before]
    if legal:
        check_move(before, after)
    else:
        with pytest.raises(Conflict):
            check_move(before, after)
    if after == "entered-in-error" and before != after:
        check_move(before, after, staff_reason="wrong person")
