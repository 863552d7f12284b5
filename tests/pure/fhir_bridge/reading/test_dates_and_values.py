"""FHIR-18, FHIR-13: dates and measured values, as given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.reading.dates import _DATE, Precision, _quickly, _with_care, date_of, read_date
from fhir_bridge.reading.entry import read_entry
from fhir_bridge.reading.line import read_line, sort_date
from fhir_bridge.reading.quantity import NOT_RECORDED, flag_of, out_of_range, reference_range, unit_text, value_said


@pytest.mark.parametrize(
    ("text", "precision", "value"),
    [
        ("2019", Precision.YEAR, date(2019, 1, 1)),
        ("2019-05", Precision.MONTH, date(2019, 5, 1)),
        ("2019-05-07", Precision.DAY, date(2019, 5, 7)),
        ("2019-05-07T10:20:30Z", Precision.INSTANT, datetime(2019, 5, 7, 10, 20, 30, tzinfo=UTC)),
        ("2019-05-07T10:20:30.123-05:00", Precision.INSTANT, datetime(2019, 5, 7, 15, 20, 30, 123000, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", Precision.INSTANT, datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2019-13", Precision.UNKNOWN, None),
        ("2019-02-30", Precision.UNKNOWN, None),
        ("May 2019", Precision.UNKNOWN, None),
        ("05/07/2019", Precision.UNKNOWN, None),
    ],
)
def test_precision_is_kept(text: str, precision: Precision, value: Any) -> None:
    """FHIR-18: a date keeps its text and says how exact it is; nothing is padded."""
    found = read_date(text)
    assert found is not None
    assert (found.text, found.precision, found.value) == (text, precision, value)


@given(st.from_regex(_DATE, fullmatch=True))
def test_a_date_read_quickly_is_the_same_date(text: str) -> None:
    """FHIR-18: the short way reads what the long one does, or leaves it to it."""
    quick, match = _quickly(text), _DATE.fullmatch(text)
    assert match is not None
    careful = _with_care(text, match.groupdict())
    assert quick is None or (quick == careful and quick.sort == careful.sort)


@pytest.mark.parametrize("text", ["2024-02-30", "2024-01-01T24:00:00Z", "2024-01-01T10:00:60Z", "2024-01-01T10:00:00"])
def test_what_is_unusual_is_read_with_care(text: str) -> None:
    """FHIR-18: no such day, no such hour, a leap second, no zone."""
    assert _quickly(text) is None


def test_time_without_zone_says_so() -> None:
    """FHIR-18: a time without a zone is marked, not silently taken as ours."""
    found = read_date("2019-05-07T10:20:30")
    assert found is not None
    assert not found.offset_known


def test_dates_order_as_text() -> None:
    """FHIR-18: lines order by the earliest moment a date can mean; unknown dates come first as empty."""
    texts = ["2019-05-07T23:00:00-05:00", "2019", "2019-05-08", "0987-01-01", "nonsense"]
    assert [sort_date(read_date(one)) for one in texts] == [
        "2019-05-08T04:00:00Z", "2019-01-01T00:00:00Z", "2019-05-08T00:00:00Z", "0987-01-01T00:00:00Z", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"effectiveDateTime": "2020-01"}, "2020-01"),
        ({"effectivePeriod": {"start": "2020-02", "end": "2020-03"}, "issued": "2021"}, "2020-02"),
        ({"onsetString": "as a child", "recordedDate": "2020-01-02"}, "2020-01-02"),
        ({"period": {"end": "2020-03"}}, "2020-03"),
        ({"context": {"period": {"start": "2020-05"}}}, "2020-05"),
    ],
)
def test_the_clinical_date(resource: dict[str, Any], expected: str) -> None:
    """FHIR-18: when it happened goes before when it was written down."""
    found = date_of(resource)
    assert found is not None
    assert found.text == expected


@given(st.text(max_size=40) | st.none() | st.integers())
def test_any_text_is_a_date_or_not(value: object) -> None:
    """FHIR-18: no text raises, and what is shown is what was given."""
    found = read_date(value)
    assert found is None or found.text == str(value).strip()


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "A test"}, **more}


def quantity(value: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": "U/mL", **more}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueQuantity": quantity(5.0)}, "5.0 U/mL"),
        ({"valueQuantity": quantity(0.001)}, "0.001 U/mL"),
        ({"valueQuantity": quantity(1e-5)}, "0.00001 U/mL"),
        ({"valueQuantity": quantity(0.6789742964129765)}, "0.679 U/mL"),
        ({"valueQuantity": quantity(3, comparator="<")}, "< 3 U/mL"),
        ({"valueQuantity": {"value": 40, "unit": "%"}}, "40%"),
        ({"valueQuantity": {"value": "7"}}, "7"),
        ({"valueString": " yes "}, "yes"),
        ({"valueInteger": 0}, "0"),
        ({"valueCodeableConcept": {"text": "Stage IIA"}}, "Stage IIA"),
        ({"valueCodeableConcept": {"coding": [{"code": "1", "display": "Positive (qualifier value)"}]}}, "Positive"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1 : 128"),
        ({"valueRange": {"low": {"value": 1}, "high": {"value": 2}}}, "1 – 2"),
        ({"valueQuantity": {"value": True}}, ""),
        ({}, ""),
    ],
)
def test_values(value: dict[str, Any], expected: str) -> None:
    """FHIR-18: quantities with comparator and unit, without invented precision."""
    assert str(value_said(observation(**value))) == expected


@pytest.mark.parametrize(
    "absent",
    [
        {"dataAbsentReason": {"coding": [{"code": "unknown"}]}},
        {"_valueString": {"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}},
        {"valueCodeableConcept": {"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}},
    ],
)  # fmt: skip
def test_absent_is_not_recorded(absent: dict[str, Any]) -> None:
    """FHIR-13: a value said to be absent is "not recorded", never blank and never zero."""
    assert value_said(observation(**absent)) == NOT_RECORDED


def flagged(value: Any, code: str | None = None, comparator: str | None = None, **limits: Any) -> str | None:
    one = observation(valueQuantity=quantity(value, **({"comparator": comparator} if comparator else {})))
    if code is not None:
        one["interpretation"] = [{"coding": [{"code": code}]}]
    if limits:
        one["referenceRange"] = [{name: {"value": limit} for name, limit in limits.items()}]
    found = flag_of(one)
    return str(found) if found is not None else None


@pytest.mark.parametrize(
    ("given_args", "expected"),
    [
        ({"value": 41, "high": 30}, "Above the usual range"),
        ({"value": 3, "low": 4}, "Below the usual range"),
        ({"value": 5, "low": 4, "high": 6}, "In the usual range"),
        ({"value": 41, "high": 30, "code": "N"}, "In the usual range"),
        ({"value": 5, "code": "HH"}, "Far above the usual range"),
        ({"value": 5}, None),
        ({"value": 5, "comparator": "<", "high": 3}, None),
        ({"value": "x", "high": 3}, None),
    ],
)
def test_flags_in_words(given_args: dict[str, Any], expected: str | None) -> None:
    """FHIR-18: where a result stands is said in words: the laboratory's, else from its own range, else nothing."""
    assert flagged(**given_args) == expected


def test_only_out_of_range_is_flagged_in_lists() -> None:
    """FHIR-18: a list marks what is outside its range and leaves the rest quiet."""
    high = observation(valueQuantity=quantity(41), referenceRange=[{"high": {"value": 30}}])
    normal = observation(valueQuantity=quantity(20), referenceRange=[{"high": {"value": 30}}])
    assert str(read_line(high).flag) == "Above the usual range"
    assert read_line(normal).flag is None
    assert not out_of_range(None)
    limits = reference_range(high)
    assert limits is not None
    assert limits.words == "≤ 30"


def test_no_label_stands_twice_on_an_allergy() -> None:
    """FHIR-13: what an allergy is and what it is to are told apart."""
    allergy = {
        "resourceType": "AllergyIntolerance", "id": "a", "type": "allergy", "category": ["medication"],
        "code": {"text": "Penicillin"},
    }  # fmt: skip
    facts = read_entry(allergy, lambda _reference: None).facts
    assert {str(one.label): str(one.value) for one in facts} == {
        "Allergy or intolerance": "allergy",
        "To what kind of thing": "medicine",
    }


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("10*3/uL", "× 10³/µL"), ("10*12/L", "× 10¹²/L"), ("mm[Hg]", "mmHg"), ("u[IU]/mL", "µIU/mL"),
        ("ug/dL", "µg/dL"), ("kg/m2", "kg/m²"), ("g/dL", "g/dL"), ("U/L", "U/L"),
        ("mmol/L", "mmol/L"), ("Cel", "°C"), ("pounds", "pounds"),
    ],
)  # fmt: skip
def test_a_unit_is_printed_as_laboratories_do(code: str, printed: str) -> None:
    """FHIR-18: a unit's code is no word for people; what is no code stays as it came."""
    assert unit_text({"unit": code}) == printed
