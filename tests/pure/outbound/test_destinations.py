"""Which addresses exist for us. Everything is decided without a look-up; the canary test is in tests/parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outbound.destinations import AllowList, destination, read_url, within
from outbound.errors import OutboundRefused
from tests.support.hostile_addresses import HOSTILE_URLS, NEXT_LINKS

BASE = "https://ehr.example/tenant/fhir"


@pytest.fixture(scope="module")
def allow_list() -> AllowList:
    return AllowList([destination(BASE, private=False), destination("http://localhost:9101/fhir", private=True)])


def test_there_are_two_hundred_hostile_urls() -> None:
    """SEC-05: the table of abuse case 1 has at least 200 different spellings."""
    assert len(set(HOSTILE_URLS)) >= 200


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_url_is_refused(allow_list: AllowList, url: str) -> None:
    """SEC-05, SMART-21: nothing but the listed origins, however it is spelled."""
    with pytest.raises(OutboundRefused):
        allow_list.target(url)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://ehr.example/tenant/fhir", "https://ehr.example/tenant/fhir"),
        ("HTTPS://EHR.example/tenant/fhir/Patient/1", "https://ehr.example/tenant/fhir/Patient/1"),
        ("https://ehr.example:443/x?code=a%7Cb", "https://ehr.example/x?code=a%7Cb"),
        ("https://ehr.example", "https://ehr.example/"),
        ("https://ehr.example?page=2", "https://ehr.example/?page=2"),
        ("http://localhost:9101/fhir/Observation?category=a|b", "http://localhost:9101/fhir/Observation?category=a|b"),
    ],
)
def test_an_ordinary_url_is_taken(allow_list: AllowList, url: str, canonical: str) -> None:
    """SEC-05: what is listed can be called; scheme, host and default port are written one way."""
    assert allow_list.target(url).url == canonical


@pytest.mark.parametrize("url", NEXT_LINKS)
def test_a_next_link_that_leaves_is_refused(url: str) -> None:
    """LIB-02, SMART-46, abuse case 2: same scheme, host, port and path prefix, or nothing."""
    try:
        stays = within(url, BASE)
    except OutboundRefused:
        stays = False
    assert not stays


@pytest.mark.parametrize(
    "url", [BASE, f"{BASE}/", f"{BASE}/Patient?_page=2", f"{BASE}?_getpages=x", BASE.upper()[:12] + BASE[12:]]
)
def test_a_next_link_that_stays_is_followed(url: str) -> None:
    """LIB-02: the base itself and what is below it."""
    assert within(url, BASE)


def test_plain_http_needs_a_private_host() -> None:
    """SEC-05, SEC-13: https only, but for hosts on this machine."""
    with pytest.raises(OutboundRefused, match="plain-http"):
        destination("http://ehr.example/fhir", private=False)


def test_one_origin_is_not_both_private_and_public() -> None:
    """SEC-05: a contradiction in configuration is refused."""
    with pytest.raises(OutboundRefused):
        AllowList([destination("https://a.example", private=True), destination("https://a.example/x", private=False)])


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_refused_or_taken_in_one_way(text: str) -> None:
    """SEC-05: reading never crashes, and what it gives reads the same again."""
    try:
        target = read_url(text)
    except OutboundRefused:
        return
    assert read_url(target.url) == target


@settings(deadline=None)
@given(st.from_regex(r"https?://[a-z0-9.:@%\[\]\\/_-]{0,40}(/[a-z.%2ef]{0,20})?(\?[a-z=&%]{0,10})?", fullmatch=True))
def test_urls_that_look_right_read_the_same_twice(text: str) -> None:
    """SEC-05: as above, nearer to real addresses; `requests` agrees about the host."""
    try:
        target = read_url(text)
    except OutboundRefused:
        return
    assert read_url(target.url) == target
