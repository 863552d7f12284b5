"""A browser without scripts on one device of a person: signs in at the real hospital, keeps its cookie and form token.

It speaks HTTP by the standard library over one kept connection, so that a storm's time goes to the portal.
"""

from __future__ import annotations

import http.client
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

TIMEOUT_SECONDS = 20.0
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.1
SIGN_INS = 4
MOVES_AFTER = 20  # under the 30 a minute that one address may decide (SEC-09)
OUTSIDE_SECONDS = 60


class GaveUp(Exception):
    """The portal stayed away longer than the safety bound."""


@dataclass(frozen=True)
class Page:
    """What came back. `location` is "" when it leads nowhere."""

    status: int
    location: str
    text: str


class Line:
    """One connection to the portal at a time, kept open, each from an address of this machine's own network
    (127.N.0.0/16): the limits per address (SEC-09), which count everybody on this machine as one, do not answer
    instead of the service. `statuses` counts what came back."""

    def __init__(self, web: str, number: int) -> None:
        where = urlsplit(web)
        self._host, self._port = where.hostname or "", where.port
        self._number, self._moves, self._asked = number, 0, 0
        self._connection: http.client.HTTPConnection | None = None
        self.statuses: Counter[str] = Counter()

    def ask(self, method: str, path: str, form: dict[str, Any] | None, cookie: str) -> tuple[Page, str] | None:
        """One try: the page and a new cookie ("" for none); None when there was no answer or it says "later"."""
        body = urlencode(form, doseq=True) if form is not None else None
        headers = {"accept-language": "en", "host": f"{self._host}:{self._port}"}
        if cookie:
            headers["cookie"] = cookie
        if body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection = self._connected()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self.close()
            self.statuses["no-answer"] += 1
            return None
        self.statuses[str(answer.status)] += 1
        if answer.status == 429:
            self.close()
        if answer.status == 429 or answer.status >= 500:
            return None
        set_cookie = answer.getheader("set-cookie", "").partition(";")[0]
        return Page(answer.status, answer.getheader("location", ""), text), set_cookie

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        """The kept connection; a new one from another address after a while."""
        self._asked += 1
        if self._connection is None or self._asked > MOVES_AFTER:
            self.close()
            self._moves, self._asked = self._moves + 1, 0
            high, low = divmod(self._moves, 250)
            address = f"127.{20 + self._number}.{high % 250}.{low + 1}"
            self._connection = http.client.HTTPConnection(
                self._host, self._port, timeout=TIMEOUT_SECONDS, source_address=(address, 0)
            )
        return self._connection


@dataclass
class Browser:
    """One device: its cookie and the token of its forms. Several share a `line`, one after the other."""

    line: Line
    cookie: str = ""
    csrf: str = field(default="", repr=False)

    def once(self, method: str, path: str, form: dict[str, Any] | None = None) -> Page | None:
        """One try; None when the connection failed or the answer says "later" (429, 5xx)."""
        answered = self.line.ask(method, path, form, self.cookie)
        if answered is None:
            return None
        page, cookie = answered
        self.cookie = cookie or self.cookie
        return page

    def until_answered(self, method: str, path: str, form: dict[str, Any] | None = None) -> Page:
        """Try until there is an answer, as a person does who presses the button again."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.once(method, path, form)) is None:
            if time.monotonic() > end:
                raise GaveUp(path.partition("?")[0])
            time.sleep(PAUSE_SECONDS)
        return answer

    def page(self, path: str) -> str:
        """The text of a page; the token of its forms is kept."""
        text = self.until_answered("GET", path).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', text)
        self.csrf = found.group(1) if found else self.csrf
        return text

    def sign_in(self, hospital: str, patient: str) -> None:
        """Through the hospital's own screens, sharing everything. Who was answered too late begins anew, as the page
        says: what a sign-in brings back counts once."""
        statuses: list[int] = []
        while not statuses or (statuses[-1] == 400 and len(statuses) < SIGN_INS):
            statuses.append(self._signed_in(hospital, patient))
        assert statuses[-1] == 303, f"sign-in answered {statuses}"

    def _signed_in(self, hospital: str, patient: str) -> int:
        self.page(f"/sign-in/{hospital}")
        form = {"csrf_token": self.csrf, "offline": "yes"}
        where = urlsplit(self.until_answered("POST", f"/sign-in/{hospital}", form).location)
        login = {"login": f"Patient/{patient}"}
        oauth = f"{where.scheme}://{where.netloc}/oauth"
        asked = requests.post(f"{oauth}/consent?{where.query}", login, timeout=OUTSIDE_SECONDS)
        groups = re.findall(r'name="group" value="([^"]+)"', asked.text)
        decided = {**login, "decision": "allow", "group": groups, "offline": "yes"}
        back = requests.post(f"{oauth}/decision?{where.query}", decided, allow_redirects=False, timeout=OUTSIDE_SECONDS)
        arrives = urlsplit(back.headers["Location"])
        return self.until_answered("GET", f"{arrives.path}?{arrives.query}").status


def hidden(page: str, name: str) -> str:
    """The value of a form's hidden field."""
    found = re.search(f'name="{name}" value="([^"]+)"', page)
    assert found, f"no field {name} on this page"
    return found.group(1)
