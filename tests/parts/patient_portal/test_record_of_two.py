"""One person's record from two hospitals: what both tell is told once, with both named."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape

import pytest

from consent.person_identity import link_persons
from database.unit_of_work import count_statements
from fhir_bridge import record_list
from patient_portal.wiring import now
from tests.parts.patient_portal.test_record import shown
from tests.support.portal import Client, Portal, signed_in_client
from vocabulary.actor import Actor, ActorKind

ENTRY = re.compile(r'<li><span><a href="(/record/entry/[0-9a-f-]{36})"')
BESIDE = re.compile(r'Also told by:\s*<a href="(/record/entry/[0-9a-f-]{36})"')


@pytest.fixture
def maria(portal: Portal) -> Client:
    """Riverside's and Lakeside's Maria, who has said that she is both."""
    there, here = signed_in_client(portal, "lk-p07"), signed_in_client(portal, "rv-p01")
    (account,) = portal.rows("SELECT account_id FROM connection WHERE provider_id = 'riverside'")
    actor = Actor(ActorKind.PATIENT, account_id=account.account_id, person=here.person, persons=(here.person,))
    link_persons(portal.wiring.database, portal.wiring.keyring, actor, here.person, there.person, now())
    return signed_in_client(portal, "rv-p01")


def test_two_hospitals_one_record(portal: Portal, maria: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """MC-02, FHIR-10: one cancer with both hospitals named and nothing said to be missing that one of them knows; in a
    list what both tell stands once, though other pages lie between, and no entry is lost or shown twice."""
    page = shown(maria, "/record")
    assert page.count("Breast cancer, left side") == 1
    tellers = page.partition("Told alike by")[2][:80]
    assert "Riverside" in tellers
    assert "Lakeside" in tellers
    assert "What stage it is" not in page
    whole = maria.get("/record/kind/problems").text
    monkeypatch.setattr(record_list, "PAGE_SIZE", 1)
    path, lines, beside, pages = "/record/kind/problems", list[str](), list[str](), 0
    while path:
        text = maria.get(path).text
        lines, beside, pages = lines + ENTRY.findall(text), beside + BESIDE.findall(text), pages + 1
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = unescape(older[1]) if older else ""
    assert (sorted(lines), sorted(beside)) == (sorted(ENTRY.findall(whole)), sorted(BESIDE.findall(whole)))
    assert len(beside) == 1
    assert pages == len(lines) + len(beside)
    assert set(Counter(lines + beside).values()) == {1}
    once = re.findall(r'/over-time">(?:<bdi>)?([^<]+)', maria.get("/record/kind/test-results/tests").text)
    assert len(once) == len(set(once)) > 10
    monkeypatch.undo()
    found = maria.get("/record/kind/test-results/find?q=718-7")
    assert {"Riverside", "Lakeside"} <= set(re.findall(r"Riverside|Lakeside", found.text))
    asked: list[str] = []
    count_statements(portal.wiring.database.engine, asked)
    maria.get("/record/kind/problems")
    assert len([one for one in asked if "set_config" not in one and "web_session" not in one]) <= 2
