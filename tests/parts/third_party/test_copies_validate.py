"""The forms in which a record is taken along, judged by a validator that is not ours, with mCODE and US Core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from fhir_bridge.bundle import as_bundle
from fhir_bridge.export.copy_facts import CopyFacts
from fhir_bridge.export.ips import ips_document
from fhir_bridge.export.mcode import PROFILES, mcode_bundle
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.record_copy import Copied
from sandbox.people.person import SyntheticPerson
from sandbox.people.population import population
from tests.support.testdata import testdata
from tests.support.third_party import Outcome, Validator
from vocabulary.resource import Resource

MADE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
FACTS = CopyFacts(MADE, "en", {"riverside": "Riverside"}, (("riverside", MADE),), (), False)
BUNDLE = f"{PROFILES}/mcode-patient-bundle"
EXAMPLE = "Bundle-mcode-patient-bundle-jenny-m.json"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"


def entries(*people: SyntheticPerson) -> list[Copied]:
    """The record of one person, from as many hospitals as are given."""
    held = sorted(
        ((one, person.hospital) for person in people for one in person.resources()),
        key=lambda pair: str(pair[0]["resourceType"]),
    )
    return [
        Copied(name, f"https://{name}.example/fhir", one["resourceType"], kind_of(one).value, orjson.dumps(one))
        for one, name in held
    ]


PEOPLE = [one for one in population() if one.id in ("rv-p01", "rv-p05", "rv-p06", "lk-p01")]


def wrong(outcomes: list[Outcome]) -> list[str]:
    return [f"{each.where}: {each.text}" for one in outcomes for each in one.issues if each.severity == "error"]


@pytest.mark.parametrize("person", PEOPLE, ids=lambda one: one.id)
def test_a_summary_is_valid(profiled: Validator, person: SyntheticPerson) -> None:
    """DL-03: the document and each resource in it are valid FHIR R4."""
    bundle = ips_document(entries(person), FACTS, str)
    assert wrong(profiled.validate([bundle, *(one["resource"] for one in bundle["entry"])])) == []


@pytest.fixture(scope="module")
def not_found(profiled: Validator) -> set[str]:
    """The validator finds no slice that is told by its resource's type: not in the guide's own example either."""
    example = orjson.loads(testdata(f"fhir/mcode-ig-4.0.0-examples/{EXAMPLE}").read_bytes())
    return {each for each in wrong(profiled.validate([example], profiles=[BUNDLE])) if "'cancerPatient'" in each}


@pytest.mark.parametrize("person", PEOPLE, ids=lambda one: one.id)
def test_a_cancer_bundle_follows_mcode(profiled: Validator, not_found: set[str], person: SyntheticPerson) -> None:
    """MC-12: the Bundle follows mcode-patient-bundle, its patient mcode-cancer-patient and US Core."""
    bundle = mcode_bundle(entries(person), FACTS, str)
    assert set(wrong(profiled.validate([bundle], profiles=[BUNDLE]))) <= not_found
    patient = bundle["entry"][0]["resource"]
    assert wrong(profiled.validate([patient], profiles=[f"{PROFILES}/mcode-cancer-patient", US_CORE])) == []
    assert wrong(profiled.validate([one["resource"] for one in bundle["entry"]])) == []


THE_HOSPITALS_OWN = {
    ("us-core-observation-lab", "Constraint us-core-1 not met: Datetime must be at least to day."),
    (
        "us-core-practitionerrole",
        "Constraint pd-1 not met: SHALL have contact information or a reference to an Endpoint",
    ),
}
"""What a hospital's own entry misses of its profile: it is taken along as it was sent."""
_NO_LAB = "Incorrect number of values provided for slice 'labCategory': expected 1..1, but found 0"
THE_VALIDATORS_OWN = {("mcode-genomic-variant", _NO_LAB)}
"""Refused in the guide's own examples, too."""
US_CORE_FOR = {
    "Condition": "condition-problems-health-concerns", "Observation": "observation-clinical-result",
    **{name: name.lower() for name in (
        "AllergyIntolerance", "CarePlan", "CareTeam", "Coverage", "DocumentReference", "Encounter", "Goal",
        "Immunization", "Location", "Medication", "MedicationDispense", "MedicationRequest", "Organization", "Patient",
        "Practitioner", "PractitionerRole", "Procedure", "Provenance", "RelatedPerson", "ServiceRequest", "Specimen",
    )},
}  # fmt: skip
"""Against which profile an entry is held that names none."""
MOST_OF_A_PROFILE = 2


def profiles_for(resource: Resource) -> list[str]:
    claimed = resource.get("meta", {}).get("profile", [])
    known = US_CORE_FOR.get(resource["resourceType"])
    return claimed or ([f"{US_CORE.removesuffix('patient')}{known}"] if known else [])


def exported() -> Iterator[Resource]:
    """What stands in the mCODE bundles and the Bundles of everything: of each person, and of one of two hospitals."""
    everybody = {one.id: one for one in population()}
    for people in [(everybody["rv-p01"], everybody["lk-p07"]), *((one,) for one in everybody.values())]:
        record = entries(*people)
        yield from (one["resource"] for one in mcode_bundle(record, FACTS, str)["entry"])
        whole = orjson.loads(b"".join(as_bundle((one.base, one.raw) for one in record if one.base)))
        yield from (one["resource"] for one in whole["entry"])


def test_each_entry_follows_its_profile(profiled: Validator) -> None:
    """MC-12, DL-01: of each kind of entry that is taken along some are held against the mCODE or US Core profile that
    they name, or that US Core has for their type."""
    seen: Counter[str] = Counter()
    missed: set[tuple[str, str]] = set()
    for resource in exported():
        for profile in profiles_for(resource):
            name = profile.rpartition("/")[2]
            seen[name] += 1
            if seen[name] <= MOST_OF_A_PROFILE:
                missed |= {(name, text) for text in refused(profiled, resource, profile)}
    assert missed <= THE_HOSPITALS_OWN | THE_VALIDATORS_OWN
    example = testdata("fhir/mcode-ig-4.0.0-examples/Observation-genomic-variant-jenny-m.json")
    assert refused(profiled, orjson.loads(example.read_bytes()), f"{PROFILES}/mcode-genomic-variant") == [_NO_LAB]
    assert sum(name.startswith("mcode-") for name in seen) > 15
    assert sum(name.startswith("us-core-") for name in seen) > 20


def test_an_entry_that_we_had_spoiled_would_be_seen(profiled: Validator) -> None:
    """MC-12: without its patient no entry follows its profile; so a copy that lost it would be named."""
    held = [one["resource"] for one in mcode_bundle(entries(PEOPLE[0]), FACTS, str)["entry"]]
    for one in [one for one in held if "subject" in one][:2]:
        without = {name: value for name, value in one.items() if name != "subject"}
        (outcome,) = profiled.validate([without], profiles=profiles_for(without))
        assert any(issue.where.endswith(".subject") and issue.profile for issue in outcome.issues), outcome.issues


def refused(profiled: Validator, resource: Resource, *profiles: str) -> list[str]:
    (outcome,) = profiled.validate([resource], profiles=profiles)
    return [one.text for one in outcome.issues if one.severity == "error"]


def test_the_validator_knows_the_profiles(profiled: Validator) -> None:
    """MC-12: a Bundle of another kind and a patient without an identifier are refused."""
    bundle = mcode_bundle(entries(PEOPLE[0]), FACTS, str)
    outcomes = profiled.validate([bundle | {"type": "searchset"}], profiles=[BUNDLE])
    assert [one for one in wrong(outcomes) if "'cancerPatient'" not in one]
    patient = {name: value for name, value in bundle["entry"][0]["resource"].items() if name != "identifier"}
    assert wrong(profiled.validate([patient], profiles=[f"{PROFILES}/mcode-cancer-patient"]))
