"""Scopes: the grammar, what is asked for, and what a grant allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_bridge.smart.scopes import granted, read_scope, requested

TYPES = ("Patient", "Condition", "Observation", "Immunization")
SYSTEM = "http://terminology.hl7.org/CodeSystem/observation-category"
LAB = f"{SYSTEM}|laboratory"
V2 = ("permission-v2",)


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("patient/Patient.r", "r"), ("patient/*.rs", "rs"), ("user/Condition.cruds", "cruds"), ("patient/X.s", "s"),
        ("patient/Condition.read", "rs"), ("patient/Condition.write", "cud"), ("patient/Condition.*", "cruds"),
        ("patient/*.*", "cruds"), ("system/Group.rs", "rs"),
    ],
)  # fmt: skip
def test_scopes_are_read(text: str, actions: str) -> None:
    """SMART-30, SMART-31: version 2 letters and version 1 words."""
    if text == "patient/X.s":
        assert read_scope(text) is None  # no FHIR type has one letter
        return
    found = read_scope(text)
    assert found is not None
    assert found.actions == frozenset(actions)


@pytest.mark.parametrize(
    "text",
    [
        "patient/Condition.sr", "patient/Condition.rr", "patient/Condition.", "patient/Condition", "patient/.rs",
        "Patient/Condition.rs", "patient/condition.rs", "patients/Condition.rs", "patient/Condition.rs?", "patient/*.x",
        "patient/Condition.rs?category", "patient/Con*.rs", "patient/Condition.read?category=x|y", "launch/patient",
        "openid", "fhirUser", "", "patient/Condition.RS", "patient//Condition.rs", "patient/Condition.rs.rs",
    ],
)  # fmt: skip
def test_what_is_no_scope_grants_nothing(text: str) -> None:
    """SMART-30: order matters, and nothing is guessed."""
    if text == "patient/Condition.rs?category":
        assert not granted(text).may_search("Condition")
        return
    assert read_scope(text) is None
    assert granted(text).not_shared(TYPES) == TYPES


GRANTS = [
    pytest.param("patient/*.rs", TYPES, TYPES, id="exact"),
    pytest.param("patient/*.r patient/*.s", TYPES, TYPES, id="split"),
    pytest.param("patient/*.cruds", TYPES, TYPES, id="wider"),
    pytest.param("patient/Patient.rs patient/Condition.rs patient/Observation.rs", TYPES[:3], TYPES[:3], id="narrower"),
    pytest.param(f"patient/Observation.rs?category={LAB}", ("Observation",), (), id="only granular"),
    pytest.param("patient/Procedure.rs", (), (), id="different type"),
    pytest.param("", (), (), id="empty"),
    pytest.param("patient/*.r", TYPES, (), id="read only"),
    pytest.param("patient/*.s", (), TYPES, id="search only"),
    pytest.param("system/*.rs", (), (), id="not ours"),
    pytest.param("patient/*.cud", (), (), id="write only"),
]


@pytest.mark.parametrize(("scope", "readable", "searchable"), GRANTS)
def test_only_what_was_granted(scope: str, readable: tuple[str, ...], searchable: tuple[str, ...]) -> None:
    """SMART-33: the token response decides; the rest is named as not shared."""
    grant = granted(f"launch/patient openid {scope}")
    assert tuple(each for each in TYPES if grant.may_read(each)) == readable
    assert tuple(each for each in TYPES if grant.may_search(each)) == searchable
    reached = [each for each in TYPES if each in readable or each in searchable]
    assert grant.not_shared(TYPES) == tuple(each for each in TYPES if each not in reached)


def test_granular_grants() -> None:
    """SMART-32, SMART-34: only the granted categories are searched, and the type is named as partly shared."""
    vital = f"{SYSTEM}|vital-signs"
    grant = granted(f"patient/Observation.rs?category={LAB} patient/Observation.rs?category={vital} patient/Patient.rs")
    assert grant.may_search("Observation", LAB)
    assert grant.may_search("Observation", vital)
    assert not grant.may_search("Observation")
    assert not grant.may_search("Observation", f"{SYSTEM}|survey")
    assert grant.search_filters("Observation") == ((("category", LAB),), (("category", vital),))
    assert grant.search_filters("Patient") == ((),)
    assert grant.search_filters("Condition") == ()
    assert grant.partly_shared(TYPES) == ("Observation",)
    assert granted(f"patient/*.rs patient/Observation.rs?category={LAB}").partly_shared(TYPES) == ()


BASIC = "launch/patient openid fhirUser"
ASKED = "launch/patient openid fhirUser offline_access online_access patient/*.rs patient/Observation.rs"


@pytest.mark.parametrize(
    ("capabilities", "ehr_launch", "care_team", "offline", "scope"),
    [
        (V2, False, False, False, f"{BASIC} patient/*.rs patient/Observation.rs"),
        (V2, False, False, True, "launch/patient openid fhirUser offline_access patient/*.rs patient/Observation.rs"),
        (V2, True, False, False, "launch openid fhirUser online_access patient/*.rs patient/Observation.rs"),
        (V2, True, True, True, "launch openid fhirUser user/Practitioner.rs patient/Patient.rs"),
        (("permission-v1",), False, False, False, f"{BASIC} patient/*.read patient/Observation.read"),
        (("permission-v1", *V2), False, False, False, f"{BASIC} patient/*.rs patient/Observation.rs"),
    ],
)  # fmt: skip
def test_what_is_asked_for(
    capabilities: tuple[str, ...], ehr_launch: bool, care_team: bool, offline: bool, scope: str
) -> None:
    """SMART-22, SMART-31, SMART-35, SMART-36: launch context, version 1 servers, and offline only when wanted."""
    assert requested(ASKED, capabilities, ehr_launch=ehr_launch, care_team=care_team, offline=offline) == scope


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    """SMART-33: a server's scope never crashes us."""
    grant = granted(text)
    assert set(grant.not_shared(TYPES)) <= set(TYPES)
