"""FHIR-06, FHIR-17: reading one page from bytes."""

from __future__ import annotations

import codecs
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.retrieve.json_body import Unreadable, entry_texts, parse
from fhir_bridge.retrieve.page import Page, read_page, read_resource
from tests.support.testdata import testdata

BASE = "https://ehr.example.org/fhir"


def bundle(*entries: object, **more: object) -> bytes:
    return orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **more})


def condition(identity: str = "c1", subject: object = "Patient/p1", **more: object) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": identity, "subject": {"reference": subject}, **more}


def read(body: bytes) -> Page:
    return read_page(body, "Condition", "p1", BASE)


def test_search_modes() -> None:
    """FHIR-06: a match counts, an include is kept beside it, an outcome is a notice."""
    page = read(
        bundle(
            {"resource": condition(), "search": {"mode": "match"}},
            {"resource": {"resourceType": "Practitioner", "id": "d1"}, "search": {"mode": "include"}},
            {
                "resource": {
                    "resourceType": "OperationOutcome",
                    "issue": [{"severity": "warning", "code": "suppressed", "diagnostics": "some were left out"}],
                },
                "search": {"mode": "outcome"},
            },
        )
    )
    assert [(one.type, one.included) for one in page.received] == [("Condition", False), ("Practitioner", True)]
    assert [(one.text, one.incomplete) for one in page.notices] == [("some were left out", True)]


def test_hostile_s06_outcome_is_a_notice() -> None:
    """FHIR-06: s06, the outcome entry says that the record may be incomplete and is no clinical item."""
    page = read((testdata("hostile-fhir/s06-searchset-with-outcome.json")).read_bytes())
    assert [one.id for one in page.received] == ["c1"]
    assert len(page.notices) == 1
    assert page.notices[0].incomplete
    assert "may not contain the entire record" in page.notices[0].text


def test_hostile_s07_bom_is_accepted() -> None:
    """FHIR-06: s07, a byte order mark is no reason to lose a page."""
    page = read_page(testdata("hostile-fhir/s07-utf8-bom.json").read_bytes(), "Patient", "p1", BASE)
    assert [one.id for one in page.received] == ["p1"]


def test_hostile_s09_truncated_imports_nothing() -> None:
    """FHIR-06: s09, half a page is a clear error and nothing of it is kept."""
    page = read(testdata("hostile-fhir/s09-truncated.json").read_bytes())
    assert page.error == "truncated"
    assert page.received == ()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<!doctype html><html>Sign in</html>", "html"),
        (b'{"resourceType": "Bundle", "entry": [{"resource', "truncated"),
        (b"null", "not-fhir"),
        (b"[1,2]", "not-fhir"),
        (b'{"resourceType": "Patient"}', "not-a-bundle"),
        (b"{}", "not-a-bundle"),
        (b'{"a": b}', "not-json"),
        (b"\xff\xfe\x00", "not-json"),
        (b"[" * 100_000, "not-json"),
    ],
)
def test_bodies_that_are_no_page(body: bytes, error: str) -> None:
    """FHIR-10: HTML, half a page and other resource types are named and keep nothing."""
    page = read(body)
    assert page.error == error
    assert page.received == ()


def test_utf_16_is_read() -> None:
    """FHIR-06: a server that writes UTF-16 with its mark is understood."""
    body = codecs.BOM_UTF16_LE + bundle({"resource": condition()}).decode().encode("utf-16-le")
    assert [one.id for one in read(body).received] == ["c1"]


def test_nan_costs_only_its_value() -> None:
    """FHIR-06: a NaN, a lone surrogate or a huge number does not cost the page."""
    body = bundle({"resource": condition()}, {"resource": condition("c2")})
    body = body.replace(b'"id":"c2"', b'"id":"c2","x":NaN,"y":"\\ud800","z":1e999,"w":123456789012345678901234567890')
    page = read(body)
    assert [one.id for one in page.received] == ["c1", "c2"]
    assert orjson.loads(page.received[1].raw)["id"] == "c2"


WRONG = [
    "Patient/p2",
    "https://ehr.example.org/fhir/Patient/p2",
    "https://other.example.org/fhir/Patient/p1",
    "Patient/p1/../p2",
    "Group/g1",
    "urn:uuid:0c0ffee0-0000-0000-0000-000000000000",
    "#contained",
    "",
    7,
]


@pytest.mark.parametrize("subject", WRONG)
def test_another_patient_is_dropped_and_named(subject: object) -> None:
    """FHIR-17: what is about another patient is not kept, and is named."""
    page = read(bundle({"resource": condition("x", subject)}, {"resource": condition()}))
    assert [one.id for one in page.received] == ["c1"]
    assert [(one.id, one.reason) for one in page.dropped] == [("x", "wrong-patient")]


@pytest.mark.parametrize(
    "subject",
    [
        "Patient/p1",
        "https://ehr.example.org/fhir/Patient/p1",
        "Patient/p1/_history/3",
        "https://ehr.example.org/fhir/Patient/p1/_history/3",
        "urn:uuid:p1",
    ],
)
def test_this_patient_is_kept(subject: str) -> None:
    """FHIR-17: every spelling of this patient's reference is recognised."""
    page = read(bundle({"resource": condition("x", subject)}))
    assert [one.id for one in page.received] == ["x"]


@pytest.mark.parametrize("field", ["subject", "patient", "beneficiary"])
def test_every_field_that_names_the_patient_is_looked_at(field: str) -> None:
    """FHIR-17: Coverage names its beneficiary, an allergy its patient."""
    resource = {"resourceType": "Coverage", "id": "x", field: {"reference": "Patient/p2"}}
    assert read(bundle({"resource": resource})).dropped[0].reason == "wrong-patient"


def test_another_patients_own_entry_is_dropped() -> None:
    """FHIR-17: a Patient that is not the context patient, also as an include."""
    page = read(bundle({"resource": {"resourceType": "Patient", "id": "p2"}, "search": {"mode": "include"}}))
    assert page.received == ()
    answer = orjson.dumps({"resourceType": "Patient", "id": "p2"})
    assert read_resource(answer, "Patient", "p1", BASE).dropped[0].reason == "wrong-patient"


def test_every_dropped_entry_is_named() -> None:
    """FHIR-06: entries that cannot be kept are named with a reason, and cost no other entry."""
    page = read(
        bundle(
            "text",
            {"resource": None},
            {"resource": {"id": "n"}},
            {"resource": {"resourceType": "Condition"}},
            {"resource": condition()},
        )
    )
    assert [one.id for one in page.received] == ["c1"]
    assert [one.reason for one in page.dropped] == ["not-a-resource", "not-a-resource", "no-type", "no-id"]


def test_raw_text_is_kept_byte_for_byte() -> None:
    """DL-01: numbers keep the precision in which they were sent."""
    text = b'{"resourceType":"Observation", "id":"o1" ,"v":{"value":7.10,"x":"\\u00e9 } ]"},"entry":[{"resource":1}]}'
    body = b'{"resourceType":"Bundle","link":[],"entry":[{"search":{"mode":"match"},"resource":' + text + b"}]}"
    page = read_page(body, "Observation", "p1", BASE)
    assert page.received[0].raw == text


def test_the_next_link() -> None:
    """FHIR-05: only `next` leads on; one that is no text is not the end of the list."""
    assert read(bundle(link=[{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}])).next == "b"
    assert read(bundle(link=[{"relation": "next", "url": 5}])).next == "\x00"
    assert read(bundle(link="x")).next is None


@pytest.mark.parametrize("depth", [50, 240, 250, 252, 300, 900])
@pytest.mark.parametrize("shape", ["list", "object"])
def test_deep_nesting_costs_only_itself(depth: int, shape: str) -> None:
    """FHIR-06, DL-01: an entry nested beyond measure is dropped by name, or kept; the others stay. What is kept can be
    written inside a Bundle."""
    opened, closed = ("[" * depth, "]" * depth) if shape == "list" else ('{"x":' * depth + "1", "}" * depth)
    deep = f'{{"resourceType":"Condition","id":"deep","subject":{{"reference":"Patient/p1"}},"x":{opened}{closed}}}'
    body = bundle({"resource": condition()}, {"resource": "DEEP"}).replace(b'"DEEP"', deep.encode())
    page = read(body)
    assert "c1" in [one.id for one in page.received]
    assert "deep" in [one.id for one in page.received] + [one.id for one in page.dropped]
    assert orjson.dumps({"entry": [{"resource": one.resource} for one in page.received]})


def test_a_nested_subject_is_another() -> None:
    """FHIR-17: a subject in a shape that is not FHIR's is not taken for this patient."""
    nested = orjson.loads(b"[" * 200 + b'{"reference":"Patient/p1"}' + b"]" * 200)
    entry = {"resourceType": "Condition", "id": "x", "subject": nested}
    assert read(bundle({"resource": entry})).dropped[0].reason == "wrong-patient"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["resourceType", "entry", "resource", "search", "mode", "id", "link", "subject", "reference", "issue", "x"]
    ), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_json)
def test_any_json_is_read(value: object) -> None:
    """FHIR-06: no shape of JSON raises."""
    try:
        body = orjson.dumps({"resourceType": "Bundle", "entry": value})
    except TypeError:
        return
    page = read_page(body, "Condition", "p1", BASE)
    assert all(orjson.loads(one.raw) == one.resource for one in page.received)


@given(st.binary(max_size=80))
def test_any_bytes_are_read(body: bytes) -> None:
    """FHIR-06: no bytes raise."""
    parsed = parse(body)
    assert isinstance(parsed, Unreadable) or entry_texts(parsed.text or b"") is not None
    read_page(body, "Condition", "p1", BASE)
