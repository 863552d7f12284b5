"""A browser without scripts on one device of one person: signs in at the real hospital, keeps its cookies."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

TIMEOUT = (3.05, 20)
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.3


class GaveUp(Exception):
    """The portal stayed away longer than the safety bound."""


class _FromAddress(HTTPAdapter):
    """Connections from one address of this machine's own network."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)


@dataclass
class Browser:
    """One device. `number` gives it a network of its own (127.N.0.0/16), so that the limits per address (SEC-09),
    which count everybody on this machine as one, do not answer instead of the service."""

    web: str
    number: int
    statuses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._moves = 0
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["accept-language"] = "en"
        self.move()

    def move(self) -> None:
        """Come from another address from now on."""
        self._moves += 1
        high, low = divmod(self._moves, 250)
        self._session.mount("http://", _FromAddress(f"127.{20 + self.number}.{high % 250}.{low + 1}"))

    def once(self, method: str, path: str, form: dict[str, Any] | None = None) -> requests.Response | None:
        """One try; None when the connection failed or the answer says "later" (429, 5xx)."""
        url = path if path.startswith("http") else self.web + path
        try:
            answer = self._session.request(method, url, data=form, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException:
            self._count("no-answer")
            return None
        self._count(str(answer.status_code))
        if answer.status_code == 429:
            self.move()
        return None if answer.status_code == 429 or answer.status_code >= 500 else answer

    def until_answered(self, method: str, path: str, form: dict[str, Any] | None = None) -> requests.Response:
        """Try until there is an answer, as a person does who presses the button again."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.once(method, path, form)) is None:
            if time.monotonic() > end:
                raise GaveUp(path)
            time.sleep(PAUSE_SECONDS)
        return answer

    def page(self, path: str) -> str:
        return self.until_answered("GET", path).text

    def sign_in(self, hospital: str, patient: str) -> None:
        """Through the hospital's own screens, sharing everything."""
        token = hidden(self.page(f"/sign-in/{hospital}"), "csrf_token")
        form = {"csrf_token": token, "offline": "yes"}
        sent = self.until_answered("POST", f"/sign-in/{hospital}", form)
        where = urlsplit(sent.headers["Location"])
        login = {"login": f"Patient/{patient}"}
        oauth = f"{where.scheme}://{where.netloc}/oauth"
        asked = requests.post(f"{oauth}/consent?{where.query}", login, timeout=30)
        groups = re.findall(r'name="group" value="([^"]+)"', asked.text)
        decided = {**login, "decision": "allow", "group": groups, "offline": "yes"}
        back = requests.post(f"{oauth}/decision?{where.query}", decided, allow_redirects=False, timeout=30)
        landed = self.until_answered("GET", back.headers["Location"])
        assert landed.status_code == 303, f"sign-in answered {landed.status_code}"

    def _count(self, what: str) -> None:
        self.statuses[what] = self.statuses.get(what, 0) + 1


def hidden(page: str, name: str, after: str = "") -> str:
    """The value of a form's hidden field, the first one behind the words `after`."""
    found = re.search(f'name="{name}" value="([^"]+)"', page[page.find(after) if after else 0 :])
    assert found, f"no field {name} on this page"
    return found.group(1)
