"""The page that shows what would leave, through the whole front door."""

from __future__ import annotations

import html
import re

import pytest

from tests.support.portal import Client, Portal, signed_in_client


@pytest.fixture
def maria(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p01", groups=["about-you", "conditions", "medicines"])


def _shown(page: str) -> list[list[tuple[str, str]]]:
    """Each entry that leaves, as (name, value) in the order shown."""
    return [
        [
            (html.unescape(name), html.unescape(value))
            for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", entry, re.S)
        ]
        for entry in re.findall(r'<dl class="leaves"[^>]*>(.*?)</dl>', page, re.S)
    ]


def test_words_first_then_line_by_line(maria: Client) -> None:
    """HIP-20, X-03: counts and what stays in words, then ten entries a page beside what leaves of each."""
    answer = maria.get("/choices/efforts/living-well/leaves")
    assert answer.status_code == 200
    shown = _shown(answer.text)
    assert 0 < len(shown) <= 10
    everything = str(shown)
    for name in ("Alvarez", "12 Alder", "80205", "1968-03-14", "RV-104233"):
        assert name not in everything
    second = maria.get("/choices/efforts/living-well/leaves?page=2")
    assert second.status_code == 200
    assert _shown(second.text) != shown


def test_kind_by_kind_and_folded(maria: Client) -> None:
    """X-03, A11Y-01: a jump list of every kind with its count; a kind's own pages hold exactly its entries."""
    first = maria.get("/choices/efforts/living-well/leaves").text
    jump = re.findall(r'<li><a href="([^"]+)"[^>]*>[^<]+</a> <span class="number">(\d+)</span>', first)
    total = int(re.findall(r"(\d+) entr(?:y|ies) of your record would leave", first)[0])
    assert sum(int(count) for _, count in jump) == total
    assert first.count("<details>") >= len(_shown(first)), "each entry is folded"
    seen = 0
    for address, count in jump:
        listed, after = [], html.unescape(address)
        while after:
            page = maria.get(after.partition("#")[0]).text
            assert len(re.findall(r"<section class=\"folds\"><h3>", page)) == 1
            listed += _shown(page)
            more = re.search(r'<a href="([^"]+)" rel="next"', page)
            after = html.unescape(more.group(1)) if more else ""
        assert len(listed) == int(count)
        seen += len(listed)
    assert seen == total


def test_only_the_parts_asked_for_are_shown(maria: Client) -> None:
    """X-03: the preview follows the ticks; an effort that works with names shows the resource as it is."""
    general = maria.get("/choices/efforts/living-well/leaves?categories=general")
    assert [one[0] for one in _shown(general.text)] == [("resourceType", "Patient")]
    named = maria.get("/choices/efforts/early-signs/leaves?categories=general")
    assert "Alvarez" in str(_shown(named.text))


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/choices/efforts/living-well/leaves?page=99999", 200),
        ("/choices/efforts/living-well/leaves?page=-1", 200),
        ("/choices/efforts/living-well/leaves?page=%F0%9F%92%A9", 200),
        ("/choices/efforts/nowhere/leaves", 404),
        ("/choices/efforts/living-well/leaves?categories=everything", 422),
        ("/choices/efforts/living-well/leaves?kind=secrets", 422),
        ("/choices/efforts/living-well/leaves?kind=insurance", 200),
        ("/choices/efforts/living-well/leaves?sensitive=../../etc", 422),
    ],
)
def test_odd_addresses(maria: Client, address: str, status: int) -> None:
    """SEC-05: whatever stands in the address gets a clear page."""
    answer = maria.get(address)
    assert answer.status_code in ({400, 422} if status == 422 else {status})


def test_nobody_sees_it_without_signing_in(portal: Portal) -> None:
    """SEC-08: a stranger is sent to sign in."""
    answer = portal.app.test_client().get("/choices/efforts/living-well/leaves", base_url=portal.url)
    assert answer.status_code == 303
