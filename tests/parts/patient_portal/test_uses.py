"""Who saw or used my data: on the page and in both copies."""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
from datetime import timedelta
from uuid import UUID

import pytest

from consent.audit import Audited, write_audit
from consent.sequencer import sequence_once
from database.context import as_persons
from patient_portal.wiring import now
from tests.support.portal import Client, Portal, signed_in_client


@pytest.fixture
def denise(portal: Portal) -> Client:
    """Signed in; a nurse and a program looked, a study got data, 30 more looks lie further back."""
    client = signed_in_client(portal, "rv-p07", record=False)
    assert isinstance(client.person, UUID)
    with portal.database.web.begin(as_persons(client.person)) as session:
        for number in range(30):
            line = Audited(client.person, "choices.read", "R", "care-team", actor_reference="Practitioner/n1",
                           detail={"provider": "riverside"})  # fmt: skip
            write_audit(session, now() - timedelta(days=1, minutes=number), line)
        detail = {"effort": "living-well", "manifest": "m-1", "count": 7}
        write_audit(session, now(), Audited(client.person, "donation.sent", "E", "system", detail=detail))
        asked = {"store": "cancerlinq", "class": "clinical", "purpose": "operations", "allowed": False}
        write_audit(session, now(), Audited(client.person, "decisions.asked", "R", "program", actor_reference="=pipe",
                                            detail=asked))  # fmt: skip
        write_audit(session, now(), Audited(client.person, "texts.on", "U", "patient", detail={"means": "web"}))
    return client


def test_who_when_what_and_why(portal: Portal, denise: Client) -> None:
    """HIP-25: newest first, a page at a time, one kind at a time; choices and texts are not uses."""
    page = denise.get("/activity/uses").text
    for words in ("Living Well After Cancer", "Got 7 entries of your record", "You said yes to this study",
                  "The answer was no", "Opened your choices", "Practitioner/n1"):  # fmt: skip
        assert words in page, words
    assert "Text messages" not in re.findall(r'<dl class="line">.*</dl>', page, re.S)[0]
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older
    second = denise.get(older.group(1).replace("&amp;", "&")).text
    assert (page.count("<dt>"), second.count("<dt>")) == (25, 7)
    assert denise.get("/activity/uses?kind=care-team").text.count("Opened your choices") == 25
    assert denise.get("/activity/uses?kind=research").text.count("<dt>") == 1
    assert denise.get("/activity/uses?kind=nobody&after=x~y").status_code == 200
    assert 'href="/activity/uses"' in denise.get("/activity").text


def test_papers_receipts_and_stores_are_in_the_list(portal: Portal, denise: Client) -> None:
    """HIP-25: what the person took away is a line too."""
    sent = denise.post("/choices/cancerlinq", {"answer": "no", "form": secrets.token_urlsafe(24)})
    decision = sent.headers["Location"].rsplit("/", 1)[1]
    while sequence_once(portal.worker.database, now()):
        pass
    for paper in ("paper.pdf", "receipt"):
        assert denise.get(f"/choices/decision/{decision}/{paper}").status_code == 200
    mine = denise.get("/activity/uses?kind=person").text
    assert "Downloaded a choice on paper" in mine
    assert "Downloaded a receipt of a choice" in mine


def test_all_of_it_to_take_away(portal: Portal, denise: Client) -> None:
    """HIP-25, CON-13: a table that no spreadsheet runs, and AuditEvents; taking it is a line."""
    table = denise.get("/activity/uses/list.csv")
    rows = list(csv.reader(io.StringIO(table.text.lstrip("\ufeff"))))
    assert len(rows) == 1 + 32
    assert "'=pipe" in {row[2] for row in rows}
    bundle = json.loads(denise.get("/activity/uses/list.json").text)
    assert (bundle["type"], len(bundle["entry"])) == ("collection", 33)
    events = {one["resource"]["subtype"][0]["code"] for one in bundle["entry"]}
    assert events == {"choices.read", "donation.sent", "decisions.asked", "uses.downloaded"}
    assert {one["resource"]["resourceType"] for one in bundle["entry"]} == {"AuditEvent"}
