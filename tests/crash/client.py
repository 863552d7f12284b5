"""A person who decides again and again on the real pages, and writes down what was asked and what was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.browser import PATIENCE_SECONDS, PAUSE_SECONDS, Browser, GaveUp, hidden
from tests.crash.log import ClientLog

CANCERLINQ = "cancerlinq"
GIVES_UP = 0.03
SENDS_AGAIN = 0.05
DONATES = 0.1


@dataclass(frozen=True)
class Who:
    """A person of the sandbox hospitals: their id there, and the record number by which stores know them."""

    hospital: str
    patient: str
    system: str
    value: str


@dataclass
class Client:
    """One device; a person may have two. `take`: is another decision wanted? `acknowledged` is told of each.

    Now and then a form is sent again after its answer, though another device may have changed things since.
    """

    browser: Browser
    who: Who
    chance: random.Random
    log_file: Path
    subjects: tuple[str, ...]
    known_when: str
    take: Callable[[], bool]
    acknowledged: Callable[[], None]
    answers: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    def prepare(self) -> None:
        """Sign in and wait until the stores know this person by name: the preview then lists them."""
        self.browser.sign_in(self.who.hospital, self.who.patient)
        end = time.monotonic() + PATIENCE_SECONDS
        while self.known_when not in self.browser.page("/choices/cancerlinq"):
            if time.monotonic() > end:
                raise GaveUp("record-not-brought-in")
            time.sleep(0.5)

    def run(self) -> None:
        """Decide until told that it is enough; what goes wrong is kept in `trouble`."""
        log = ClientLog(self.log_file)
        log.write("person", system=self.who.system, value=self.who.value)
        try:
            while self.take():
                self._decide(log)
        except (GaveUp, AssertionError) as error:
            self.trouble = f"{type(error).__name__}: {error}"
        finally:
            log.close()

    def _decide(self, log: ClientLog) -> None:
        self.browser.move()
        subject = self.chance.choice(self.subjects) if self.chance.random() < DONATES else CANCERLINQ
        answer = "yes" if self.answers.get(subject, "yes" if subject == CANCERLINQ else "no") == "no" else "no"
        path = f"/choices/{subject}" if subject == CANCERLINQ else f"/choices/efforts/{subject}"
        page = self.browser.page(path)
        form = self._form(page, subject, answer)
        log.write("asked", form=form["form"], subject=subject, answer=answer)
        self.answers[subject] = answer
        impatient = self.chance.random() < GIVES_UP
        sends_again = self.chance.random() < SENDS_AGAIN
        decision = self._press(path, form, log, impatient=impatient)
        if decision is None:
            log.write("gave-up", form=form["form"])
            return
        self._read_receipt(form["form"], decision, log)
        self.acknowledged()
        if sends_again:
            again = self._press(path, form, log, impatient=False)
            log.write("again", form=form["form"], decision=again)

    def _form(self, page: str, subject: str, answer: str) -> dict[str, Any]:
        """The fields a press of the button sends; the form's key is the page's own."""
        form: dict[str, Any] = {
            "csrf_token": hidden(page, "csrf_token"),
            "form": hidden(page, "form"),
            "answer": answer,
        }
        if subject != CANCERLINQ and answer == "yes":
            form |= {"categories": ["general", "clinical"], "signed_name": "Own Name", "read": "yes"}
        return form

    def _press(self, path: str, form: dict[str, Any], log: ClientLog, *, impatient: bool) -> str | None:
        """Send the same form until it is answered; the decision of the answer. None: gave up after one failure."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.browser.once("POST", path, form)) is None:
            if impatient:
                return None
            if time.monotonic() > end:
                raise GaveUp(path)
            time.sleep(PAUSE_SECONDS)
        if answer.status_code != 303 or "/choices/decision/" not in answer.headers["Location"]:
            log.write("refused", form=form["form"], status=answer.status_code)
            raise GaveUp(f"the form was answered with {answer.status_code}")
        return answer.headers["Location"].rpartition("/")[2]

    def _read_receipt(self, form: str, decision: str, log: ClientLog) -> None:
        """The receipt says which version the acknowledged decision has."""
        answer = self.browser.until_answered("GET", f"/choices/decision/{decision}/receipt")
        if answer.status_code != 200:
            log.write("missing", form=form, decision=decision, status=answer.status_code)
            return
        consent = answer.json()["consent"]
        log.write("answered", form=form, decision=decision, **read_consent(consent))


def read_consent(consent: dict[str, Any]) -> dict[str, Any]:
    """Version, subject and answer of the Consent in a receipt, read as a stranger would (FHIR R4)."""
    research = any(coding["code"] == "research" for coding in consent["scope"]["coding"])
    subject = consent["organization"][0]["identifier"]["value"] if research else CANCERLINQ
    answer = "yes" if consent["provision"]["provision"][0]["type"] == "permit" else "no"
    return {"version": int(consent["meta"]["versionId"]), "subject": subject, "answer": answer}


class Quota:
    """How many decisions are still wanted, and how many are acknowledged, counted for all devices."""

    def __init__(self, wanted: int) -> None:
        self._lock = threading.Lock()
        self._wanted, self.done = wanted, 0
        self.allowed = float(wanted)

    def take(self) -> bool:
        """Whether another decision is wanted; waits while the killer is behind its plan."""
        while self.allowed <= self.done < self._wanted:
            time.sleep(0.02)
        return self.done < self._wanted

    def acknowledge(self) -> None:
        with self._lock:
            self.done += 1

    def stop(self) -> None:
        """No more decisions are wanted."""
        self._wanted = 0
