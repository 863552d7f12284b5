"""The proof that a person asked for texts: exactly what they saw, when, where and how (requirement SMS-01)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from vocabulary.errors import Invalid
from vocabulary.phrase import Phrase, phrase

Means = Literal["web", "text", "staff", "network"]
TEXT_VERSION = "2026-11-22.3"


def opt_in_text(programme: str, contact: str) -> Phrase:
    """The words beside the box that a person ticks; the page shows them in the person's language."""
    return phrase(
        "Yes, send me texts. %(programme)s will text you when something you decided has been recorded, when someone on "
        "your care team made a change for you, when your sign-in or number changes, when something takes too long, and "
        "when you asked for a reminder: up to 3 texts a week. Message and data rates may apply. Reply STOP to stop or "
        "HELP for help, or call %(contact)s. Saying no changes nothing about your care.",
        programme=programme,
        contact=contact,
    )


@dataclass(frozen=True)
class OptInProof:
    """`text` is what was shown, word for word, in `language`; `version` names that wording; `means` how they agreed.

    `address` and `agent` are the browser's IP address and User-Agent for the web, empty for a text.
    """

    text: str
    language: str
    version: str
    number: str
    means: Means
    address: str
    agent: str
    recorded_at: str

    def sealed_form(self) -> bytes:
        """The bytes to seal and keep."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def read(cls, content: bytes) -> OptInProof:
        return cls(**json.loads(content))


def check_opt_in(proof: OptInProof, *, box_ticked: bool) -> None:
    """Invalid unless the box was ticked by the person and every part of the proof is there."""
    if not box_ticked:
        raise Invalid("opt-in-box", {"agree": "box-not-ticked"})
    required = [proof.text, proof.language, proof.version, proof.number, proof.means, proof.recorded_at]
    if proof.means == "web":
        required += [proof.address, proof.agent]
    if not all(required):
        raise Invalid("opt-in-proof")
