"""The forms in which a record is taken along, judged by a validator that is not ours, with mCODE and US Core."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from fhir_bridge.export.copy_facts import CopyFacts
from fhir_bridge.export.ips import ips_document
from fhir_bridge.export.mcode import PROFILES, mcode_bundle
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.record_copy import Copied
from sandbox.people.person import SyntheticPerson
from sandbox.people.population import population
from tests.support.testdata import testdata
from tests.support.third_party import Outcome, Validator

MADE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
FACTS = CopyFacts(MADE, "en", {"riverside": "Riverside"}, (("riverside", MADE),), (), False)
BUNDLE = f"{PROFILES}/mcode-patient-bundle"
EXAMPLE = "Bundle-mcode-patient-bundle-jenny-m.json"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"


@pytest.fixture(scope="module")
def profiled(third_party_packages: Path) -> Iterator[Validator]:
    """The validator with mCODE 4.0.0 and US Core 6.1.0."""
    names = ("hl7.fhir.us.mcode-4.0.0.tgz", "hl7.fhir.us.core-6.1.0.tgz")
    running = Validator(profiles=[testdata(f"profiles/{name}") for name in names])
    yield running
    running.close()


def entries(person: SyntheticPerson) -> list[Copied]:
    held = sorted(person.resources(), key=lambda one: str(one["resourceType"]))
    return [
        Copied("riverside", "https://h.example/fhir", one["resourceType"], kind_of(one).value, orjson.dumps(one))
        for one in held
    ]


PEOPLE = [one for one in population() if one.id in ("rv-p01", "rv-p05", "rv-p06", "lk-p01")]


def wrong(outcomes: list[Outcome]) -> list[str]:
    return [f"{each.where}: {each.text}" for one in outcomes for each in one.issues if each.severity == "error"]


@pytest.mark.parametrize("person", PEOPLE, ids=lambda one: one.id)
def test_a_summary_is_valid(profiled: Validator, person: SyntheticPerson) -> None:
    """DL-03: the document and each resource in it are valid FHIR R4."""
    bundle = ips_document(entries(person), FACTS, str)
    assert wrong(profiled.validate([bundle, *(one["resource"] for one in bundle["entry"])])) == []


@pytest.mark.parametrize("person", PEOPLE, ids=lambda one: one.id)
def test_a_cancer_bundle_follows_mcode(profiled: Validator, person: SyntheticPerson) -> None:
    """MC-12: the Bundle follows mcode-patient-bundle, its patient mcode-cancer-patient and US Core."""
    bundle = mcode_bundle(entries(person), FACTS, str)
    # The validator finds no slice that is told by its resource's type: not in the guide's own example either.
    example = orjson.loads(testdata(f"fhir/mcode-ig-4.0.0-examples/{EXAMPLE}").read_bytes())
    ours, theirs = (wrong(profiled.validate([each], profiles=[BUNDLE])) for each in (bundle, example))
    assert set(ours) <= {each for each in theirs if "'cancerPatient'" in each}
    patient = bundle["entry"][0]["resource"]
    assert wrong(profiled.validate([patient], profiles=[f"{PROFILES}/mcode-cancer-patient", US_CORE])) == []
    assert wrong(profiled.validate([one["resource"] for one in bundle["entry"]])) == []


def test_the_validator_knows_the_profiles(profiled: Validator) -> None:
    """MC-12: a Bundle of another kind and a patient without an identifier are refused."""
    bundle = mcode_bundle(entries(PEOPLE[0]), FACTS, str)
    outcomes = profiled.validate([bundle | {"type": "searchset"}], profiles=[BUNDLE])
    assert [one for one in wrong(outcomes) if "'cancerPatient'" not in one]
    patient = {name: value for name, value in bundle["entry"][0]["resource"].items() if name != "identifier"}
    assert wrong(profiled.validate([patient], profiles=[f"{PROFILES}/mcode-cancer-patient"]))
