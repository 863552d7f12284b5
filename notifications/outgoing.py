"""One waiting message as it is handed over: its words are made now, in the language and name of today."""

from __future__ import annotations

from datetime import datetime

from notifications.channels.channel import OutgoingText
from notifications.mails import render_mail
from notifications.tables import ContactPoint, Message
from notifications.texting import Texting
from notifications.texts import Kind, as_kind, render


def outgoing(texting: Texting, message: Message, contact: ContactPoint, now: datetime) -> OutgoingText:
    """A text, or a mail with the link that ends mail. A code is all that is kept of words, until then."""
    kind: Kind = as_kind(message.kind)
    to = texting.open_number(contact)
    code = texting.open_body(message.id, message.body_sealed) if kind == "code" and message.body_sealed else None
    if message.channel != "email":
        return OutgoingText(message.id, to, render(kind, message.language, texting.programme, code=code))
    ends = None if kind == "code" else f"{texting.programme.link}/unsubscribe/{texting.unsubscribe_token(contact.id)}"
    mail = render_mail(
        kind, message.language, texting.programme,
        message=message.id, to=to, at=now, unsubscribe=ends, code=code, more=len(message.covers),
    )  # fmt: skip
    return OutgoingText(message.id, to, mail.subject, mail)
