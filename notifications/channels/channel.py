"""The interface of a way to send: hand a text or mail over, or find out whether one was handed over before a crash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifications.mail import Mail


@dataclass(frozen=True)
class OutgoingText:
    """One text to hand over, or one mail (`mail`). `message` is our id, which goes into the address for reports."""

    message: UUID
    to: str
    body: str
    mail: Mail | None = None

    def __repr__(self) -> str:
        return f"OutgoingText({self.message})"


@dataclass(frozen=True)
class Accepted:
    """The network took it under this id."""

    sid: str
    status: str


@dataclass(frozen=True)
class Failed:
    """It was not taken, or (`doubtful`) we cannot know. `code`: the network's error code or a word of ours."""

    code: str
    retry: bool
    doubtful: bool = False
    retry_after_seconds: int | None = None


@dataclass(frozen=True)
class FoundText:
    """A text that the network lists as sent by us."""

    sid: str
    status: str
    body: str
    created_at: datetime | None

    def __repr__(self) -> str:
        return f"FoundText({self.sid})"


class Channel(Protocol):
    def send(self, text: OutgoingText) -> Accepted | Failed:
        """Hand over one text; never raises for what the network answers."""
        ...

    def sent_to(self, to: str, since: datetime) -> list[FoundText] | None:
        """The texts handed over to this number since then, newest first; None when the network cannot be asked."""
        ...
