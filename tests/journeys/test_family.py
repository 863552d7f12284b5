"""Family and helpers: a daughter invited to read, a mother who acts for her child, a death told of, leaving fast."""

from __future__ import annotations

import re

import pytest

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit
from tests.support.running_demo import RunningDemo


@pytest.mark.parametrize(("language", "person"), [("en", "Robert Kowalski"), ("es", "Fatima Al-Sayed")])
def test_a_helper_comes_fills_in_and_is_ended(
    language: str, person: str, running_demo: RunningDemo, visit: Visit, examine: Examiner
) -> None:
    """HIP-15, A11Y-01, abuse case 11: invited by a link and a passcode; reads, fills in, never signs; ended at once."""
    demo = running_demo
    owner, helper = visit(demo.url, language=language, width=320), visit(demo.url, language=language)
    steps.sign_in(owner, "Riverside", person, examine)
    owner.follow("My choices")
    owner.follow("Who helps me")
    examine(owner, "family")
    owner.press("Make a link")
    examine(owner, "family-errors")
    owner.fill("What you call them", "Ana")
    owner.tick("#lasts-week")
    owner.press("Make a link")
    examine(owner, "family-invited")
    link = owner.page.locator("#address").input_value()
    code = owner.page.locator("main bdi.number").first.inner_text()
    helper.open(f"{link}?lang={language}")
    examine(helper, "helping")
    helper.fill("The passcode", "1")
    helper.press("Come in")
    examine(helper, "helping-errors")
    helper.fill("The passcode", code)
    helper.press("Come in")
    examine(helper, "helper-record")
    helper.follow("My choices")
    helper.page.locator("#living-well a.usa-button").click()
    examine(helper, "helper-effort")
    helper.tick("#categories-clinical")
    helper.press("Keep it for them to look at")
    helper.sees("Kept. They see it when they open this page, and they decide.")
    owner.open("/choices/efforts/living-well")
    assert owner.page.locator("#categories-clinical").is_checked()
    examine(owner, "effort-filled-in")
    owner.open("/family")
    owner.page.get_by_role("button", name=re.compile("Ana")).click()
    examine(owner, "family-ended")
    helper.open("/record")
    helper.sees("Your visit has ended")
    examine(helper, "helper-ended")
    owner.page.route("https://www.weather.gov/**", lambda route: route.fulfill(body="Sunny"))
    owner.press("Leave fast")
    owner.page.wait_for_url("https://www.weather.gov/**")
    owner.wrong[:] = [each for each in owner.wrong if "weather.gov" not in each]  # where leaving leads, on purpose


def test_a_mother_says_who_she_is(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """HIP-15: her own sign-in, her statement, her child's record, and what she may do."""
    mother = visit(running_demo.url, language="es", width=320)
    mother.open("/?lang=es")
    mother.follow("Sign in with your hospital")
    mother.page.get_by_role("link", name="Riverside").click()
    mother.press("Go to my hospital")
    mother.page.get_by_role("button", name="Hoa Tran").first.click()
    mother.page.get_by_role("button", name="Allow", exact=True).click()
    examine(mother, "acting")
    mother.press("This is true")
    examine(mother, "acting-errors")
    mother.tick("#relation-parent")
    mother.fill("Your full name", "Hoa Tran")
    mother.fill("Which paper shows it?", "acta de nacimiento")
    mother.fill("Your phone or e-mail", "617 555 0150")
    mother.press("This is true")
    examine(mother, "acting-stated")
    mother.follow("Open the record")
    examine(mother, "acting-record")


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_death_is_told_of(language: str, running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """HIP-16: no sign-in, few words, and what happens then."""
    son = visit(running_demo.url, language=language, width=320)
    son.open(f"/help?lang={language}")
    son.follow("Tell us that someone died")
    examine(son, "someone-died")
    son.press("Send")
    examine(son, "someone-died-errors")
    son.fill("Full name of the person who died", "Pat Doe")
    son.fill("Who are you to this person?", "son")
    son.fill("Your phone or e-mail", "555 0100")
    son.press("Send")
    examine(son, "someone-died-thanks")
