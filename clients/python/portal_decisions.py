"""Ask the portal whether people's data may be used. One file, standard library only, Python 3.9 or later.

    client = Decisions("https://portal.example", token=lambda: access_token)
    answer = client.ask("living-well", "clinical", "research", "3f2c…")
    for name in client.allowed("living-well", "clinical", "research", names):
        ...

Whatever goes wrong raises NotAnswered: without an answer the answer is no. `token` gives the access token of your
client (SMART Backend Services, `private_key_jwt`); it is asked before each request.
"""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Decisions", "NotAnswered", "Use"]
BATCH = 1_000_000


class NotAnswered(Exception):
    """No answer that can be relied on: treat every name as not allowed, and ask again later."""


@dataclass(frozen=True)
class Answer:
    """Whether, why, and as of which place in the portal's ledger."""

    id: str
    allowed: bool
    reason: str
    position: int
    blocked_by: tuple[str, ...] = ()
    """With `use-not-stated`, for one name: the terms of what the effort told people that the use does not keep."""


@dataclass(frozen=True)
class Use:
    """What research is for, in the terms of the Data Use Ontology; it goes where a purpose goes.

    `Use("DUO:0000007", disease="MONDO:0004992", modifiers=("DUO:0000046", "DUO:0000022=US"))`. What is left out counts
    against the use: a use that does not say it is non-commercial is taken for a commercial one.
    """

    purpose: str
    disease: str = ""
    modifiers: Sequence[str] = ()


class Decisions:
    """One portal, asked by one client."""

    def __init__(self, base_url: str, token: Callable[[], str], timeout_seconds: float = 60.0) -> None:
        if not base_url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ValueError("the portal's address must be https")
        self._base, self._token, self._timeout = base_url.rstrip("/"), token, timeout_seconds

    def ask(
        self,
        store: str,
        data_class: str,
        purpose: str | Use,
        name: str,
        sensitive: Sequence[str] = (),
    ) -> Answer:
        """May this person's data be used? `name` is the one by which the store knows them."""
        asked = {"store": store, "class": data_class, "id": name, "sensitive": list(sensitive), **_said(purpose)}
        with self._post("/decide", json.dumps(asked).encode(), "application/json", "application/json") as found:
            answer = _answer(found.read())
        if answer.id != name:
            raise NotAnswered("the answer is about another name")
        return answer

    def ask_many(
        self, store: str, data_class: str, purpose: str | Use, names: Iterable[str], sensitive: Sequence[str] = ()
    ) -> Iterator[Answer]:
        """An answer for each name, in order; a million names a request. Ends with NotAnswered when one is missing."""
        asked = {"store": store, "class": data_class, "sensitive": list(sensitive), **_said(purpose)}
        words = {key: value if isinstance(value, str) else ",".join(value) for key, value in asked.items()}
        path = "/decide/batch?" + urllib.parse.urlencode(words)
        for run in _runs(names):
            body = gzip.compress("".join(json.dumps(name) + "\n" for name in run).encode(), compresslevel=1)
            with self._post(path, body, "application/x-ndjson", "application/x-ndjson", packed=True) as found:
                yield from _in_order(run, found)

    def allowed(
        self, store: str, data_class: str, purpose: str | Use, names: Iterable[str], sensitive: Sequence[str] = ()
    ) -> Iterator[str]:
        """Only the names whose data may be used."""
        return (each.id for each in self.ask_many(store, data_class, purpose, names, sensitive) if each.allowed)

    def _post(self, path: str, body: bytes, sent: str, wanted: str, *, packed: bool = False) -> Any:
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": sent, "Accept": wanted}
        if packed:
            headers["Content-Encoding"] = "gzip"
        request = urllib.request.Request(self._base + path, body, headers, method="POST")  # noqa: S310 - https, above
        try:
            return urllib.request.build_opener(_NoRedirect).open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            raise NotAnswered(f"the portal said {error.code}") from None
        except OSError as error:
            raise NotAnswered("the portal did not answer") from error


def _said(purpose: str | Use) -> dict[str, str | list[str]]:
    if isinstance(purpose, str):
        return {"purpose": purpose}
    if any("," in each for each in purpose.modifiers):
        raise ValueError("a modifier with a comma")
    return {"purpose": purpose.purpose, "disease": purpose.disease, "modifiers": list(purpose.modifiers)}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token elsewhere."""

    def redirect_request(self, *_: object) -> None:
        return None


def _runs(names: Iterable[str]) -> Iterator[list[str]]:
    run: list[str] = []
    for name in names:
        if not name.strip():
            raise ValueError("an empty name")
        run.append(name)
        if len(run) == BATCH:
            yield run
            run = []
    if run:
        yield run


def _in_order(run: Sequence[str], lines: Iterable[bytes]) -> Iterator[Answer]:
    count = 0
    try:
        for count, line in enumerate(lines, start=1):
            answer = _answer(line)
            if count > len(run) or answer.id != run[count - 1]:
                raise NotAnswered("the answers do not match the names")
            yield answer
    except OSError as error:
        raise NotAnswered("the answer ended early") from error
    if count != len(run):
        raise NotAnswered("the answer ended early")


def _answer(line: bytes) -> Answer:
    try:
        found = json.loads(line)
        answer = Answer(
            found["id"], found["allowed"], found["reason"], found["position"], tuple(found.get("blocked_by", ()))
        )
    except (ValueError, KeyError, TypeError):
        raise NotAnswered("the answer cannot be read") from None
    if not isinstance(answer.allowed, bool) or not isinstance(answer.id, str):
        raise NotAnswered("the answer cannot be read")
    return answer
