"""FHIR-05, LIB-02: the next page, and where it may not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.retrieve.paging import PAGE_CAP, absolute, follow, within_base

BASE = "https://ehr.example.org/fhir/r4"
PAGE = BASE + "/Condition?patient=p1"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (BASE + "/Condition?patient=p1&page=2", BASE + "/Condition?patient=p1&page=2"),
        (BASE + "?_getpages=abc&_getpagesoffset=20", BASE + "?_getpages=abc&_getpagesoffset=20"),
        ("https://ehr.example.org:443/fhir/r4/x", "https://ehr.example.org:443/fhir/r4/x"),
        ("Condition?patient=p1&page=2", BASE + "/Condition?patient=p1&page=2"),
        ("?page=2", BASE + "/Condition?page=2"),
        ("/fhir/r4/Condition?page=2", BASE + "/Condition?page=2"),
    ],
)
def test_next_is_followed_as_given(link: str, expected: str) -> None:
    """FHIR-05: the link is followed verbatim, a relative one resolved against its page."""
    assert follow(BASE, PAGE, link, {PAGE}, 1).url == expected


FOREIGN = [
    "https://evil.example.org/fhir/r4/Condition?page=2",
    "//evil.example.org/fhir/r4/Condition",
    "http://ehr.example.org/fhir/r4/Condition",
    "https://ehr.example.org:8443/fhir/r4/Condition",
    "https://ehr.example.org@evil.example.org/fhir/r4/Condition",
    "https://user:pw@ehr.example.org/fhir/r4/Condition",
    "https://ehr.example.org.evil.example/fhir/r4/Condition",
    "https://ehr.example.org/other/tenant/Condition",
    "https://ehr.example.org/fhir/r44/Condition",
    "https://ehr.example.org/fhir/r4/../../other/Condition",
    "https://ehr.example.org/fhir/r4/%2e%2e/%2e%2e/other",
    "https://ehr.example.org/fhir/r4/%252e%252e/other",
    "https://ehr.example.org\\@evil.example.org/fhir/r4",
    "https:\\\\evil.example.org\\fhir",
    "https://ehr.example.org/fhir/r4/Condition\r\nHost: evil.example.org",
    "https://evil.example.org#@ehr.example.org/fhir/r4/",
    "ftp://ehr.example.org/fhir/r4/Condition",
    "javascript:alert(1)",
    "https://[::1]/fhir/r4/Condition",
    "https://ehr.example.org:99999/fhir/r4/Condition",
    "https://[bad/fhir",
]


@pytest.mark.parametrize("link", FOREIGN)
def test_a_foreign_next_is_refused(link: str) -> None:
    """LIB-02: a link to another origin or another path is never fetched, and paging ends as incomplete."""
    after = follow(BASE, PAGE, link, {PAGE}, 1)
    assert after.url is None
    assert after.stop is not None


def test_a_repeated_next_ends_paging() -> None:
    """FHIR-05: a link already fetched is a loop."""
    second = PAGE + "&page=2"
    assert follow(BASE, second, PAGE, {PAGE, second}, 2).stop == "next-link-repeats"


def test_pages_are_capped() -> None:
    """FHIR-05: an endless server is stopped, and the list is named as incomplete."""
    assert follow(BASE, PAGE, PAGE + "&page=x", {PAGE}, PAGE_CAP).stop == "too-many-pages"


def test_no_next_is_the_end() -> None:
    """FHIR-05: without a link this was the last page, whatever the total said."""
    after = follow(BASE, PAGE, None, {PAGE}, 1)
    assert (after.url, after.stop) == (None, None)


@given(st.text(max_size=60))
def test_no_text_leads_outside(link: str) -> None:
    """LIB-02: whatever a link says, what is fetched lies inside the base."""
    url = absolute(BASE, link)
    assert url is None or within_base(BASE, url)
    after = follow(BASE, PAGE, link, set(), 1)
    assert after.url is None or after.url.startswith(BASE)
