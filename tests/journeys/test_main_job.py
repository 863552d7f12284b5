"""The main job, end to end, in a real browser without scripts: what a newcomer does after `make run`."""

from __future__ import annotations

import json

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit, Visitor
from tests.support.running_demo import RunningDemo


def test_patient_in_english(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """X-01, SMS-07: sign in, see the record, ask, donate, opt out, watch every store, read the texts, look back."""
    demo = running_demo
    denise, outside = visit(demo.url), visit(demo.url)
    steps.sign_in(denise, "Riverside", "Denise Johnson", examine)
    steps.wait_for_record(denise, examine)
    denise.sees("Everything in your record")
    sent = json.loads(steps.read_an_entry(denise, examine))
    assert sent["resourceType"]
    steps.read_questions(denise, "opt out", examine)
    holders = ("cancerlinq", "tempus", "concerto")
    for store in holders:
        steps.wait_until_held(outside, demo, store, "RV-107455")
    told = _told_to_registry(outside, demo)

    code = _donate_and_look(denise, outside, demo, examine)
    steps.add_number(denise, outside, demo, "303 555 0107", examine)
    day = steps.set_reminder(denise, examine)
    steps.opt_out(denise, examine)
    _watch(denise, outside, demo, examine)
    for store in holders:
        assert not _held(outside, demo, store, "RV-107455"), f"{store} still holds her"
    assert _told_to_registry(outside, demo) == told == "0"
    _receipt(denise)
    outside.until(
        "the text that confirms the opt-out",
        lambda: any("You have an update" in text for text in steps.texts_on(outside, demo, "303 555 0107")),
        again="Look again",
    )
    steps.on_a_later_day(demo, day)
    assert any("You asked us to remind you" in text for text in steps.texts_on(outside, demo, "303 555 0107"))
    _stop_sharing(denise, outside, demo, code, examine)
    _look_back(denise, examine)
    _sign_out(denise, examine)


def _donate_and_look(visitor: Visitor, outside: Visitor, demo: RunningDemo, examine: Examiner) -> str:
    """Donate, and find at the effort's own page what arrived: a random code and no name. Returns the code."""
    held = steps.subjects_of(outside, demo, "living-well")
    steps.donate(visitor, "living-well", "Denise Johnson", examine)
    steps.wait_until_confirmed(visitor, "Living Well")
    examine(visitor, "status-donated-confirmed")
    visitor.follow("The form you signed")
    assert "Denise Johnson" in visitor.text
    examine(visitor, "signed")
    arrived = dict(held)

    def is_there() -> bool:
        arrived.update(steps.subjects_of(outside, demo, "living-well"))
        return len(arrived) > len(held)

    visitor.until("the data arrived at the effort", is_there, again="Back")
    (code,) = set(arrived) - set(held)
    page = outside.html
    assert "Johnson" not in page
    assert "RV-107455" not in page
    assert len(code) >= 16
    return code


def _watch(visitor: Visitor, outside: Visitor, demo: RunningDemo, examine: Examiner) -> None:
    """Each store concerned confirms; Discovery does so at its next build, which we order at its own page."""
    for store in ("CancerLinQ platform", "Tempus", "Concerto"):
        steps.wait_until_confirmed(visitor, store)
    visitor.until("Discovery was told", lambda: steps.shape_of(visitor, "Discovery") in {"told", "done"})
    examine(visitor, "status-accepted")
    outside.open(demo.store("discovery"))
    outside.page.get_by_role("button", name="Build again now").click()
    steps.wait_until_confirmed(visitor, "Discovery")
    examine(visitor, "status-confirmed")
    assert steps.shape_of(visitor, "State cancer registry") == "none"
    assert "Not told, and not changed: state law requires its reports." in visitor.text


def _receipt(visitor: Visitor) -> None:
    with visitor.page.expect_download() as download:
        visitor.follow("Download my receipt")
    receipt = json.loads(download.value.path().read_text())
    assert "RV-107455" not in json.dumps(receipt)
    assert {"cancerlinq", "tempus", "concerto", "discovery"} <= set(json.dumps(receipt).replace('"', " ").split())


def _stop_sharing(visitor: Visitor, outside: Visitor, demo: RunningDemo, code: str, examine: Examiner) -> None:
    """One press, and the effort's store deletes what it holds."""
    visitor.follow("My choices")
    visitor.follow("Stop all research sharing")
    examine(visitor, "stop-all")
    visitor.press("Stop all research sharing")
    visitor.sees("You said no to %(name)s", name="Living Well After Cancer")
    steps.wait_until_confirmed(visitor, "Living Well")
    examine(visitor, "status-stopped")
    assert code not in steps.subjects_of(outside, demo, "living-well")


def _look_back(visitor: Visitor, examine: Examiner) -> None:
    """The page of what happened lists every choice and every delivery."""
    visitor.follow("Who used my data")
    for line in (
        "Text messages were turned on",
        "Out of CancerLinQ",
        "Yes to Living Well After Cancer",
        "No to Living Well After Cancer",
    ):
        visitor.shows(line)
    visitor.sees("What was sent to research")
    examine(visitor, "activity")
    steps.see_who_used(visitor, examine)
    visitor.shows("Living Well After Cancer (invented for this demo)")


def _sign_out(visitor: Visitor, examine: Examiner) -> None:
    """After signing out the back button shows nothing of hers."""
    visitor.press("Sign out")
    examine(visitor, "signed-out")
    visitor.page.go_back()
    assert "Living Well After Cancer" not in visitor.html
    visitor.open("/record")
    assert "/sign-in" in visitor.page.url


def _held(outside: Visitor, demo: RunningDemo, store: str, number: str) -> bool:
    return number in steps.subjects_of(outside, demo, store)


def _told_to_registry(outside: Visitor, demo: RunningDemo) -> str:
    outside.open(demo.store("registry"))
    return outside.page.locator("#told-count").inner_text()
