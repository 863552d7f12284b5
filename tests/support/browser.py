"""One person's browser: the installed Chromium, a language, a width, with or without scripts.

A visitor speaks the page's own words: `press("Sign in")` presses the button that says so in the visitor's language,
by the shipped catalog. What no page may do is noted as it happens (`Visitor.wrong`): errors on the console, a request
to the outside, a file that does not come.
"""

from __future__ import annotations

import gettext
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright, Request, Response

from tests.support.browser_install import system_browser

TRANSLATIONS = Path(__file__).resolve().parents[2] / "patient_portal" / "translations"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 60_000  # one page of a busy machine
PATIENCE = 180.0  # seconds, for what is done in the background
OURS = {"localhost", "127.0.0.1"}


@dataclass
class Visitor:
    """A page in a context of its own. `portal` is the address of the portal, without a slash at its end."""

    portal: str
    language: str
    page: Page
    wrong: list[str] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)

    def say(self, words: str, **values: object) -> str:
        """The English words in this visitor's language."""
        told = catalog(self.language).gettext(words)
        return told % values if values else told

    def open(self, path: str) -> None:
        """Type an address: a path of the portal, or a whole URL."""
        self.page.goto(path if path.startswith("http") else self.portal + path)

    def link(self, words: str, **values: object) -> Locator:
        return self.page.get_by_role("link", name=self.say(words, **values), exact=True)

    def button(self, words: str, **values: object) -> Locator:
        return self.page.get_by_role("button", name=self.say(words, **values), exact=True)

    def follow(self, words: str, **values: object) -> None:
        """Click the first link that says so; on a narrow page the ways on are folded under "Menu"."""
        found, menu = self.link(words, **values), self.page.locator("header summary")
        if not found.count() and menu.count() and menu.is_visible():
            menu.click()
        found.first.click()

    def press(self, words: str, **values: object) -> None:
        """Press the first button that says so."""
        self.button(words, **values).first.click()

    def fill(self, label: str, value: str) -> None:
        self.page.get_by_label(self.say(label)).first.fill(value)

    def tick(self, selector: str) -> None:
        """Tick a box or choose a radio, by pressing its label: that is what a hand meets."""
        box = self.page.locator(selector)
        self.page.locator(f"label[for='{box.get_attribute('id')}']").click()
        assert box.is_checked()

    def sees(self, words: str, **values: object) -> None:
        """Fail unless the page shows these words."""
        self.shows(self.say(words, **values))

    def shows(self, text: str) -> None:
        """As `sees`, for words that are no message of ours."""
        told = self.page.get_by_text(text).first
        told.wait_for(state="visible")

    @property
    def html(self) -> str:
        """The page as it stands, once it is whole: a click waits only until the next page begins to come."""
        self.page.wait_for_load_state()
        return self.page.content()

    @property
    def text(self) -> str:
        """Everything that the main part shows, once it is whole."""
        self.page.wait_for_load_state()
        return self.page.locator("main").inner_text()

    def until(self, what: str, seen: Callable[[], bool], again: str = "Check again") -> None:
        """Press the link `again` until the page, once it is whole, shows it: how one waits without scripts."""
        end = time.monotonic() + PATIENCE
        self.page.wait_for_load_state()
        while not seen():
            assert time.monotonic() < end, f"not within {PATIENCE:.0f} seconds: {what}\n{self.text}"
            self.page.wait_for_timeout(150)
            if self.link(again).count():
                self.follow(again)
            else:
                self.page.reload()
            self.page.wait_for_load_state()

    def note(self, problem: str) -> None:
        if problem not in self.wrong:
            self.wrong.append(problem)


def catalog(language: str) -> gettext.NullTranslations:
    """The shipped catalog; English is what the pages are written in."""
    return gettext.translation("messages", str(TRANSLATIONS), [language], fallback=language == "en")


Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The installed browser, one process for the run."""
    browser = playwright.chromium.launch(executable_path=system_browser(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Make visitors: `visit(portal_url, language="es", width=320, scripts=False)`.

    At the end of the test nothing may have gone wrong in any of their browsers.
    """
    made: list[tuple[BrowserContext, Visitor]] = []

    def begin(portal: str, *, language: str = "en", width: int = 1180, scripts: bool = False) -> Visitor:
        context = chromium.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            locale={"en": "en-US"}.get(language, language),
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        visitor = Visitor(portal, language, page)
        _listen(context, visitor)
        made.append((context, visitor))
        return visitor

    yield begin
    wrong = [problem for _, visitor in made for problem in visitor.wrong]
    for context, _ in made:
        context.close()
    assert not wrong, "\n".join(wrong)


def _listen(context: BrowserContext, visitor: Visitor) -> None:
    page, portal = visitor.page, visitor.portal

    def said(message: ConsoleMessage) -> None:
        # A page that answers 404 or 422 on purpose is reported as a failed load too; files are checked below.
        if message.type == "error" and page.url.startswith(portal) and "Failed to load resource" not in message.text:
            visitor.note(f"console of {urlsplit(page.url).path}: {message.text}")

    def asked(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.hostname not in OURS:
            visitor.note(f"asked the outside: {request.url}")
        if page.url.startswith(portal) and not request.is_navigation_request() and not request.url.startswith(portal):
            visitor.note(f"a page of the portal asked {request.url}")

    def answered(response: Response) -> None:
        if response.url.startswith(portal) and response.status >= 400 and response.request.resource_type != "document":
            visitor.note(f"{response.status} for {response.url}")
        if response.status >= 500:
            visitor.note(f"{response.status} for {response.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: visitor.note(f"script error: {error}"))
    page.on("request", asked)
    page.on("response", answered)
    _weigh(context, visitor)


def _weigh(context: BrowserContext, visitor: Visitor) -> None:
    """Note how many bytes came over the wire for each address; what the browser had already keeps its first weight."""
    wire = context.new_cdp_session(visitor.page)
    addresses: dict[str, str] = {}

    def answered(event: dict[str, Any]) -> None:
        if not event["response"].get("fromDiskCache"):
            addresses[event["requestId"]] = event["response"]["url"]

    def finished(event: dict[str, Any]) -> None:
        address = addresses.pop(event["requestId"], None)
        if address is not None:
            visitor.weights[address] = int(event["encodedDataLength"])

    wire.on("Network.responseReceived", answered)
    wire.on("Network.loadingFinished", finished)
    wire.send("Network.enable")


def without_tokens(html: str) -> str:
    """A page without what differs at each visit."""
    return re.sub(r'(name="(?:csrf_token|form)" value=")[^"]*', r"\1", html)
