"""CancerLinQ staff: a clinic that somebody named, a page opened without a case, what takes two; the lead in Spanish."""

from __future__ import annotations

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit, Visitor
from tests.support.running_demo import RunningDemo

PERSON, NUMBER, CLINIC = "Mei-Ling Chen", "RV-105310", "Hilltop Oncology, Golden"


def not_examined(_visitor: Visitor, _name: str) -> None:
    """Pages that other journeys have examined."""


def come_in(staff: Visitor, demo: RunningDemo, who: str, examine: Examiner) -> None:
    staff.open(f"{demo.places['Staff of CancerLinQ']}?lang={staff.language}")
    staff.sees("For people who work for CancerLinQ. Patients sign in at their hospital.")
    examine(staff, "staff-sign-in")
    staff.press("Go to %(name)s", name="Staff sign-in (sandbox)")
    staff.page.get_by_role("button", name=f"{who}: password and security key").click()
    staff.sees("What only a person can settle, the first due first. Names stand on a case only while it is yours.")


def test_a_case_of_staff(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """SUB-08, SEC-08, HIP-25: from a clinic that a person names to the lines that they read about staff."""
    demo = running_demo
    person = visit(demo.url)
    steps.sign_in(person, "Riverside", PERSON, not_examined)  # type: ignore[arg-type]  # looks at nothing
    person.open("/choices/other-clinic")
    examine(person, "other-clinic")
    person.fill("Name of the clinic, and its city", CLINIC)
    person.press("Tell our staff")
    person.sees("Thank you. Our staff finds out if this clinic takes part.")

    worker = visit(demo.url)
    come_in(worker, demo, "Miguel Ortega", examine)
    worker.page.get_by_role("link", name="A person named a clinic that is not connected").last.click()
    assert CLINIC not in worker.text
    assert PERSON not in worker.text
    examine(worker, "staff-case-of-nobody")
    worker.press("Take this case")
    worker.shows(CLINIC)
    worker.shows(NUMBER)
    worker.press("Keep this note")
    worker.sees("Write a few words first.")
    examine(worker, "staff-case-errors")
    worker.fill("Note", "Called them: they do not take part.")
    worker.press("Keep this note")
    worker.page.get_by_text("Close this case").click()
    worker.tick("#outcome-nothing-to-do")
    examine(worker, "staff-case-mine")
    worker.press("Close the case")
    worker.sees("The case is closed.")
    worker.follow("Find a person")
    worker.press("Open for 15 minutes")
    worker.sees("Nothing is opened")
    examine(worker, "staff-find-errors")
    worker.page.locator("#provider").select_option("riverside")
    worker.fill("Record number there", NUMBER)
    worker.fill("Why do you need it now?", "She called about her clinic.")
    worker.press("Open for 15 minutes")
    worker.shows(NUMBER)
    examine(worker, "staff-person")
    worker.follow("For two people")
    worker.page.get_by_text("Ask to tell a store again").click()
    worker.page.locator("#store").select_option("tempus")
    worker.page.locator("#again-why").fill("They lost a day of messages.")
    worker.button("Ask a colleague").last.click()
    worker.sees("A colleague has to decide.")
    examine(worker, "staff-two")

    lead = visit(demo.url, language="es")
    come_in(lead, demo, "Dana Brooks", examine)
    examine(lead, "staff-queue")
    lead.follow("For two people")
    examine(lead, "staff-two-lead")
    lead.press("Allow")
    lead.until("a worker tells the store again", lambda: lead.say("Being done.") not in lead.text)
    lead.follow("Opened without a case")
    lead.shows("She called about her clinic.")
    examine(lead, "staff-openings")
    lead.press("I have looked at this")
    lead.follow("Reports")
    examine(lead, "staff-reports")
    lead.press("Sign out")

    person.open("/activity/uses?kind=staff")
    person.sees("Opened a case about you")
    person.shows("Miguel Ortega")
    person.sees("Opened your page without a case of theirs. A second person looks at why.")
