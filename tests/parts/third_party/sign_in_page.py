"""What a person does at the third-party hospital: open the page, choose who they are, press a button."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests


class SignInPage(HTMLParser):
    """The page's one form: where it goes and the values that each name offers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action = ""
        self.offered: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        elif "name" in given and tag != "meta":
            self.offered.setdefault(given["name"], []).append(given["value"])


def answer(url: str, redirect_uri: str, *, patient: str, button: str = "allow") -> dict[str, str]:
    """Follow the authorization address `url` through the page, back to the app: the callback's parameters."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=20)
        assert page.status_code == 200, page.text
        form = SignInPage(page.text)
        assert patient in form.offered["patient"]
        assert button in form.offered["answer"]
        said = {"patient": patient, "answer": button}
        step = browser.post(urljoin(page.url, form.action), data=said, allow_redirects=False, timeout=20)
        while step.is_redirect:
            place = urljoin(step.url, step.headers["Location"])
            if place.startswith(redirect_uri):
                return dict(parse_qsl(urlsplit(place).query))
            step = browser.get(place, allow_redirects=False, timeout=20)
    raise AssertionError(f"no way back to the app: {step.status_code} {step.text}")
