"""Arabic: pages read from right to left, with the same examination as every other, and nothing on top of another."""

from __future__ import annotations

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit, Visitor
from tests.support.pdf import Pdf
from tests.support.running_demo import RunningDemo

# One page of each family: shell and lists, forms, tables and charts, long texts; `*` is opened by a link of the page.
PAGES = (
    "faq", "choices", "choices/cancerlinq", "choices/efforts/living-well", "activity", "notifications", "news",
    "connection",
    "record/download", "record/share", "record/mine", "record/added", "access/new", "get-your-record", "account/close",
)  # fmt: skip
# Words of different elements must not share room: two boxes of text that overlap by more than a hair.
ON_TOP = """() => {
  const boxes = [], walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, within = node.parentElement;
    if (!node.nodeValue.trim() || within.closest(".hidden, svg") || !within.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 2) boxes.push([node.nodeValue.trim(), box]);
  }
  const found = [];
  boxes.forEach(([words, one], at) => boxes.slice(at + 1).forEach(([others, two]) => {
    const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
    const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
    if (across > 3 && down > Math.min(one.height, two.height) / 2) found.push(`${words} / ${others}`.slice(0, 120));
  }));
  return found.slice(0, 3);
}"""


def test_arabic_pages(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """LANG-03: dir=rtl, axe 0, nothing scrolls sideways at 320 px or stands on other words; in a picture too the newest
    is where reading ends, and a paper is Arabic; what is in English stays readable."""
    layla = visit(running_demo.url, language="ar", width=320)
    steps.sign_in(layla, "Lakeside", "Layla Mansour", examine)
    steps.wait_for_record(layla, examine)
    _looks(layla)
    for page in PAGES:
        layla.open(f"/{page}")
        examine(layla, page.replace("/", "-"))
        _looks(layla)
    layla.open("/record/kind/test-results")
    examine(layla, "kind")
    _looks(layla)
    layla.open("/record/kind/test-results/find?q=718-7")
    examine(layla, "found")
    _looks(layla)
    layla.page.locator("main ul.entries > li a").first.click()
    layla.follow("All values over time")
    examine(layla, "course")
    assert layla.page.locator("figure.chart svg[role=img]").count() == 1
    ends = layla.page.locator("figure.chart .dates span")
    newest, oldest = (end.bounding_box() for end in (ends.first, ends.last))
    assert newest is not None
    assert oldest is not None
    assert newest["x"] < oldest["x"]
    _a_paper(layla)
    layla.press("Sign out")


def _looks(visitor: Visitor) -> None:
    page = visitor.page
    if page.locator("html").get_attribute("dir") != "rtl":
        visitor.note(f"{page.url}: not from right to left")
    for each in page.evaluate(ON_TOP):
        visitor.note(f"{page.url}: words on top of words: {each}")


def _a_paper(visitor: Visitor) -> None:
    visitor.open("/record/appointment")
    with visitor.page.expect_download() as download:
        visitor.press("Save the two pages")
    paper = Pdf(download.value.path().read_bytes())
    assert (paper.language, paper.is_tagged, paper.says_ua_1) == ("ar", True, True)
