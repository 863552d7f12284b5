"""An entry for the wrong person at the real hospital and the real ledger: two take it back, the person is told."""

from __future__ import annotations

import re
import secrets
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from database.context import as_nobody
from tests.support.pdf import Pdf
from tests.support.portal import Client, Portal, signed_in_client, token_in
from tests.support.staff import Staff, choose, sign_in_staff

PATIENT = "rv-p02"


def staff_on_team(portal: Portal) -> list[int]:
    """Numbers of the clinicians on the patient's team: at least two."""
    (team,) = portal.chart(PATIENT).of_type("CareTeam")
    on = [one["member"]["reference"] for one in team["participant"]]
    everyone = portal.hospitals["riverside"].hospital.records.people("clinician")
    found = [number for number, login in enumerate(everyone) if login.id in on]
    assert len(found) >= 2
    return found


def opened(portal: Portal, number: int) -> Staff:
    staff = sign_in_staff(portal, number)
    assert choose(staff, PATIENT).status_code == 303
    return staff


def send(staff: Staff, path: str, **form: Any) -> Any:
    page = staff.get().text
    entry = re.search(r'name="entry" value="([^"]+)"', page)
    sent = {"csrf_token": token_in(page), "entry": entry.group(1) if entry else ""} | form
    return staff.browser.post(path, data=sent, base_url=staff.portal.url, follow_redirects=True)


def answer(patient: Client, said: str) -> None:
    form = {"answer": said, "form": secrets.token_urlsafe(24)}
    assert patient.post("/choices/cancerlinq", form, page="/choices/cancerlinq").status_code == 303


def test_two_take_an_entry_back_and_the_person_is_told(portal: Portal) -> None:
    """X-05, CON-12: the entry stays, a new decision names it, there is a notice for each action, and the person
    confirms it in one step."""
    one, other = staff_on_team(portal)[:2]
    nurse, doctor = opened(portal, one), opened(portal, other)
    nurse.opt_out()
    assert "Was this the wrong person?" not in doctor.get().text, "it is not the doctor's own entry"
    assert "Write in a few words" in send(nurse, "/care-team/void", why=" ").text
    assert "Now a colleague of your practice" in send(nurse, "/care-team/void", why="Two people of one name").text
    assert "You asked to take this entry back." in nurse.get().text
    (entry,) = portal.rows("SELECT * FROM decision")
    alone = send(nurse, "/care-team/void/agree", entry=str(entry.id))
    assert "Somebody else of your practice has to agree." in alone.text
    assert len(portal.rows("SELECT id FROM decision")) == 1, "nothing happens until a second person agrees"
    assert "Two people of one name" in doctor.get().text
    assert "The entry is taken back." in send(doctor, "/care-team/void/agree").text
    send(doctor, "/care-team/void/agree", entry=str(entry.id))
    first, back = portal.rows("SELECT * FROM decision ORDER BY version")
    assert (first.id, back.answer, back.means, back.confirmed_by_person) == (entry.id, "yes", "void", False)
    assert str(entry.id) in back.idempotency_key
    with pytest.raises(IntegrityError, match="two_persons"), portal.database.maintenance.begin(as_nobody()) as session:
        session.execute(text("UPDATE entry_void SET agreed_account = asked_account"))  # the database holds it too
    assert len(portal.rows("SELECT id FROM unsequenced")) == 2, "the stores are told of both"
    assert len(portal.rows("SELECT id FROM staff_task WHERE kind = 'tell-the-person'")) == 2
    events = {row.event for row in portal.rows("SELECT event FROM audit_event")}
    assert {"decision.void-asked", "decision.voided"} <= events
    assert "Take this patient out of CancerLinQ?" in nurse.get().text
    patient = signed_in_client(portal, PATIENT, record=False)
    assert "taken you out of CancerLinQ by mistake" in patient.get("/choices").text
    patient.post(
        "/choices/cancerlinq", {"answer": "yes", "form": secrets.token_urlsafe(24)}, page="/choices/cancerlinq"
    )
    assert "by mistake" not in patient.get("/choices").text


def test_what_the_person_confirmed_staff_cannot_take_back(portal: Portal) -> None:
    """CON-11: asked before, agreed after the person's own word: nothing happens."""
    one, other = staff_on_team(portal)[:2]
    nurse, doctor = opened(portal, one), opened(portal, other)
    nurse.opt_out()
    send(nurse, "/care-team/void", why="Two people of one name")
    patient = signed_in_client(portal, PATIENT, record=False)
    answer(patient, "no")
    assert "only the patient can change it" in send(doctor, "/care-team/void/agree").text
    assert [row.answer for row in portal.rows("SELECT answer FROM decision ORDER BY version")] == ["no", "no"]


def test_scan_signature_and_letter(portal: Portal) -> None:
    """X-04, SEC-12: what was signed is sealed evidence, a scan is told by its content, and the letter for the post has
    the patient's name and address, the date they asked and no illness."""
    staff = opened(portal, staff_on_team(portal)[0])
    page = staff.get().text
    form = {"csrf_token": token_in(page), "form": "the-key-of-a-form", "who": "patient", "how": "paper",
            "asked_on": "2026-03-04", "reason": "A form came by post", "signed_name": "R. Martinez"}  # fmt: skip
    lie = staff.browser.post(
        "/care-team", data=form | {"paper": (BytesIO(b"MZ\x90\x00 a program"), "scan.pdf")}, base_url=portal.url
    )
    assert lie.status_code == 422
    assert "We cannot keep this kind of file." in lie.text
    assert 'value="R. Martinez"' in lie.text
    scan = BytesIO(b"%PDF-1.7\nthe signed form")
    done = staff.browser.post("/care-team", data=form | {"paper": (scan, "../scan.exe")}, base_url=portal.url)
    assert done.status_code == 303
    (file,) = portal.rows("SELECT * FROM added_file")
    assert file.kind == "pdf"
    assert b"signed form" not in file.content_sealed
    (decision,) = portal.rows("SELECT * FROM decision")
    assert b"Martinez" not in decision.evidence_sealed
    where = done.headers["Location"]
    assert "Please print this letter" in staff.get(where).text
    letter = staff.get(f"{where}/letter.pdf")
    entry = portal.hospitals["riverside"].hospital.records.entries[PATIENT]
    words = Pdf(letter.data).text
    assert letter.headers["Content-Type"] == "application/pdf"
    assert entry.name in words
    token = token_in(staff.get(where).text)
    posted = staff.browser.post(f"{where}/posted", data={"csrf_token": token}, base_url=portal.url)
    assert posted.status_code == 303
    assert "You said that it is on its way." in staff.get(where).text
    (task,) = portal.rows("SELECT * FROM staff_task WHERE kind = 'tell-the-person'")
    assert task.closed_at is not None
    patient = signed_in_client(portal, PATIENT, record=False)
    assert "your care team" in patient.get("/record/added").text.lower()
