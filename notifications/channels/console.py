"""A channel that keeps texts in memory instead of sending them: for a portal without a text network, and tests."""

from __future__ import annotations

from datetime import datetime

import structlog

from notifications.channels.channel import Accepted, Failed, FoundText, OutgoingText

log = structlog.get_logger()


class ConsoleChannel:
    """Remembers each text in `sent`; the log says only that there was one."""

    def __init__(self) -> None:
        self.sent: list[OutgoingText] = []

    def send(self, text: OutgoingText) -> Accepted | Failed:
        self.sent.append(text)
        log.info("text_not_sent_console", message_id=str(text.message))
        return Accepted(f"console-{text.message}", "delivered")

    def sent_to(self, to: str, since: datetime) -> list[FoundText] | None:
        found = [text for text in self.sent if text.to == to]
        return [FoundText(f"console-{text.message}", "delivered", text.body, since) for text in reversed(found)]
