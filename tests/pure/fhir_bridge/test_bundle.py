"""DL-01: the record as one Bundle to take along."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.bundle import as_bundle

RAW = b'{"resourceType":"Observation", "id":"o1","valueQuantity":{"value":7.10}, "_status":{"id":"x"}}'


def whole(*args: Any, **more: Any) -> bytes:
    return b"".join(as_bundle(*args, **more))


def test_resources_are_unaltered() -> None:
    """DL-01: every byte of a resource as received, its id unchanged, fullUrl beside it."""
    made = whole([RAW, {"resourceType": "Patient", "id": "p1"}], base="https://ehr.example/fhir/")
    assert RAW in made
    bundle = orjson.loads(made)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    assert [one["fullUrl"] for one in bundle["entry"]] == [
        "https://ehr.example/fhir/Observation/o1",
        "https://ehr.example/fhir/Patient/p1",
    ]


def test_two_hospitals() -> None:
    """DL-01: entries of two hospitals carry their own fullUrl, so equal ids do not collide."""
    bundle = orjson.loads(whole([("https://a.example/fhir", RAW), ("https://b.example/fhir", RAW)]))
    assert [one["fullUrl"] for one in bundle["entry"]] == [
        "https://a.example/fhir/Observation/o1",
        "https://b.example/fhir/Observation/o1",
    ]


def test_an_empty_record() -> None:
    """DL-01: no entries is a valid Bundle; FHIR forbids an empty array."""
    assert orjson.loads(whole([])) == {"resourceType": "Bundle", "type": "collection"}


def test_bom_is_left_out() -> None:
    """DL-01: a byte order mark inside would break the file."""
    assert orjson.loads(whole([b"\xef\xbb\xbf" + RAW]))["entry"][0]["resource"]["id"] == "o1"


@pytest.mark.parametrize("wrong", [b"[]", b"nonsense", b'{"a":1}{"b":2}', b""])
def test_what_is_no_resource_is_refused(wrong: bytes) -> None:
    """DL-01: text that would break the Bundle never gets into it."""
    with pytest.raises(ValueError):
        whole([wrong])


@given(st.lists(st.fixed_dictionaries({"resourceType": st.sampled_from(["Goal", "Patient"]), "id": st.text()})))
def test_round_trip(resources: list[dict[str, str]]) -> None:
    """DL-01: what is parsed back equals what went in, in number and content."""
    bundle = orjson.loads(whole([one for one in resources if _encodable(one)]))
    assert [one["resource"] for one in bundle.get("entry", [])] == [one for one in resources if _encodable(one)]


def _encodable(resource: dict[str, str]) -> bool:
    try:
        orjson.dumps(resource)
    except TypeError:
        return False
    return True
