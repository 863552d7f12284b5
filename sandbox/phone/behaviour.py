"""How the network behaves: numbers that always fail, and switches for trouble on demand. Sandbox only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

# Twilio's own test numbers, and the fictional exchange 202-555-01xx whose last two digits choose the trouble.
REFUSED_NUMBERS = {
    "+15005550001": 21211,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
    "+12025550111": 21211,
    "+12025550114": 21614,
    "+12025550108": 21408,
    "+12025550129": 20429,
}
UNDELIVERED_NUMBERS = {
    "+12025550103": 30003,
    "+12025550105": 30005,
    "+12025550106": 30006,
    "+12025550107": 30007,
}
MEANINGS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "Invalid 'To' Phone Number"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}


@dataclass
class Behaviour:
    """`order` of the status callbacks of one text; `duplicates` extra copies of each; the next `down` requests get
    503, the next `limited` ones 429, and the next `lost_answers` are obeyed but answered 500."""

    order: Literal["normal", "reversed"] = "normal"
    duplicates: int = 0
    down: int = 0
    limited: int = 0
    lost_answers: int = 0

    def change(self, values: dict[str, Any]) -> None:
        for one in fields(self):
            if one.name in values:
                setattr(self, one.name, values[one.name])

    def takes(self, name: str) -> bool:
        """True when one of a counted trouble is due; it is then used up."""
        left = int(getattr(self, name))
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True
