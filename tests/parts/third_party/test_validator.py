"""What we write as FHIR, judged by a validator that is not ours; and what that validator lets pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from consent.as_fhir import as_consent, as_provenance
from consent.check_consent import check_consent
from consent.decision import (
    CANCERLINQ,
    Answer,
    ByWhom,
    DataCategory,
    Decision,
    Means,
    SensitiveClass,
    donation_to,
)
from sandbox.people.population import population
from tests.pure.consent.decisions import T0, decided
from tests.support.third_party import Validator
from vocabulary.actor import ActorKind
from vocabulary.resource import Resource

MRN = ("urn:oid:2.16.840.1.113883.19.5", "RV-104233")
NURSE = ByWhom(ActorKind.CARE_TEAM, provider_id="riverside", reference="Practitioner/7")
EFFORT = donation_to("living-well")

DECISIONS: dict[str, Decision] = {
    "opt-out": decided(1),
    "lifted": decided(2, CANCERLINQ, Answer.YES),
    "opt-out by the care team": replace(
        decided(3, confirmed_by_person=False, reason="asked at the visit"), by=NURSE, means=Means.CARE_TEAM
    ),
    "opt-out by a proxy": decided(4, by=ActorKind.PROXY),
    "opt-out by the system": decided(5, by=ActorKind.SYSTEM),
    "donation": decided(6, EFFORT, Answer.YES, text_id="living-well"),
    "donation of some, for a time": decided(
        7,
        EFFORT,
        Answer.YES,
        text_id="living-well",
        categories=frozenset({DataCategory.CLINICAL}),
        sensitive=frozenset({SensitiveClass.GENETIC}),
        starts_at=T0,
        expires_at=T0 + timedelta(days=365),
    ),
    "donation of everything": decided(8, EFFORT, Answer.YES, sensitive=frozenset(SensitiveClass)),
    "donation withdrawn": decided(9, EFFORT, Answer.NO, text_id="living-well"),
}


def errors(validator: Validator, resource: Resource) -> list[str]:
    (outcome,) = validator.validate([resource])
    return [f"{issue.where}: {issue.text}" for issue in outcome.issues if issue.severity == "error"]


@pytest.mark.parametrize("name", DECISIONS)
def test_our_consent_is_valid(validator: Validator, name: str) -> None:
    """CON-01, CON-02, CON-03, CON-04, CON-05, CON-11: every kind of decision is a valid FHIR R4 Consent."""
    consent = as_consent(DECISIONS[name], *MRN)
    assert errors(validator, consent) == []
    assert check_consent(consent) == []


@pytest.mark.parametrize("name", DECISIONS)
def test_our_provenance_is_valid(validator: Validator, name: str) -> None:
    """CON-12: and every one has a valid FHIR R4 Provenance."""
    assert errors(validator, as_provenance(DECISIONS[name], *MRN)) == []


def test_a_consent_with_its_signed_copy_is_valid(validator: Validator) -> None:
    """CON-03: `sourceAttachment` is one of Consent's own elements."""
    attachment = {
        "contentType": "application/pdf",
        "language": "en",
        "data": "JVBERi0=",
        "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        "title": "Signed authorization",
        "creation": "2026-11-22T12:00:00.000Z",
    }
    assert errors(validator, as_consent(DECISIONS["donation"], *MRN, attachment=attachment)) == []


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda consent: consent.pop("status"), "Consent.status"),
        (lambda consent: consent.update(status=["active"]), "Consent.status"),
        (lambda consent: consent.pop("scope"), "Consent.scope"),
        (lambda consent: consent.pop("category"), "Consent.category"),
        (lambda consent: consent.update(category=[]), "Consent.category"),
        (lambda consent: consent.update(dateTime="yesterday"), "Consent.dateTime"),
        (lambda consent: consent.update(consented=True), "Consent.consented"),
        (lambda consent: consent.update(provision=[consent["provision"]]), "Consent.provision"),
    ],
)
def test_the_validator_refuses_what_is_not_a_consent(
    validator: Validator, spoil: Callable[[Resource], object], where: str
) -> None:
    """CON-01: the validator can say no, so that its yes means something."""
    consent = copy.deepcopy(as_consent(DECISIONS["opt-out"], *MRN))
    spoil(consent)
    assert any(where in problem for problem in errors(validator, consent)), errors(validator, consent)


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda consent: consent.update(status="bogus"), "Consent.status"),
        (lambda consent: consent["provision"].update(type="permit"), "Consent.provision.type"),
        (lambda consent: consent["provision"]["provision"][0].pop("type"), "Consent.provision.provision[0].type"),
        (lambda consent: consent.update(provision=[]), "Consent.provision"),
    ],
)
def test_what_only_our_own_check_refuses(validator: Validator, spoil: Callable[[Resource], object], where: str) -> None:
    """CON-02, CON-07, LIB-04: why consent/check_consent.py exists: a whole validator lets these pass."""
    consent = copy.deepcopy(as_consent(DECISIONS["opt-out"], *MRN))
    spoil(consent)
    assert errors(validator, consent) == []
    assert where in [problem.where for problem in check_consent(consent)]


def test_the_synthetic_people_are_valid(validator: Validator) -> None:
    """The sandbox's charts are FHIR R4: every person's, each way once in which their resources are written."""
    written = {shape(one): one for person in population() for one in person.resources()}
    assert len(written) > 200
    for resource, outcome in zip(written.values(), validator.validate(written.values()), strict=True):
        assert outcome.ok, (f"{resource['resourceType']}/{resource['id']}", outcome.issues)


def shape(value: object) -> str:
    """Which elements stand where, the codes of what was measured too; times and numbers do not count."""
    if isinstance(value, dict):
        told = (f"{name}:{value[name] if name in ('code', 'resourceType') else shape(value[name])}" for name in value)
        return f"{{{','.join(told)}}}"
    return f"[{','.join(map(shape, value))}]" if isinstance(value, list) else type(value).__name__


def test_profiles_can_be_held_against(profiled: Validator) -> None:
    """MC-01: US Core and mCODE as published packages, every profile of them; a patient without a name is not a US Core
    patient."""
    assert profiled.unreadable_profiles == set()
    assert {url.rpartition("/")[2]: paths for url, paths in profiled.loosened_profiles.items()} == {
        "mcode-genomics-report": ["DiagnosticReport.result"], "mcode-tnm-stage-group": ["Observation.hasMember"],
        "us-core-provenance": ["Provenance.agent"],
    }  # fmt: skip
    patient = next(one for one in population()[0].resources() if one["resourceType"] == "Patient")
    profiles = patient["meta"]["profile"]
    assert profiles
    (outcome,) = profiled.validate([patient], profiles=profiles)
    assert outcome.ok, outcome.issues
    (outcome,) = profiled.validate([{**patient, "name": []}], profiles=profiles)
    assert not outcome.ok
    (outcome,) = profiled.validate([patient], profiles=["http://example.org/unknown"])
    assert [issue.code for issue in outcome.issues if issue.profile] == ["not-found"]
