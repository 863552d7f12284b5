"""What every page must be, in each state, wide and on a narrow phone: axe, reflow, weight, words in one language.

The page is shown again in a second browser page that has scripts (axe is one), with the very same HTML and our own
style sheets; so pages are examined as they look without scripts, and the visitor is not disturbed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, Route

from tests.journeys.words import not_translated
from tests.support.browser import PATIENCE_MS, Visitor, without_tokens

WIDE, NARROW = 1180, 320
MOST_BYTES, MOST_HTML = 150_000, 100_000
VIOLATIONS = "rules => axe.run(rules).then(found => found.violations)"
RULES = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
# Text of the page itself: not what a hospital or a store wrote, and not what is marked as another language.
OWN_WORDS = """() => {
  const found = [], root = document.documentElement.lang;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, within = node.parentElement;
    if (!node.nodeValue.trim() || within.closest("bdi,pre,code,q,.narrative,.said,script,style,option")) continue;
    if (within.closest("[lang]").lang !== root) continue;
    found.push(node.nodeValue.replace(/\\s+/g, " ").trim());
  }
  return found;
}"""
# The head leaves the phone to the page; signing out needs no menu (SEC-01).
HEAD = """() => {
  const head = document.querySelector("header.top"), out = head.querySelector("form button"), wrong = [];
  if (head.getBoundingClientRect().height > 120) wrong.push("at most 120 px tall");
  if (out && !out.checkVisibility()) wrong.push("the way out is in sight");
  return wrong;
}"""
WIDER_THAN_PAGE = """() => [...document.querySelectorAll("body *")].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 1 || box.left < -1) && getComputedStyle(one).position !== "absolute";
}).slice(0, 3).map(one => one.outerHTML.slice(0, 120))"""


class Examiner:
    """Looks at pages. `examine(visitor, name)` notes everything that is wrong with the page as it stands; the visitor's
    fixture fails with the whole list at the end of the journey.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._html = ""
        self._seen: set[str] = set()
        self._pictures = Path(folder) if (folder := os.environ.get("PORTAL_SCREENSHOTS")) else None
        page.add_init_script(AXE_SCRIPT)  # the browser keeps its half megabyte: it is not sent again for each page
        page.route("**/*", self._answer)

    def __call__(self, visitor: Visitor, name: str) -> None:
        """Examine the page before `visitor`; `name` is for messages and pictures."""
        html = visitor.html
        wrong = self._weight(visitor, html)
        key = without_tokens(html)
        if key not in self._seen:
            self._seen.add(key)
            self._html = html
            self._page.goto(visitor.page.url)
            wrong += self._frame(visitor) + self._language(visitor)
            for width in (WIDE, NARROW):
                wrong += self._at(width, visitor, name)
        for problem in wrong:
            visitor.note(f"{name} ({urlsplit(visitor.page.url).path}, {visitor.language}): {problem}")

    def _answer(self, route: Route) -> None:
        request = route.request
        if request.is_navigation_request():
            route.fulfill(body=self._html, content_type="text/html; charset=utf-8")
        elif request.resource_type == "script":
            route.abort()
        else:
            route.continue_()

    def _at(self, width: int, visitor: Visitor, name: str) -> list[str]:
        page = self._page
        page.set_viewport_size({"width": width, "height": 900})
        wrong = []
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"at {width} px it scrolls sideways: {page.evaluate(WIDER_THAN_PAGE)}")
        if width == NARROW:
            wrong += [f"at {width} px the head is not so: {each}" for each in page.evaluate(HEAD)]
        for found in page.evaluate(VIOLATIONS, RULES):
            wrong.append(f"at {width} px axe {found['id']}: {found['help']}: {_places(found['nodes'])}")
        if self._pictures:
            self._pictures.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self._pictures / f"{visitor.language}-{width}-{name}.png", full_page=True)
        return wrong

    def _frame(self, visitor: Visitor) -> list[str]:
        """Language and direction, one heading of the first order, a skip link as the first thing to reach."""
        page = self._page
        right_to_left = visitor.language == "ar"
        rules = {
            "html lang": page.locator("html").get_attribute("lang") == visitor.language,
            "html dir": page.locator("html").get_attribute("dir") == ("rtl" if right_to_left else "ltr"),
            "one h1": page.locator("h1").count() == 1,
            "the skip link leads to the main part": page.locator("a").first.get_attribute("href") == "#main"
            and page.locator("main#main").count() == 1,
            "a help line in the footer": page.locator("footer a[href^='tel:']").count() == 1,
        }
        return [f"not so: {rule}" for rule, holds in rules.items() if not holds]

    def _language(self, visitor: Visitor) -> list[str]:
        if visitor.language == "en":
            return []
        texts = [self._page.title(), *self._page.evaluate(OWN_WORDS)]
        return [f"not in {visitor.language}: {text}" for text in not_translated(texts, visitor.language)]

    @staticmethod
    def _weight(visitor: Visitor, html: str) -> list[str]:
        """HTML, style sheets and scripts as they came over the wire."""
        address = visitor.page.url.partition("#")[0]
        files = re.findall(r'<(?:link rel="stylesheet" href|script defer="" src|script defer src)="([^"]+)"', html)
        page = visitor.weights.get(address)
        if page is None:
            return []  # the answer to a form: Chromium names it by the address before the redirect
        whole = page + sum(visitor.weights.get(urljoin(address, each), 0) for each in files)
        wrong = [] if whole <= MOST_BYTES else [f"{whole} bytes transferred"]
        return wrong + ([] if len(html.encode()) <= MOST_HTML else [f"{len(html.encode())} bytes of HTML"])


def _places(nodes: list[dict[str, str]]) -> str:
    return "; ".join(f"{one['html'][:160]} ({' '.join(one['failureSummary'].split())})" for one in nodes[:3])


@pytest.fixture(scope="session")
def examine(chromium: Browser) -> Iterator[Examiner]:
    """The examiner of the run: `examine(visitor, "home")`."""
    context = chromium.new_context(viewport={"width": WIDE, "height": 900}, bypass_csp=True)
    context.set_default_timeout(PATIENCE_MS)
    yield Examiner(context.new_page())
    context.close()
