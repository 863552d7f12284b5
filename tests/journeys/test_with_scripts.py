"""With scripts the same pages keep themselves current: nobody has to press "Check again"."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import PATIENCE, Visit
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
    samuel.press("Sign out")
