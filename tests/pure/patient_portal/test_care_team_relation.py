"""Who cares for whom, by what a hospital says: in doubt nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patient_portal.care_team.relation import cares_for, escaped, patients_of_teams, wanted

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE = "https://ehr.example/fhir"
NURSE = "Practitioner/kim"


def team(member: str = NURSE, **changed: Any) -> dict[str, Any]:
    period = changed.pop("member_period", None)
    one = {"member": {"reference": member}} | ({"period": period} if period else {})
    made = {"resourceType": "CareTeam", "id": "t", "status": "active", "subject": {"reference": "Patient/p1"}}
    return made | {"participant": [one]} | changed


def role(**changed: Any) -> dict[str, Any]:
    return {"resourceType": "PractitionerRole", "id": "r1", "practitioner": {"reference": NURSE}} | changed


CARES = {
    "named": [team()],
    "absolute": [team(f"{BASE}/{NURSE}", subject={"reference": f"{BASE}/Patient/p1"})],
    "by a role": [role(), team("PractitionerRole/r1")],
    "until today": [team(member_period={"end": "2026-11-22"})],
    "this year": [team(period={"start": "2026", "end": "2026"})],
    "until later": [team(member_period={"end": "2026-11-22T13:00:00Z"})],
}
DOES_NOT = {
    "nobody": [],
    "somebody else": [team("Practitioner/lee")],
    "another patient": [team(subject={"reference": "Patient/p2"})],
    "no patient": [team(subject=None)],
    "another server": [team(f"https://other.example/fhir/{NURSE}")],
    "a team that is over": [team(status="inactive")],
    "a team that was": [team(period={"end": "2026-11-21"})],
    "a team to come": [team(period={"start": "2026-11-23"})],
    "left yesterday": [team(member_period={"end": "2026-11-21"})],
    "left an hour ago": [team(member_period={"end": "2026-11-22T11:00:00Z"})],
    "an end nobody can read": [team(member_period={"end": "soon"})],
    "a role that ended": [role(active=False), team("PractitionerRole/r1")],
    "somebody else's role": [role(practitioner={"reference": "Practitioner/lee"}), team("PractitionerRole/r1")],
    "not a team": [team(resourceType="Group")],
}


@pytest.mark.parametrize("found", CARES.values(), ids=CARES.keys())
def test_on_the_team(found: list[dict[str, Any]]) -> None:
    """Abuse 10: an active team of this patient, in which this member takes part today."""
    assert cares_for(found, NURSE, "p1", BASE, NOW)
    assert patients_of_teams([one for one in found if one["resourceType"] == "CareTeam"], NURSE, BASE, NOW) <= {"p1"}


@pytest.mark.parametrize("found", DOES_NOT.values(), ids=DOES_NOT.keys())
def test_not_on_the_team(found: list[dict[str, Any]]) -> None:
    """Abuse 10: everything else is no relation."""
    assert not cares_for(found, NURSE, "p1", BASE, NOW)


junk = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.fixed_dictionaries({}, optional={"status": junk, "subject": junk, "participant": junk, "period": junk}))
def test_no_shape_is_an_error_or_opens_anything(found: dict[str, Any]) -> None:
    """SMART-62: a hospital may send anything; what cannot be read is no relation."""
    assert not cares_for([{"resourceType": "CareTeam"} | found], NURSE, "p1", BASE, NOW)


def test_what_was_typed() -> None:
    """FHIR search: a date in two forms, a number with the practice's own system, a name; commas mean nothing."""
    assert wanted(" 4/12/1961 ", "urn:x") == {"birthdate": "1961-04-12"}
    assert wanted("1961-04-12", "urn:x") == {"birthdate": "1961-04-12"}
    assert wanted("RV-1,2|3", "urn:x") == {"identifier": "urn:x|RV-123"}
    assert wanted("RV-1", None) == {"identifier": "RV-1"}
    assert wanted("Whitfield, James", None) == {"name": "Whitfield  James"}
    assert wanted("W", None) == wanted("  ", None) == {}


def test_a_record_number_joins_no_other() -> None:
    """X-04: values of one search are told apart, whatever stands at a value's end."""
    assert ",".join(escaped(each) for each in ("A-1\\", "B-2")) == "A-1\\\\,B-2"
