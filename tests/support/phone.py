"""A portal with a phone network: the application under test texts through the real Twilio client, over real HTTP.

`texts` is the fixture; `someone` signs a person in, `proven` also proves their number, by the pages alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import unescape
from pathlib import Path

import pytest

from consent.sequencer import sequence_once
from notifications.channels.channel import Channel
from notifications.reminders import release_reminders
from notifications.send import send_due
from notifications.texting import Texting
from outbound.client import OutboundClient
from patient_portal.in_touch.texting import channel_of, confirm_new_decisions, texting_of
from patient_portal.settings import Twilio
from patient_portal.wiring import Wiring, allow_list, now
from sandbox.phone.config import PhoneConfig
from sandbox.phone.server import RunningPhone, start
from tests.support.portal import Client, Portal, signed_in_client

SID, SERVICE, TOKEN = "AC" + "a" * 32, "MG" + "b" * 32, "token-of-the-sandbox"
NUMBER = "+16175550150"


@dataclass
class Texts:
    """The portal, the network, and the worker's side of texting, one round at a time."""

    portal: Portal
    phone: RunningPhone
    texting: Texting
    channel: Channel
    clients: dict[str, Client] = field(default_factory=dict)

    def round(self, moment: datetime | None = None) -> None:
        """What the loop does in one second, the sequencer before it."""
        moment = moment or now()
        sequence_once(self.portal.database.worker, moment)
        confirm_new_decisions(self.texting, moment)
        release_reminders(self.texting, moment)
        send_due(self.texting, self.channel, moment)

    def to(self, number: str = NUMBER) -> list[str]:
        """The words of the texts a phone got, oldest first."""
        return [str(one["body"]) for one in self.phone.texts_to(number)]

    def code(self, number: str = NUMBER) -> str:
        found = [re.search(r"\b([0-9]{6})\b", words) for words in self.to(number)]
        return [one.group(1) for one in found if one][-1]

    def someone(self, patient: str = "rv-p01") -> Client:
        return signed_in_client(self.portal, patient, record=False)

    def ask_for_code(self, client: Client, number: str = NUMBER, page: str = "/notifications") -> None:
        form = {"number": number, "zone": "America/New_York", "language": "en"}
        assert client.post("/notifications/number", form, page=page).status_code == 303
        self.round()

    def enter(self, client: Client, code: str, *, agree: bool = True) -> int:
        """Enter a code as the page's form would; the status of the answer."""
        page = client.get("/notifications/code").text
        form = {"code": code, "wording": hidden(page, "wording")} | ({"agree": "yes"} if agree else {})
        return client.post("/notifications/code", form, page="/notifications/code").status_code

    def proven(self, patient: str = "rv-p01", number: str = NUMBER) -> Client:
        """A person who has proven their number and agreed, and had the text that says so."""
        client = self.someone(patient)
        self.ask_for_code(client, number)
        assert self.enter(client, self.code(number)) == 303
        self.round()
        return client


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no {name} on this page"
    return unescape(found.group(1))


def wait_until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def with_texts(wiring: Wiring, phone: RunningPhone) -> Wiring:
    settings = replace(wiring.settings, twilio=Twilio(SID, TOKEN, SERVICE, phone.url))
    return Wiring(settings, wiring.database, wiring.keyring, OutboundClient(allow_list(settings)))


@pytest.fixture
def texts(portal: Portal, tmp_path: Path) -> Iterator[Texts]:
    """The portal with Twilio configured to a phone network of its own."""
    phone = start(PhoneConfig(SID, TOKEN, tmp_path / "phone", portal.url, SERVICE, delay_seconds=0.01, opt_out="off"))
    portal.wiring, portal.worker = with_texts(portal.wiring, phone), with_texts(portal.worker, phone)
    portal.app.extensions["wiring"] = portal.wiring
    yield Texts(portal, phone, texting_of(portal.worker), channel_of(portal.worker))
    phone.stop()
