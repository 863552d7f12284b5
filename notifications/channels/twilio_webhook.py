"""What Twilio sends to us: is it really Twilio, what does it say, and our answer in TwiML (requirement SMS-09)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from vocabulary.errors import Refused

SIGNATURE_HEADER = "X-Twilio-Signature"
_SID_LENGTH = 34


def check_signature(
    auth_token: str, url: str, params: Mapping[str, str] | str, signature: str | None, *, public_base: str
) -> None:
    """Refused("twilio-signature") unless Twilio signed exactly this request.

    `url` is the address as Twilio called it (the web puts scheme and host right behind its proxy); `params` the
    posted MultiDict itself (a plain dict loses repeated keys), or the body text when it is JSON; `signature` the
    header, None when it is missing. `public_base` is the portal's own address (`PORTAL_BASE_URL`): Twilio's check
    tries the address with its port and without, so any port would pass if the place were not held to ours.
    """
    if not signature or not auth_token:
        raise Refused("twilio-signature")
    try:
        genuine = _origin(url) == _origin(public_base)
        genuine = genuine and RequestValidator(auth_token).validate(url, params, signature)
    except (ValueError, TypeError, UnicodeError):
        genuine = False
    if not genuine:
        raise Refused("twilio-signature")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


@dataclass(frozen=True)
class InboundText:
    """One text from a person."""

    sid: str
    sender: str
    body: str
    opt_out_type: str | None

    def __repr__(self) -> str:
        return f"InboundText({self.sid})"


@dataclass(frozen=True)
class StatusReport:
    """One report on a text of ours. `message` is our own id from the address, as text; it may be missing."""

    sid: str
    status: str
    error_code: str | None
    message: str | None


def read_inbound(form: Mapping[str, str]) -> InboundText:
    """The signed form as a text; Refused("twilio-form") when a field that every such form has is missing."""
    sid, sender = form.get("MessageSid", ""), form.get("From", "")
    if not 0 < len(sid) <= _SID_LENGTH or not sender or "Body" not in form:
        raise Refused("twilio-form")
    return InboundText(sid, sender, form["Body"], form.get("OptOutType"))


def read_status(form: Mapping[str, str], query: Mapping[str, str]) -> StatusReport:
    """The signed form as a status report; Refused("twilio-form") when it is not one."""
    sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "")
    if not 0 < len(sid) <= _SID_LENGTH or not status:
        raise Refused("twilio-form")
    return StatusReport(sid, status, form.get("ErrorCode") or None, query.get("m"))


def twiml(reply: str | None) -> str:
    """The XML to answer an inbound text with (`text/xml`): one text, or none."""
    response = MessagingResponse()
    if reply:
        response.message(reply)
    return str(response)
