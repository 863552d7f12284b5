"""Carries out what an error of the text network calls for (requirement SMS-11)."""

from __future__ import annotations

import json
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from notifications.status import Remedy
from notifications.tables import ContactPoint, Message
from notifications.texting import Event, Texting, record_wish, texts_wanted

log = structlog.get_logger()


def apply_remedy(session: Session, texting: Texting, message: Message, remedy: Remedy, now: datetime) -> None:
    """Keep an opt-out the network knows of, put aside a number that cannot be texted, alarm for the rest."""
    contact = session.get(ContactPoint, message.contact_point_id)
    if contact is not None and remedy is Remedy.OPTED_OUT and texts_wanted(session, contact.id):
        proof = json.dumps({"means": "network", "error": message.error_code, "message": str(message.id)}).encode()
        record_wish(session, texting, contact, "no", "network", proof, now)
    if contact is not None and remedy is Remedy.NUMBER_INVALID:
        contact.state = "invalid"
        event: Event = "number.removed" if contact.channel == "sms" else "address.removed"
        texting.note(session, contact.person_id, event, "network", now)
    if remedy in (Remedy.ALERT, Remedy.STOP_ALL):
        log.error("text_alarm", message_id=str(message.id), code=message.error_code, remedy=remedy.value)
