"""Arabic: pages read from right to left, with the same examination as every other."""

from __future__ import annotations

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit
from tests.support.running_demo import RunningDemo


def test_arabic_pages(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """LANG-03: dir=rtl, axe 0, nothing scrolls sideways at 320 px; what is in English stays readable."""
    layla = visit(running_demo.url, language="ar", width=320)
    steps.sign_in(layla, "Lakeside", "Layla Mansour", examine)
    steps.wait_for_record(layla, examine)
    for page in ("faq", "choices", "choices/cancerlinq", "choices/efforts/living-well", "activity", "notifications"):
        layla.open(f"/{page}")
        examine(layla, page.replace("/", "-"))
    layla.press("Sign out")
