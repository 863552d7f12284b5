"""The sandbox hospital's pure rules: scopes and search matching."""

from __future__ import annotations

import pytest

from sandbox.hospital.matching import matches, patient_of
from sandbox.hospital.scopes import GROUPS, OTHER, Permission, granted, groups_asked, parse, supported

ALL_GROUPS = [*GROUPS, OTHER]


@pytest.mark.parametrize(
    ("scope", "read", "search"),
    [
        ("patient/Observation.rs", True, True), ("patient/Observation.r", True, False), ("user/*.s", False, True),
        ("patient/*.cruds", True, True), ("patient/*.read", True, True), ("patient/*.*", True, True),
        ("patient/Patient.c", False, False),
    ],
)  # fmt: skip
def test_rights(scope: str, read: bool, search: bool) -> None:
    """SMART-30, SMART-31: rights of v2 and v1 scopes."""
    parsed = parse(scope)
    assert parsed
    assert (parsed.read, parsed.search) == (read, search)


@pytest.mark.parametrize("scope", ["patient/Observation.sr", "patient/Observation.", "patient/.rs", "system/*.rs",
                                   "patient/observation.rs", "openid", ""])  # fmt: skip
def test_not_resource_scopes(scope: str) -> None:
    """SMART-30: order matters; other texts are no resource scopes."""
    assert parse(scope) is None


def test_supported_keeps_order_and_drops_the_unknown() -> None:
    """Unknown and write-only scopes are dropped."""
    asked = "openid patient/Patient.rs nonsense patient/Goal.c launch/patient"
    assert supported(asked) == "openid patient/Patient.rs launch/patient"


def test_granted_is_what_was_ticked() -> None:
    """SMART-33: unticked groups disappear; a wildcard survives only whole; offline is its own tick."""
    asked = "openid offline_access patient/*.rs"
    assert granted(asked, ALL_GROUPS, offline=True) == asked
    narrowed = granted(asked, ["conditions"], offline=False).split()
    assert narrowed == ["openid", *(f"patient/{name}.rs" for name in GROUPS["conditions"][1])]
    explicit = "patient/Condition.rs patient/Observation.rs?category=x|laboratory"
    assert granted(explicit, ["results"], offline=True) == "patient/Observation.rs?category=x|laboratory"
    assert granted(explicit, [], offline=True) == ""


def test_groups_asked_follow_the_scopes() -> None:
    """The consent screen shows only groups that were asked for."""
    assert [key for key, _ in groups_asked("openid patient/Goal.rs patient/Claim.rs")] == ["plans", OTHER]
    assert [key for key, _ in groups_asked("patient/*.rs")] == ALL_GROUPS


def test_granular_scope_covers_only_its_category() -> None:
    """SMART-32: a granular scope covers the matching resources only."""
    permission = Permission.of("patient/Observation.rs?category=urn:c|laboratory")
    lab = {"resourceType": "Observation", "category": [{"coding": [{"system": "urn:c", "code": "laboratory"}]}]}
    vital = {"resourceType": "Observation", "category": [{"coding": [{"system": "urn:c", "code": "vital-signs"}]}]}
    assert permission.covers(lab)
    assert not permission.covers(vital)
    assert not permission.covers({"resourceType": "Condition"})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("ge2024-05", True), ("gt2024-05", False), ("le2024-05", True), ("lt2024-05", False), ("2024", True),
     ("eq2024-05-07", True), ("2024-05-08", False), ("ge2024-05-07T10:00:00Z", True), ("gt2024-05-07T10:00:00Z", False),
     ("ge2024-05-07T12:00:01+02:00", False), ("lt2025", True)],
)  # fmt: skip
def test_last_updated(wanted: str, expected: bool) -> None:
    """FHIR-16: a date of any precision stands for its whole span."""
    resource = {"resourceType": "Goal", "id": "g", "meta": {"lastUpdated": "2024-05-07T10:00:00Z"}}
    assert matches(resource, "_lastUpdated", wanted) is expected


@pytest.mark.parametrize("wanted", ["geyesterday", "ge", "2024-13", "ge2024-02-31"])
def test_unreadable_dates_are_errors(wanted: str) -> None:
    """A date nobody can read is an error of the asker, never a match."""
    resource = {"resourceType": "Goal", "id": "g", "meta": {"lastUpdated": "2024-05-07T10:00:00Z"}}
    with pytest.raises(ValueError, match=r"."):
        matches(resource, "_lastUpdated", wanted)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Patient", "id": "p"}, "p"),
        ({"resourceType": "Condition", "subject": {"reference": "http://a.example/fhir/Patient/p/_history/2"}}, "p"),
        ({"resourceType": "Coverage", "beneficiary": {"reference": "Patient/p"}}, "p"),
        ({"resourceType": "Appointment", "patient": [{"reference": "Patient/p"}]}, "p"),
        ({"resourceType": "Practitioner", "id": "d"}, None),
        ({"resourceType": "Group", "subject": {"reference": "Group/g"}}, None),
    ],
)
def test_whose_resource_it_is(resource: dict[str, object], expected: str | None) -> None:
    """FHIR-17: the patient a resource names, by any of the elements that name one."""
    assert patient_of(resource) == expected
