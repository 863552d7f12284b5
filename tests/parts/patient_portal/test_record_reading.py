"""Understanding a record: tests over time, what opens with one's doctor, and what a person says themselves."""

from __future__ import annotations

import re

from tests.parts.patient_portal.test_record import lines_of, shown
from tests.support.portal import Portal, signed_in_client


def test_a_test_over_time_and_what_to_open_with_my_doctor(portal: Portal) -> None:
    """MC-06, FHIR-19: each lab has a page of its own; what was set stays closed, is in the page, and opens again."""
    client = signed_in_client(portal, "rv-p01")
    page = client.get("/record").text
    assert 'role="img"' in page
    assert '<details class="later">' not in page
    entry = next(one for one in lines_of(client, "test-results") if "/over-time" in client.get(one).text)
    course = client.get(entry + "/over-time")
    assert course.status_code == 200
    assert 'role="img"' in course.text
    assert "<table" in course.text

    note = lines_of(client, "notes-and-reports")[0]
    assert client.get(note + "/over-time").headers["Location"].endswith(note)

    assert client.post("/record/reading", {"later": ["stage", "pathology", "outlook", "x"]}).status_code == 303
    folded = client.get("/record").text
    stage = re.search(r"<dt>.{0,400}?Stage.{0,900}?</dd>", folded, re.DOTALL)
    assert stage is not None
    assert '<details class="later"><summary>This is about your stage' in stage.group()
    assert "IIA" in stage.group()  # in the page, one press away: nothing is held back
    sealed = portal.rows("SELECT sealed FROM reading_choice")
    assert len(sealed) == 1
    assert b"stage" not in bytes(sealed[0].sealed)
    assert "checked" in client.get("/record/reading").text

    assert client.post("/record/reading", {}).status_code == 303
    assert '<details class="later">' not in client.get("/record").text
    assert "Stage" in shown(client, "/record")
