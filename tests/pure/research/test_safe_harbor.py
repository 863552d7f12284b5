"""None of the eighteen identifiers survives, wherever it was planted."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.deidentify.allowed import ALLOWED
from research.deidentify.clean import REQUIRED_CODES
from research.deidentify.delivery import Source, deidentify, deidentify_of
from sandbox.people.population import population
from tests.pure.research.canaries import CANARIES, planted, sources
from tests.support.draws import draws

SEED = b"0123456789abcdef"
YEAR = 2026


def _left(found: list[Source], seed: bytes = SEED) -> str:
    return "\n".join(line.decode() for line in deidentify(found, seed, YEAR) if line is not None)


@pytest.mark.parametrize("item", CANARIES)
def test_no_planted_identifier_leaves(item: str) -> None:
    """HIP-20: structured, narrative, extension, attachment, file name, id, meta.source, identifier, reference,
    contained: each of A to R is planted in all of them and grep finds none."""
    left = _left(sources(CANARIES[item]))
    assert CANARIES[item] not in left
    for part in set(re.split(r"[ \-./:@]", CANARIES[item])) - {"https", "example"}:
        assert len(part) < 5 or part not in left, part


def test_something_did_leave() -> None:
    """HIP-20: the planted resources are not simply all refused, else the test above would show nothing."""
    kinds = {orjson.loads(line)["resourceType"] for line in _left(sources("Zebediah")).splitlines()}
    assert len(kinds) > 12


@pytest.mark.parametrize("kind", [*ALLOWED, "Patient"])
def test_only_listed_elements_leave(kind: str) -> None:
    """HIP-20, HIP-23: free text, pictures, attachments and contained resources have no way out."""
    resource = planted(kind, "Zebediah")
    forbidden = {
        "text", "contained", "identifier", "name", "telecom", "address", "photo", "contact", "note", "performer",
        "presentedForm", "conclusion", "valueString", "valueAttachment", "device", "display", "meta", "language",
        "modifierExtension", "series", "udiCarrier", "lotNumber", "birthDate",
    }  # fmt: skip
    lines = deidentify([Source("h", kind, "x", orjson.dumps(resource))], SEED, YEAR)
    assert not any(_keys(orjson.loads(line)) & (forbidden - {"valueString"}) for line in lines if line is not None)


def _keys(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*[_keys(one) for one in node])
    if isinstance(node, dict):
        return set(node) | _keys(list(node.values()))
    return set()


def _is_own_text(word: str) -> bool:
    """Not a number, and not one of FHIR's own words ("cancelled"), which may leave where they stand for a code."""
    return not word.isdigit() and word.strip() == word and word not in REQUIRED_CODES


@given(st.text(min_size=5, max_size=40).filter(_is_own_text))
@draws(60)
def test_no_word_planted_anywhere_leaves(word: str) -> None:
    """HIP-20: whatever the hospital writes, no text of its own is in what leaves, unless it is a code or unit."""
    left = _left(sources(word))
    values = set(re.findall(r'"((?:[^"\\]|\\.)*)"', left)) - set(
        re.findall(r'"((?:[^"\\]|\\.)*)"', _left(sources("·")))
    )
    assert not any(word in value for value in values)


def test_references_lead_to_what_leaves_with_them() -> None:
    """HIP-22: every reference in a delivery names an id of the same delivery, and two deliveries share none."""
    person = population()[0]
    found = [Source("r", one["resourceType"], one["id"], orjson.dumps(one)) for one in person.resources()]
    first = [orjson.loads(line) for line in _left(found).splitlines()]
    second = [orjson.loads(line) for line in _left(found, b"another seed 0000").splitlines()]
    ids = {f"{one['resourceType']}/{one['id']}" for one in first}
    named = set(re.findall(r'"reference":"([^"]+)"', _left(found)))
    assert named
    assert named <= ids
    assert not ids & {f"{one['resourceType']}/{one['id']}" for one in second}
    assert _left(found) == _left(found)


@pytest.mark.parametrize(
    ("born", "facts"),
    [
        ("1968-03-14", ("birth-year", 1968)),
        ("1937-12-31", ("birth-year", 1937)),
        ("1936-12-31", ("age-group", "90+")),
        ("1901", ("age-group", "90+")),
        ("", None),
        ("14.3.1968", None),
    ],
)
def test_ages_over_89_become_90_plus(born: str, facts: tuple[str, Any] | None) -> None:
    """HIP-20 C: a year of birth at most; over 89 (or this year) only 90+, and then no age and no birth year."""
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "p", "birthDate": born or None}
    condition: dict[str, Any] = {
        "resourceType": "Condition", "id": "c", "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "onsetAge": {"value": 40, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"},
    }  # fmt: skip
    found = [Source("h", one["resourceType"], str(one["id"]), orjson.dumps(one)) for one in (patient, condition)]
    made = [orjson.loads(line) for line in deidentify(found, SEED, YEAR) if line is not None]
    said = {
        one["url"].rsplit("/", 1)[1]: one.get("valueInteger", one.get("valueCode"))
        for one in made[0].get("extension", [])
    }
    assert said == (dict([facts]) if facts else {})
    assert ("onsetAge" in made[1]) is (facts is not None and facts[0] == "birth-year")


@pytest.mark.parametrize(
    ("element", "value", "leaves"),
    [
        ("onsetDateTime", "2021-03-03T10:00:00-06:00", "2021"),
        ("onsetDateTime", "2021", "2021"),
        ("onsetDateTime", "1930-05-01", None),
        ("onsetDateTime", "spring 2021", None),
        ("onsetAge", {"value": 53.7, "system": "http://unitsofmeasure.org", "code": "a"}, 53),
        ("onsetAge", {"value": 93, "system": "http://unitsofmeasure.org", "code": "a"}, None),
        ("onsetAge", {"value": 1100, "system": "http://unitsofmeasure.org", "code": "mo"}, None),
    ],
)
def test_dates_become_years(element: str, value: Any, leaves: Any) -> None:
    """HIP-20 C: the year alone, and no year so long ago that it tells of an age over 89."""
    condition: dict[str, Any] = {
        "resourceType": "Condition", "id": "c", element: value,
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    }  # fmt: skip
    (line,) = deidentify_of([Source("h", "Condition", "c", orjson.dumps(condition))], SEED, YEAR, is_over_89=False)
    made = orjson.loads(line or b"{}").get(element)
    assert (made["value"] if isinstance(made, dict) else made) == leaves
