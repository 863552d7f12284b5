"""A nurse takes someone who never signed in out of CancerLinQ, from the chart; the person sees it and confirms it."""

from __future__ import annotations

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit, Visitor
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


def test_in_the_charts_own_frame_and_taken_back_by_two(
    running_demo: RunningDemo, visit: Visit, examine: Examiner
) -> None:
    """SMART-23, X-05: inside the hospital's chart, with no cookie of a third party; the wrong person; a second person
    signs in without a chart, by keyboard, and agrees; the stores are told of both."""
    demo = running_demo
    nurse, outside = visit(demo.url), visit(demo.url)
    steps.wait_until_held(outside, demo, "cancerlinq", "LK-21106")
    nurse.open(demo.chart("lakeside"))
    nurse.page.get_by_role("button", name="Nurse").first.click()
    nurse.page.get_by_role("link", name="Thuy Nguyen").click()
    nurse.page.get_by_role("button", name="Show My Cancer Record inside this chart").click()
    frame = nurse.page.frame_locator("iframe.app")
    frame.get_by_role("heading", name="Take this patient out of CancerLinQ?").wait_for()
    for box in ("who-patient", "how-phone"):
        frame.locator(f"label[for='{box}']").click()
    frame.get_by_label("Why do you record this?").fill("She called us.")
    frame.get_by_text("Signature or scan, if you have one").click()
    frame.get_by_label("Signature, if you have one").fill("T. Nguyen")
    frame.get_by_role("button", name="Record: take this patient out").click()
    frame.get_by_role("heading", name="This patient is out of CancerLinQ").wait_for()
    ours = [one for one in nurse.page.context.cookies() if one["name"] == "portal"]
    assert [(one["sameSite"], bool(one.get("partitionKey"))) for one in ours] == [("None", True)]
    frame.get_by_role("link", name="This chart").click()
    frame.get_by_label("What went wrong?").fill("Two patients of one name.")
    frame.get_by_role("button", name="Ask to take my entry back").click()
    frame.get_by_text("You asked to take this entry back.").wait_for()

    doctor = _by_keyboard(demo, visit, examine)
    doctor.sees("A colleague made this entry for the wrong person")
    doctor.shows("Two patients of one name.")
    examine(doctor, "care-team-second-person")
    doctor.press("I agree: take the entry back")
    doctor.sees("The entry is taken back. The patient is told.")
    outside.until(
        "the store has her again", lambda: steps.held_after_feed(outside, demo, "cancerlinq", "LK-21106"), "Nothing"
    )
    _a_list(doctor, examine)


def _by_keyboard(demo: RunningDemo, visit: Visit, examine: Examiner) -> Visitor:
    """The doctor's own door: sign in at the hospital, find the patient, open her: with keys alone."""
    doctor = visit(demo.url)
    doctor.open("/care-team/sign-in")
    examine(doctor, "care-team-sign-in")
    _go(doctor, "Lakeside Medical Group (sandbox)")
    doctor.sees("You find your own patients: those on whose care team you are.")
    examine(doctor, "care-team-confirm")
    _go(doctor, "Go to my hospital")
    doctor.page.get_by_role("button", name="Dr. ").first.press("Enter")
    doctor.page.get_by_role("button", name="Allow", exact=True).press("Enter")
    doctor.sees("Which patient asked to be taken out?")
    examine(doctor, "care-team-patients")
    doctor.page.locator("#q").press_sequentially("Nguyen")
    doctor.page.keyboard.press("Enter")
    doctor.sees("Show my own patients")
    doctor.shows("LK-21106")
    examine(doctor, "care-team-found")
    _go(doctor, "Choose: Thuy Nguyen")
    return doctor


def _go(visitor: Visitor, name: str) -> None:
    """Press Tab until the link or button of this name has the focus, then Enter."""
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        here = visitor.page.locator(":focus")
        if here.count() and " ".join(here.inner_text().split()).replace(" :", ":") == name:
            visitor.page.keyboard.press("Enter")
            return
    raise AssertionError(f"not reached by keyboard: {name}")


def _a_list(doctor: Visitor, examine: Examiner) -> None:
    """A list with a bad row is not taken; a good one is shown row by row and recorded as a whole."""
    title = "record_number,birth_date,asked_on,who_asked,how,reason\n"
    good = "LK-21822,1970-10-03,2026-10-03,patient,paper,Asked by letter\n"
    doctor.open("/care-team/list")
    examine(doctor, "care-team-list")
    _in_spanish(doctor, examine, "care-team-list")
    for content, seen in (
        (title + good + "LK-21106,1987-08-25,2099-01-01,patient,owl,Asked\n", "What is not right"),
        (title + good, "Take 1 patient out of CancerLinQ?"),
    ):
        file = {"name": "list.csv", "mimeType": "text/csv", "buffer": content.encode()}
        doctor.page.locator("#file").set_input_files(file)  # type: ignore[arg-type]  # a file in memory
        doctor.press("Look at the list")
        doctor.shows(seen)
        examine(doctor, f"care-team-{seen}")
    doctor.shows("It stops collecting and removes what it holds that names you.")
    _in_spanish(doctor, examine, "care-team-list-preview")
    doctor.page.get_by_role("button", name="Record it: take 1 patient out").click()
    doctor.sees("The list is recorded")
    doctor.until("a letter waits", lambda: "1 letter waits to be posted." in doctor.text, "Nothing")
    examine(doctor, "care-team-list-done")


def _in_spanish(visitor: Visitor, examine: Examiner, name: str) -> None:
    """The page before the visitor once more in Spanish, wide and at 320 px; then back."""
    here = visitor.page.url
    for language in ("es", "en"):
        visitor.language = language
        visitor.open(f"{here}?lang={language}")
        if language == "es":
            examine(visitor, name)
