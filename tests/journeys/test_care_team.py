"""A nurse takes someone who never signed in out of CancerLinQ, from the chart; the person sees it and confirms it."""

from __future__ import annotations

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit
from tests.support.running_demo import RunningDemo


def test_nurse_opts_a_patient_out(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """X-04: EHR launch, one screen, reason and who asked; stores obey; the patient reads it and confirms it."""
    demo = running_demo
    nurse, outside = visit(demo.url), visit(demo.url)
    steps.wait_until_held(outside, demo, "cancerlinq", "RV-104871")
    nurse.open(demo.chart("riverside"))
    nurse.page.get_by_role("button", name="Nurse").first.click()
    nurse.page.get_by_role("link", name="James Whitfield").click()
    nurse.page.get_by_role("button", name="Open in My Cancer Record").click()
    nurse.sees("Take this patient out of CancerLinQ?")
    assert "James Whitfield" in nurse.text
    examine(nurse, "care-team")
    nurse.press("Record: take this patient out")
    nurse.sees("Nothing is saved yet")
    examine(nurse, "care-team-errors")
    nurse.tick("#who-patient")
    nurse.tick("#how-in-person")
    nurse.fill("Why do you record this?", "He asked at his visit.")
    nurse.press("Record: take this patient out")
    nurse.sees("This patient is out of CancerLinQ")
    examine(nurse, "care-team-done")
    steps.wait_until_confirmed(nurse, "CancerLinQ platform")
    assert "RV-104871" not in steps.subjects_of(outside, demo, "cancerlinq")
    nurse.press("Sign out")

    james = visit(demo.url)
    steps.sign_in(james, "Riverside", "James Whitfield", examine)
    james.follow("My choices")
    james.sees("Is that what you want?")
    examine(james, "choices-by-care-team")
    james.press("Yes, that is right")
    james.sees("You are out of CancerLinQ")
    james.follow("My choices")
    assert "Is that what you want?" not in james.text
    james.page.locator("#cancerlinq a.usa-button").click()
    james.sees("Go back into CancerLinQ?")
    examine(james, "go-back-in")
    james.press("Put me back in")
    james.sees("You are back in CancerLinQ")
    james.follow("Who used my data")
    james.shows("Out of CancerLinQ")
    james.shows("In CancerLinQ")
    examine(james, "activity-after-care-team")
