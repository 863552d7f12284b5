"""What the tests of texts share: the database, a channel that answers as told, a confirmed number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from database.context import as_persons
from notifications.channels.channel import Accepted, Failed, FoundText, OutgoingText
from notifications.contact import Agreement, add_number, confirm_number
from notifications.send import SendReport, send_due
from notifications.tables import Message
from notifications.texting import Texting
from tests.support.people import add_person
from tests.support.postgres import TestDatabase, database, keyring, postgres

__all__ = ["database", "keyring", "postgres"]

NOON = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
"""13:00 in New York, 08:00 in Honolulu: a started text may go."""
NUMBER = "+16175550150"
AGREED = Agreement("Yes, send me texts.", "en", "2026-11-22", True, "127.0.0.1", "Firefox")


@dataclass
class ScriptedChannel:
    """Takes every text, unless an answer was put into `answers`; `crash` raises as if the process died."""

    sent: list[OutgoingText] = field(default_factory=list)
    answers: list[Accepted | Failed | BaseException] = field(default_factory=list)
    listed: list[FoundText] | None = field(default_factory=list)

    def send(self, text: OutgoingText) -> Accepted | Failed:
        self.sent.append(text)
        answer = self.answers.pop(0) if self.answers else Accepted(f"SM{len(self.sent):032d}", "accepted")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def sent_to(self, to: str, since: datetime) -> list[FoundText] | None:
        return self.listed


@dataclass
class Desk:
    """A person's texts, from both sides of the counter."""

    web: Texting
    worker: Texting
    channel: ScriptedChannel
    new_person: Callable[[], UUID]

    def send(self, now: datetime = NOON) -> SendReport:
        return send_due(self.worker, self.channel, now)

    def texts(self) -> list[str]:
        return [text.body for text in self.channel.sent]

    def add(self, person: UUID, number: str = NUMBER, now: datetime = NOON, **more: Any) -> UUID:
        values: dict[str, Any] = {"language": "en", "zone": "America/New_York", "account": None, "address": "10.0.0.1"}
        return add_number(self.web, person, number, **{**values, **more}, now=now)

    def code(self) -> str:
        return self.texts()[-1].split("code is ")[-1].split("clave es ")[-1][:6]

    def confirmed(self, number: str = NUMBER, **more: Any) -> UUID:
        """A new person with a proven number who has had the opt-in confirmation."""
        person = self.new_person()
        contact = self.add(person, number, **more)
        self.send()
        assert confirm_number(self.web, person, contact, self.code(), AGREED, NOON) == "right"
        self.send()
        return person

    def messages(self, person: UUID) -> list[Message]:
        with self.web.database.begin(as_persons(person)) as session:
            return list(
                session.scalars(select(Message).where(Message.person_id == person).order_by(Message.created_at))
            )


@pytest.fixture
def desk(database: TestDatabase) -> Desk:
    return Desk(
        Texting(database.web, database.keyring),
        Texting(database.worker, database.keyring),
        ScriptedChannel(),
        lambda: add_person(database),
    )
