"""With scripts the same pages keep themselves current: nobody has to press "Check again"."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import PATIENCE, Visit, Visitor
from tests.support.running_demo import RunningDemo

LONG = PATIENCE * 1000
# Stores answer within a fraction of a second, some before the page is made: it shall stand as it was before that.
COMES_EARLY = """addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("#current .stores").forEach(list => list.replaceChildren());
})"""
LISTENS = """addEventListener("DOMContentLoaded", () => {
  const status = document.getElementById("said");
  window.said = [];
  new MutationObserver(() => window.said.push(status.textContent)).observe(status, {childList: true});
})"""


def test_pages_keep_themselves_current(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """A11Y-01: the record fills and stores confirm without a reload, and it is said aloud (4.1.3)."""
    samuel = visit(running_demo.url, scripts=True)
    steps.sign_in(samuel, "Lakeside", "Samuel Osei", examine)
    samuel.page.evaluate("window.stays = true")
    expect(samuel.page.locator("#progress [data-waiting='1']")).to_have_count(0, timeout=LONG)
    assert samuel.page.evaluate("window.stays"), "the page was loaded again"
    samuel.open("/record")
    samuel.page.add_init_script(COMES_EARLY)
    samuel.page.add_init_script(LISTENS)
    steps.opt_out(samuel, examine)
    samuel.page.evaluate("window.stays = true")
    confirmed = samuel.page.locator(
        "ol.stores > li.done", has=samuel.page.get_by_role("heading", name="CancerLinQ platform")
    )
    expect(confirmed).to_have_count(1, timeout=LONG)
    said = samuel.page.evaluate("window.said")
    assert any("CancerLinQ platform (sandbox) confirmed" in each for each in said), said
    assert samuel.page.evaluate("window.stays"), "the page was loaded again"
    _more_time(samuel, examine)
    samuel.press("Sign out")


def _more_time(visitor: Visitor, examine: Examiner) -> None:
    """SEC-02, A11Y-01 (2.2.1): asked two minutes before the end, by keyboard one press goes on, and what was typed is
    there; left alone, the page shows nothing of a record any more."""
    page, box = visitor.page, visitor.page.locator("#stay")
    page.clock.install()
    visitor.open("/record/mine")
    visitor.fill("In your own words", "Half a sentence")
    page.clock.run_for("13:00")
    expect(box).to_be_visible(timeout=LONG)
    examine(visitor, "still-there")
    page.keyboard.press("Enter")
    expect(box).to_be_hidden(timeout=LONG)
    expect(page.locator("#words")).to_have_value("Half a sentence")
    page.clock.run_for("15:00")
    expect(page.locator("main form")).to_have_count(0, timeout=LONG)
    page.clock.resume()
    visitor.open("/record/mine")
