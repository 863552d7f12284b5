"""Asking the provider one thing: with the waits it asks for, and one renewal of the token at most (SMART-48)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fhir_bridge.retrieve.retry import wait_before_retry
from outbound.errors import OutboundTooLarge
from vocabulary.errors import PortalError, Refused

FHIR_JSON = {"Accept": "application/fhir+json"}


class Response(Protocol):
    """An HTTP answer, read to its end (the transport limits time and size)."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


class Fetch(Protocol):
    """A GET bound to one connection: it adds the token and refuses every other origin.

    It may raise PortalError or OSError when there is no answer. Called from several threads.
    """

    def __call__(self, url: str, headers: Mapping[str, str]) -> Response: ...


@dataclass(frozen=True)
class Clock:
    """What asking needs from the world: the time (aware), a sleep in seconds, a number in [0, 1)."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    chance: Callable[[], float]


@dataclass(frozen=True)
class Answer:
    """The last answer to one question; `status` None when there was none."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    worth_retrying: bool = True
    too_large: bool = False


class Asker:
    """One retrieval's questions: shares the waiting budget and the single renewal among all threads."""

    def __init__(self, fetch: Fetch, renew: Callable[[], bool], clock: Clock, budget_seconds: float) -> None:
        self._fetch, self._renew, self.clock = fetch, renew, clock
        self._left = budget_seconds
        self._lock = threading.Lock()
        self._generation = 0
        self._worked = True

    def ask(self, url: str, headers: Mapping[str, str] = FHIR_JSON) -> Answer:
        """GET `url`; waits and asks again when told to. A 401 renews the token once for all threads, and again only
        when the renewed one had worked: a long retrieval outlives several tokens, a refused one is not hammered."""
        tries, after_renewal = 0, False
        while True:
            generation = self._generation
            answer = self._once(url, headers)
            tries += 1
            if answer.status == 401:
                if after_renewal or not self._renew_since(generation):
                    return answer
                after_renewal = True
                continue
            if answer.status is not None and answer.status < 400 and generation == self._generation:
                self._worked = True
            if not answer.worth_retrying or (answer.status is not None and answer.status < 400):
                return answer
            wait = self._reserve(answer, tries)
            if wait is None:
                return answer
            self.clock.sleep(wait)

    def ask_once(self, url: str) -> Answer:
        """GET `url` without waiting or renewing: for what the retrieval can do without."""
        return self._once(url, FHIR_JSON)

    def _once(self, url: str, headers: Mapping[str, str]) -> Answer:
        try:
            response = self._fetch(url, headers)
            return Answer(response.status, response.headers, response.body)
        except OutboundTooLarge:
            return Answer(None, {}, b"", worth_retrying=False, too_large=True)
        except Refused:
            return Answer(None, {}, b"", worth_retrying=False)
        except (PortalError, OSError):
            return Answer(None, {}, b"")

    def _renew_since(self, generation: int) -> bool:
        with self._lock:
            if self._generation > generation:
                return True
            if self._worked and self._renew():
                self._generation += 1
                self._worked = False
                return True
            self._worked = False
            return False

    def _reserve(self, answer: Answer, tries: int) -> float | None:
        with self._lock:
            wait = wait_before_retry(
                answer.status, answer.headers, tries, self._left, self.clock.now(), self.clock.chance()
            )
            if wait is not None:
                self._left -= wait
            return wait
