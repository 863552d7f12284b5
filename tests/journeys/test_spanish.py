"""The main path in Spanish on a narrow phone without scripts: every word is Spanish, nothing scrolls sideways."""

from __future__ import annotations

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit
from tests.support.running_demo import RunningDemo

NUMBER = "414 555 0122"


def test_patient_in_spanish_at_320_px(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """LANG-03: the same path as in English, at the other hospital; the texts are Spanish too."""
    demo = running_demo
    carmen, outside = visit(demo.url, language="es", width=320), visit(demo.url)
    steps.sign_in(carmen, "Lakeside", "Carmen Ruiz", examine)
    steps.wait_for_record(carmen, examine)
    steps.read_an_entry(carmen, examine)
    carmen.follow("My record")
    carmen.follow("What could not be brought in, and why")
    examine(carmen, "record-progress")
    steps.read_questions(carmen, "salir", examine)
    steps.donate(carmen, "living-well", "Carmen Ruiz", examine)
    steps.wait_until_confirmed(carmen, "Living Well")
    carmen.follow("The form you signed")
    examine(carmen, "signed")
    steps.leave_out_companies(carmen, examine)
    steps.add_number(carmen, outside, demo, NUMBER, examine)
    steps.opt_out(carmen, examine)
    steps.wait_until_confirmed(carmen, "CancerLinQ platform")
    examine(carmen, "status-platform")
    outside.until(
        "the Spanish text that confirms it",
        lambda: any("Hay una novedad" in text for text in steps.texts_on(outside, demo, NUMBER)),
        again="Look again",
    )
    steps.ask_by_letter(carmen, examine)
    carmen.follow("Who used my data")
    examine(carmen, "activity")
    steps.see_who_used(carmen, examine)
    carmen.follow("My choices")
    carmen.follow("My hospital connection and my sign-ins")
    examine(carmen, "connection")
    carmen.press("Sign out")
    examine(carmen, "signed-out")


def test_public_pages(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """A11Y-01: pages for everyone, in each shipped language."""
    for language in ("en", "es"):
        visitor = visit(running_demo.url, language=language, width=320)
        for page in (
            "privacy",
            "help",
            "accessibility",
            "without-account",
            "record/nothing",
            "stores",
            "operator",
            "get-your-record",
            "get-your-record/letter",
        ):
            visitor.open(f"/{page}?lang={language}")
            examine(visitor, page.replace("/", "-"))
