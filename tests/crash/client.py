"""A person who decides again and again on the real pages, and writes down what was asked and what was acknowledged."""

from __future__ import annotations

import json
import random
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.browser import PATIENCE_SECONDS, PAUSE_SECONDS, Browser, GaveUp, Line, hidden
from tests.crash.log import ClientLog
from tests.crash.people import Who

CANCERLINQ = "cancerlinq"
GIVES_UP = 0.03
SENDS_AGAIN = 0.05
DONATES = 0.1
READS_RECEIPT = 0.05
BY_THE_PAGE = 0.05
UNSURE_FOR = 3


@dataclass
class Device:
    """One device of one person, who may have two. Now and then a form is sent again after its answer, though another
    device may have changed things since.

    A page is opened for one form in twenty; the others are sent with the kept token and a key of the device's own, as
    an app does. Which version a decision has is read from its receipt for one in twenty, after each form given up (the
    next few, and the next on its subject, whose answer may stand or not), and always by a person with two devices; else
    it is the one after this device's last, as versions count up per person.
    """

    browser: Browser
    who: Who
    chance: random.Random
    log_file: Path
    subjects: tuple[str, ...]
    alone: bool
    answers: dict[str, str] = field(default_factory=dict)
    version: int = 0
    unsure: int = 1
    doubtful: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._log = ClientLog(self.log_file)
        self._log.write("person", system=self.who.system, value=self.who.value)

    def prepare(self) -> None:
        self.browser.sign_in(self.who.hospital, self.who.patient)

    def is_known(self, store: str) -> bool:
        """Whether the stores know this person by name: the preview then lists them."""
        return store in self.browser.page("/choices/cancerlinq")

    def decide(self) -> bool:
        """One decision; False when it was given up after one try without an answer."""
        chance, log = self.chance, self._log
        subject = chance.choice(self.subjects) if self.subjects and chance.random() < DONATES else CANCERLINQ
        answer = "yes" if self.answers.get(subject, "yes" if subject == CANCERLINQ else "no") == "no" else "no"
        path = f"/choices/{subject}" if subject == CANCERLINQ else f"/choices/efforts/{subject}"
        form = self._form(path, subject, answer)
        log.write("asked", form=form["form"], subject=subject, answer=answer)
        self.answers[subject] = answer
        impatient, sends_again = chance.random() < GIVES_UP, chance.random() < SENDS_AGAIN
        reads = not self.alone or chance.random() < READS_RECEIPT
        decision = self._press(path, form, impatient=impatient)
        if decision is None:
            log.write("gave-up", form=form["form"])
            self.unsure = UNSURE_FOR
            self.doubtful.add(subject)
            return False
        if reads or self.unsure or subject in self.doubtful:
            self._read_receipt(form["form"], decision)
            self.doubtful.discard(subject)
        else:
            self.version += 1
            said = {"version": self.version, "subject": subject, "answer": answer}
            log.write("answered", form=form["form"], decision=decision, counted=True, **said)
        if sends_again:
            log.write("again", form=form["form"], decision=self._press(path, form, impatient=False))
        return True

    def read_history(self) -> None:
        """What the portal lists at the end, newest first: every decision of this person, by its id."""
        page = self.browser.page("/activity")
        listed = re.findall(r'href="/choices/decision/([0-9a-f-]{36})"', page)
        self._log.write("listed", decisions=listed)

    def close(self) -> None:
        self._log.close()

    def _form(self, path: str, subject: str, answer: str) -> dict[str, Any]:
        """The fields that a press of the button sends; the form's key is the page's, or the device's own."""
        key = hidden(self.browser.page(path), "form") if self.chance.random() < BY_THE_PAGE else ""
        form: dict[str, Any] = {
            "csrf_token": self.browser.csrf,
            "form": key or secrets.token_urlsafe(24),
            "answer": answer,
        }
        if subject != CANCERLINQ and answer == "yes":
            form |= {"categories": ["general", "clinical"], "signed_name": "Own Name", "read": "yes"}
        return form

    def _press(self, path: str, form: dict[str, Any], *, impatient: bool) -> str | None:
        """Send the same form until it is answered; the decision of the answer. None: gave up after one failure."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.browser.once("POST", path, form)) is None:
            if impatient:
                return None
            if time.monotonic() > end:
                raise GaveUp(path)
            time.sleep(PAUSE_SECONDS)
        if answer.status != 303 or "/choices/decision/" not in answer.location:
            self._log.write("refused", form=form["form"], status=answer.status)
            raise GaveUp(f"the form was answered with {answer.status}")
        return answer.location.rpartition("/")[2]

    def _read_receipt(self, form: str, decision: str) -> None:
        """The receipt says which version the acknowledged decision has."""
        answer = self.browser.until_answered("GET", f"/choices/decision/{decision}/receipt")
        if answer.status != 200:
            self._log.write("missing", form=form, decision=decision, status=answer.status)
            self.unsure = UNSURE_FOR
            return
        read = read_consent(json.loads(answer.text)["consent"])
        self.version, self.unsure = max(self.version, read["version"]), max(0, self.unsure - 1)
        self._log.write("answered", form=form, decision=decision, **read)


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


@dataclass
class Room:
    """Some devices that share one line and press one after the other; what goes wrong is kept in `trouble`."""

    line: Line
    devices: Sequence[Device]
    chance: random.Random
    quota: Quota
    trouble: str = ""

    def prepare(self, known_when: str) -> None:
        """Sign everybody in, then wait until the stores know each of them by name."""
        try:
            for device in self.devices:
                device.prepare()
            end = time.monotonic() + PATIENCE_SECONDS * 5
            waiting = list(self.devices)
            while waiting := [device for device in waiting if not device.is_known(known_when)]:
                if time.monotonic() > end:
                    self.trouble = f"record-not-brought-in: {len(waiting)}"
                    return
                time.sleep(1)
        except (GaveUp, AssertionError) as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def run(self) -> None:
        """Decide until told that it is enough; then look at what the portal lists."""
        try:
            while self.quota.take():
                if self.chance.choice(self.devices).decide():
                    self.quota.acknowledge()
        except (GaveUp, AssertionError) as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def end(self) -> None:
        """Note what the portal lists of each, and close the logs."""
        try:
            for device in self.devices:
                device.read_history()
        except (GaveUp, AssertionError) as error:
            self.trouble = self.trouble or f"{type(error).__name__}: {error}"
        for device in self.devices:
            device.close()
        self.line.close()
