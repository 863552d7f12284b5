"""The steps that journeys are made of, each as a person takes them; the words are those of the visitor's language."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from playwright.sync_api import Locator

from notifications.reminders import release_reminders
from notifications.send import send_due
from patient_portal.in_touch.texting import channel_of, texting_of
from tests.journeys.examination import Examiner
from tests.support.browser import Visitor
from tests.support.running_demo import RunningDemo, wiring_of_worker

CONCERNED = ("CancerLinQ platform", "Tempus", "Concerto HealthAI", "CancerLinQ Discovery")
PHRASES = {"living-well": "Living Well After Cancer", "early-signs": "Early Signs Study"}


def sign_in(visitor: Visitor, hospital: str, person: str, examine: Examiner) -> None:
    """From the front page to the own record, at a sandbox hospital's own pages; all parts are allowed."""
    visitor.open(f"/?lang={visitor.language}")
    examine(visitor, "home")
    visitor.follow("Sign in with your hospital")
    examine(visitor, "sign-in")
    visitor.page.get_by_role("link", name=hospital).click()
    examine(visitor, "sign-in-one")
    visitor.press("Go to my hospital")
    at_hospital(visitor, person)
    visitor.sees("You are signed in. We are bringing in your record.")


def at_hospital(visitor: Visitor, person: str) -> None:
    """The sandbox hospital's two pages: who, and what may be read."""
    visitor.page.get_by_role("button", name=person).first.click()
    visitor.page.get_by_role("button", name="Allow", exact=True).click()


def wait_for_record(visitor: Visitor, examine: Examiner) -> None:
    """Without scripts: press "Check again" until no part of the record is still to come."""
    examine(visitor, "record-coming")
    visitor.until("the record is brought in", lambda: not visitor.link("Check again").count())
    examine(visitor, "record")


def read_an_entry(visitor: Visitor, examine: Examiner) -> str:
    """A kind of entry, one entry, and what the hospital sent; returns that."""
    visitor.page.locator("main .tile h3 a").first.click()
    examine(visitor, "record-kind")
    visitor.page.locator("main ul.kinds a").first.click()
    examine(visitor, "record-entry")
    visitor.follow("The form the hospital sent")
    examine(visitor, "record-fhir")
    return visitor.page.locator("main pre").inner_text()


def read_questions(visitor: Visitor, search: str, examine: Examiner) -> None:
    """The questions, a search, and from the question of the opt-out one click to the opt-out itself."""
    visitor.follow("Questions")
    examine(visitor, "faq")
    visitor.fill("Search the questions", search)
    visitor.press("Search")
    examine(visitor, "faq-search")
    visitor.page.locator("#opt-out").get_by_role("link", name=visitor.say("Take me out of CancerLinQ")).click()
    visitor.sees("Leave CancerLinQ?")


def open_effort(visitor: Visitor, effort: str, examine: Examiner) -> None:
    """From any page to the page of an effort."""
    visitor.follow("My choices")
    examine(visitor, "choices")
    visitor.page.locator(f"#{effort} a.usa-button").click()
    examine(visitor, f"effort-{effort}")


def donate(visitor: Visitor, effort: str, name: str, examine: Examiner) -> None:
    """See what would leave, choose two of the three parts, sign; first with a mistake that is named."""
    open_effort(visitor, effort, examine)
    visitor.follow("See exactly what would leave, line by line")
    examine(visitor, f"leaves-{effort}")
    visitor.follow("Go back and decide")
    visitor.press("Sign and share")
    visitor.sees("Nothing is saved yet")
    examine(visitor, f"effort-{effort}-errors")
    visitor.tick("#categories-general")
    visitor.tick("#categories-clinical")
    visitor.fill("Your full name", name)
    visitor.press("Sign and share")
    visitor.sees("You share with %(name)s", name=visitor.say(PHRASES[effort]))
    examine(visitor, f"status-donated-{effort}")


def leave_out_companies(visitor: Visitor, examine: Examiner) -> None:
    """Say in plain words what research may be, see which studies follow, and save it: one is left out."""
    visitor.follow("My choices")
    visitor.page.locator("#kinds a.usa-button").click()
    examine(visitor, "kinds-of-research")
    visitor.press("Show which studies follow")
    visitor.sees("Choose one of these.")
    visitor.tick("#scope-any-cancer-research")
    visitor.tick("#limits-no-companies")
    visitor.press("Show which studies follow")
    visitor.sees("Which studies follow from this")
    examine(visitor, "kinds-of-research-follow")
    visitor.press("Save this choice")
    visitor.sees("Left out by your choice")
    examine(visitor, "choices-with-kinds")


def ask_by_letter(visitor: Visitor, examine: Examiner) -> None:
    """From the own record: write to a clinic that is not connected, and say when it got the letter."""
    visitor.follow("My record")
    visitor.follow("Records I asked for")
    visitor.follow("Write a letter to a clinic")
    visitor.fill("Your full name", "Carmen Ruiz")
    visitor.fill("Your date of birth", "1961")
    visitor.fill("Name of the clinic or hospital", "Hill Clinic")
    visitor.tick("#scope-all")
    visitor.tick("#form-pdf")
    visitor.press("Write the letter")
    visitor.page.locator("#asked-on").fill(datetime.now(UTC).date().isoformat())
    visitor.press("Save")
    visitor.sees("the clinic has time")
    examine(visitor, "access-asked")
    visitor.follow("My record")
    visitor.follow("Scans and files you added")
    examine(visitor, "added")


def see_who_used(visitor: Visitor, examine: Examiner) -> None:
    """From the page of what happened to who saw or used the data."""
    visitor.follow("Who saw or used my data")
    visitor.sees("Take the list with you")
    examine(visitor, "uses")


def opt_out(visitor: Visitor, examine: Examiner) -> None:
    """Preview what would happen in each store, then leave CancerLinQ."""
    visitor.follow("My choices")
    visitor.page.locator("#cancerlinq a.usa-button").click()
    visitor.sees("What will happen")
    for store in CONCERNED:
        assert store in visitor.text
    examine(visitor, "opt-out")
    visitor.press("Take me out")
    visitor.sees("You are out of CancerLinQ")
    examine(visitor, "status")


def wait_until_confirmed(visitor: Visitor, store: str) -> None:
    """Press "Check again" until this store's row says that it confirmed."""
    visitor.until(f"{store} confirms", lambda: shape_of(visitor, store) == "done")


def shape_of(visitor: Visitor, store: str) -> str:
    """The shape beside a store on a status page: done, told, waiting, late or none."""
    return row_of(visitor, store).get_attribute("class") or ""


def row_of(visitor: Visitor, store: str) -> Locator:
    """A store's row on a status page."""
    return visitor.page.locator("ol.stores > li", has=visitor.page.get_by_role("heading", name=store))


def subjects_of(visitor: Visitor, demo: RunningDemo, store: str) -> dict[str, str]:
    """What the store's own page says it holds: the whole row by record number or subject code."""
    visitor.open(demo.store(store))
    rows = visitor.page.locator("tr[data-subject]").all()
    return {row.get_attribute("data-subject") or "": row.inner_text() for row in rows}


def held_after_feed(visitor: Visitor, demo: RunningDemo, store: str, subject: str) -> bool:
    """Whether a store holds somebody once it has run its feed, which it then was allowed to."""
    if subject not in subjects_of(visitor, demo, store):
        visitor.page.get_by_role("button", name="Run tonight's feed now").click()
    return subject in subjects_of(visitor, demo, store)


def wait_until_held(visitor: Visitor, demo: RunningDemo, store: str, subject: str) -> None:
    """A store's feed runs by itself after some time; its own page has a button that runs it at once."""
    assert held_after_feed(visitor, demo, store, subject), f"{store} does not hold {subject}"


def add_number(visitor: Visitor, phone: Visitor, demo: RunningDemo, number: str, examine: Examiner) -> None:
    """Give a number, read the code on the phone, confirm it."""
    visitor.follow("My choices")
    visitor.follow("Text messages")
    examine(visitor, "texts-number")
    visitor.fill("Mobile number", number)
    visitor.press("Text me a code")
    visitor.sees("Enter the code")
    examine(visitor, "texts-code")
    phone.until("the code is on the phone", lambda: bool(code_on(phone, demo, number)), again="Look again")
    visitor.fill("Code", code_on(phone, demo, number))
    visitor.tick("#agree")
    visitor.press("Confirm my number")
    visitor.sees("Texts are on. We are sending you one now, so that you know our number.")
    examine(visitor, "texts")
    visitor.follow("What we tell you, and how")
    examine(visitor, "topics")
    visitor.follow("Language, hours and a pause")
    examine(visitor, "message-times")
    visitor.follow("What we tell you, and how")
    visitor.follow("Text messages")


def set_reminder(visitor: Visitor, examine: Examiner) -> date:
    """From the page of texts: remind me in two days; returns that day."""
    day = datetime.now(UTC).date() + timedelta(days=2)
    visitor.fill("Remind me to finish my choices on", day.isoformat())
    visitor.press("Remind me")
    visitor.sees("We will remind you.")
    examine(visitor, "texts-reminder")
    return day


def on_a_later_day(demo: RunningDemo, day: date) -> None:
    """What a worker does with reminders late in the morning of `day`, wherever in the country people are."""
    parts = wiring_of_worker(demo)
    moment = datetime.combine(day, time(20), tzinfo=UTC)  # ten in Honolulu, three in New York
    release_reminders(texting_of(parts), moment)
    send_due(texting_of(parts), channel_of(parts), moment)
    parts.database.close()


def texts_on(phone: Visitor, demo: RunningDemo, number: str) -> list[str]:
    """The texts that a phone got, oldest first."""
    phone.open(demo.phone)
    digits = re.sub(r"\D", "", number)
    return phone.page.locator(f"[id$='{digits}'] li.got .words").all_inner_texts()


def code_on(phone: Visitor, demo: RunningDemo, number: str) -> str:
    codes = [found[0] for text in texts_on(phone, demo, number) if (found := re.search(r"\b\d{6}\b", text))]
    return codes[-1] if codes else ""
