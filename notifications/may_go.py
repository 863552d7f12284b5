"""May this message go now? Whether it is wanted, the hour, the ceilings and the budget, asked at the last moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifications import status
from notifications.caps import next_under_caps
from notifications.channels.channel import OutgoingText
from notifications.quiet_hours import ANY_HOUR, Hours, next_allowed
from notifications.silence import is_silent
from notifications.spend import spend
from notifications.tables import ContactPoint, Message, MessageSetting
from notifications.tell import answer_to
from notifications.texting import Texting, confirmed_contact, texts_wanted
from notifications.texts import STARTED_BY_SERVICE, segments


@dataclass(frozen=True)
class Held:
    """Not now: it ends in `state`, or it is tried again at `until`."""

    state: str | None = None
    until: datetime | None = None


def may_go(
    session: Session, texting: Texting, message: Message, contact: ContactPoint, text: OutgoingText, now: datetime
) -> Held | None:
    """None when it may go; a text that may go has then been counted against the budget."""
    if message.expires_at is not None and now >= message.expires_at:
        return Held(status.EXPIRED)
    if not _wanted(session, message, contact):
        return Held(status.SUPPRESSED)
    if message.kind in STARTED_BY_SERVICE:
        moment = _first_moment(session, message, contact, now)
        if moment > now:
            return Held(until=moment)
    if message.channel != "sms":
        return None
    again = spend(
        session, texting, text.to, message.person_id, segments(text.body), now, essential=message.essential
    )  # fmt: skip
    return Held(until=again) if again is not None else None


def letter_held(session: Session, message: Message, now: datetime) -> Held | None:
    """The same for a letter that is about to be printed; None when it may go.

    It goes to the address that counts today. Hours and ceilings are for what rings; a pause holds letters, too.
    """
    if message.expires_at is not None and now >= message.expires_at:
        return Held(status.EXPIRED)
    contact = confirmed_contact(session, message.person_id, "letter")
    if contact is not None:
        message.contact_point_id = contact.id
    if is_silent(session, message.person_id) or (message.contact_point_id and contact is None):
        return Held(status.SUPPRESSED)
    if contact is not None and not _wanted(session, message, contact):
        return Held(status.SUPPRESSED)
    setting = session.get(MessageSetting, message.person_id)
    until = setting.pause_until if setting is not None and message.kind in STARTED_BY_SERVICE else None
    return Held(until=until) if until is not None and until > now else None


def _wanted(session: Session, message: Message, contact: ContactPoint) -> bool:
    """A code was asked for by whoever holds the page; all else needs a proven address, no STOP and no later no."""
    if message.kind == "security" and contact.state == "replaced":
        return texts_wanted(session, contact.id)  # the last word to a number or address that was just changed
    if contact.state in ("invalid", "replaced"):
        return False
    if message.kind == "code":
        return True
    if contact.state != "confirmed" or not texts_wanted(session, contact.id) or is_silent(session, message.person_id):
        return False
    return not message.topic or answer_to(session, contact.id, message.topic) is not False


def _first_moment(session: Session, message: Message, contact: ContactPoint, now: datetime) -> datetime:
    """When the service may start it: after a pause, under the ceilings, at an hour the person and the law allow."""
    setting = session.get(MessageSetting, message.person_id)
    earlier = session.scalars(
        select(Message.sent_at).where(
            Message.person_id == message.person_id,
            Message.channel == message.channel,
            Message.kind.in_(sorted(STARTED_BY_SERVICE)),
            Message.sent_at > now - timedelta(days=7),
        )
    )
    moment = next_under_caps([sent for sent in earlier if sent is not None], now)
    if setting is not None and setting.pause_until is not None:
        moment = max(moment, setting.pause_until)
    zone = (setting.zone if setting else None) or contact.zone
    return next_allowed(moment, zone, hours=Hours(setting.opens, setting.closes) if setting else ANY_HOUR)
