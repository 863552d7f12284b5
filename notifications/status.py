"""What became of a text. States only ever rise, so the order and number of reports make no difference (SMS-10, SMS-11).

Source: Twilio, message resource `status` values and error dictionary.
"""

from __future__ import annotations

from enum import StrEnum

INTENDED, SENDING_NOW = "intended", "calling"
SUPPRESSED, EXPIRED, DOUBTFUL = "suppressed", "expired", "doubtful"
"""Our own states: waiting; being handed over; the person said stop; too late; we cannot know whether it was sent."""

NOT_DELIVERED = frozenset({SUPPRESSED, "failed", "undelivered"})
"""Ends after which something else has to be tried for what must reach a person."""

_RANK = {
    INTENDED: 0, SENDING_NOW: 1, DOUBTFUL: 2, "accepted": 3, "scheduled": 4, "queued": 5, "sending": 6, "sent": 7,
    # 8 is any word we do not know
    SUPPRESSED: 9, EXPIRED: 10, "canceled": 11, "failed": 12, "undelivered": 13, "partially_delivered": 14,
    "delivered": 15, "read": 16,
}  # fmt: skip
_UNKNOWN = 8
LONGEST = 40


def higher(held: str, reported: str) -> str:
    """The state after a report: whichever is further along. An unknown word is kept, above `sent`, below every end."""
    reported = reported.strip().lower()[:LONGEST] or held
    return max(held, reported, key=_order)


def _order(state: str) -> tuple[int, str]:
    return (_RANK.get(state, _UNKNOWN), state)


class Remedy(StrEnum):
    """What to do about an error of the text network."""

    OPTED_OUT = "opted-out"
    RETRY_LATER = "retry-later"
    RETRY_ONCE = "retry-once"
    NUMBER_INVALID = "number-invalid"
    ALERT = "alert"
    STOP_ALL = "stop-all"
    NONE = "none"


_REMEDIES = {
    20429: Remedy.RETRY_LATER,
    20003: Remedy.STOP_ALL,
    21211: Remedy.NUMBER_INVALID,
    21408: Remedy.ALERT,
    21610: Remedy.OPTED_OUT,
    21614: Remedy.NUMBER_INVALID,
    30003: Remedy.RETRY_LATER,
    30004: Remedy.OPTED_OUT,
    30005: Remedy.NUMBER_INVALID,
    30006: Remedy.NUMBER_INVALID,
    30007: Remedy.ALERT,
    30008: Remedy.RETRY_ONCE,
    30034: Remedy.STOP_ALL,
}


def remedy_for(code: str | int | None) -> Remedy:
    """The remedy for one of Twilio's error codes; an unknown code is alarmed, no code needs nothing.

    Of our own words for other troubles only a mail address that is nobody's needs one (RFC 3463, 5.1.x).
    """
    if code is None or code == "":
        return Remedy.NONE
    if str(code).startswith("smtp-"):
        return Remedy.NUMBER_INVALID if "-5.1." in str(code) else Remedy.NONE
    try:
        return _REMEDIES.get(int(code), Remedy.ALERT)
    except ValueError:
        return Remedy.ALERT
