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
from sandbox.hospital.records import Chart
from tests.parts.patient_portal.test_record import shown
from tests.support.portal import Client, Portal, signed_in_client
from vocabulary.actor import Actor, ActorKind

ENTRY = re.compile(r'<li><span><a href="(/record/entry/[0-9a-f-]{36})"')
BESIDE = re.compile(r'Also told by:\s*<a href="(/record/entry/[0-9a-f-]{36})"')


@pytest.fixture
def maria(portal: Portal) -> Client:
    """Riverside's and Lakeside's Maria, who has said that she is both. Each hospital names a medicine by reference."""
    for patient in ("rv-p01", "lk-p07"):
        chart = portal.chart(patient)
        about = {"subject": {"reference": f"Patient/{patient}"}, "intent": "order", "authoredOn": "2026-10-02"}
        when = {"lastUpdated": "2026-01-01T00:00:00Z"}
        made = {"resourceType": "Medication", "id": "by-name", "meta": when, "code": {"text": "Vitamin D"}}
        named = {"medicationReference": {"reference": "Medication/by-name"}, "status": "completed"}
        ordered = {"resourceType": "MedicationRequest", "id": "by-reference", "meta": when, **about, **named}
        whole = [one for kind in chart.by_type.values() for one in kind]
        vars(chart).update(vars(Chart(patient, [*whole, made, ordered])))
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
    medicines = maria.get("/record/kind/medicines").text
    assert medicines.count(">Vitamin D<") == 1
    assert len(BESIDE.findall(medicines.partition(">Vitamin D<")[2][:2000])) == 1
    found = maria.get("/record/kind/test-results/find?q=718-7")
    assert {"Riverside", "Lakeside"} <= set(re.findall(r"Riverside|Lakeside", found.text))
    assert_few_queries(portal, maria)


def assert_few_queries(portal: Portal, client: Client) -> None:
    """G6.2: no list of several hospitals asks the database more than twice, but for whose session it is and how often
    it asked. For a record of one hospital see test_record.py."""
    asked: list[str] = []
    count_statements(portal.wiring.database.engine, asked)
    mark = ENTRY.findall(client.get("/record/kind/medicines").text)[-1][-36:]
    lists = ("problems", "medicines", f"medicines?newer_than={mark}", "medicines/find?q=a", "test-results/find?q=a")
    for one in lists:
        asked.clear()
        assert client.get(f"/record/kind/{one}").status_code == 200, one
        own = [each for each in asked if not re.search("set_config|web_session|rate_count", each)]
        assert 0 < len(own) <= 2, (one, own)
