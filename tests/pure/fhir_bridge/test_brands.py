"""Brands: who is known by which name, where, and where they sign in (SMART-06)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_bridge.brands import BRAND, PORTAL, Brand, read_brands, wanted_words

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG" + bytes(20)).decode()


def organization(identity: str, name: str, **more: Any) -> dict[str, Any]:
    return {"resource": {"resourceType": "Organization", "id": identity, "name": name, "active": True, **more}}


def endpoint(identity: str, address: str, **more: Any) -> dict[str, Any]:
    kind = {"code": "hl7-fhir-rest"}
    return {
        "fullUrl": f"https://brands.example/Endpoint/{identity}",
        "resource": {"resourceType": "Endpoint", "id": identity, "address": address, "connectionType": kind, **more},
    }


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}


def test_a_brand_with_places_logo_and_names() -> None:
    """SMART-06: each place is found; a place of a larger brand signs in, and looks, as that one."""
    logo = {"url": BRAND, "extension": [{"url": "brandLogo", "valueUrl": PNG}]}
    portal = {"url": PORTAL, "extension": [{"url": "portalName", "valueString": "MyLake"}]}
    whole = organization(
        "lake", "Lakeside Health", alias=["LH"], extension=[logo, portal],
        endpoint=[{"reference": "https://brands.example/Endpoint/e1"}],
        address=[{"city": "Worcester", "state": "MA", "postalCode": "01604"}],
    )  # fmt: skip
    clinic = organization(
        "breast", "Lakeside Breast Clinic", partOf={"reference": "Organization/lake"}, address=[{"city": "Léominster"}]
    )
    found = read_brands(bundle(whole, clinic, endpoint("e1", "https://fhir.lake.example/r4/")))
    base = "https://fhir.lake.example/r4"
    assert found == [
        Brand(base, "Lakeside Health", ("LH", "MyLake"), (), "Worcester", "MA", "01604", PNG),
        Brand(base, "Lakeside Breast Clinic", (), ("Lakeside Health", "LH", "MyLake"), "Léominster", logo=PNG),
    ]
    assert " leominster" in found[1].searched
    assert all(f" {word}" in found[1].searched for word in wanted_words("LAKE leo mylake"))


@pytest.mark.parametrize(("state", "typed"), [("MA", "massachu fitch"), ("Massachusetts", "ma"), ("NY", "new york")])
def test_a_state_is_found_by_its_name_and_by_its_letters(state: str, typed: str) -> None:
    """SMART-06: whichever of the two stands in the bundle; nothing is found by a state that is not there."""
    brand = Brand("https://x.example", "A Clinic", city="Fitchburg", state=state)
    assert all(f" {word}" in brand.searched for word in wanted_words(typed))
    assert " texas" not in brand.searched


def test_what_cannot_be_signed_in_at_is_no_brand() -> None:
    """SMART-06: no endpoint, one that is off or no FHIR, an organization that is no more."""
    other = {"code": "direct-project"}
    entries = (
        organization("a", "Nowhere"),
        organization("b", "Off", endpoint=[{"reference": "Endpoint/off"}]),
        organization("c", "Fax", endpoint=[{"reference": "Endpoint/fax"}]),
        organization("d", "Closed", active=False, endpoint=[{"reference": "Endpoint/on"}]),
        organization("e", "Script", endpoint=[{"reference": "Endpoint/js"}]),
        endpoint("off", "https://x.example", status="off"),
        endpoint("fax", "https://x.example", connectionType=other),
        endpoint("on", "https://x.example"),
        endpoint("js", "javascript:alert(1)"),
    )
    assert read_brands(bundle(*entries)) == []


def test_a_logo_is_a_picture_or_nothing() -> None:
    """SMART-06, SEC-04: no address that a page would fetch, no script, nothing that only claims to be a picture."""
    for given_url in (
        "https://tracker.example/logo.png",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png;base64,AAAA",
    ):
        logo = {"url": BRAND, "extension": [{"url": "brandLogo", "valueUrl": given_url}]}
        entry = organization("a", "A", extension=[logo], endpoint=[{"reference": "Endpoint/e"}])
        assert [one.logo for one in read_brands(bundle(entry, endpoint("e", "https://x.example")))] == [""]


def test_a_ring_of_parts_ends() -> None:
    """SMART-06: organizations that are part of each other end the search, not the program."""
    one = organization("a", "A", partOf={"reference": "Organization/b"})
    other = organization("b", "B", partOf={"reference": "Organization/a"})
    assert read_brands(bundle(one, other)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["Organization", "Endpoint"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["entry", "resource", "resourceType", "id", "endpoint", "reference", "partOf", "address"]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)
@given(JSON)
def test_any_json_is_read(value: Any) -> None:
    """SMART-06: a bundle that is none gives no brand and no error."""
    assert isinstance(read_brands(value), list)
