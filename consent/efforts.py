"""What a research effort is. The two shipped efforts are invented for the sandbox, and every page says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consent.decision import DataCategory
from vocabulary.phrase import Phrase, phrase


class Holds(StrEnum):
    """Whether who-is-who can be seen in what a store or effort receives."""

    IDENTIFIABLE = "identifiable"
    DE_IDENTIFIED = "de-identified"


@dataclass(frozen=True)
class Effort:
    """A research effort that can be donated to.

    `via_cancerlinq` marks an effort fed through CancerLinQ: it is denied while the CancerLinQ opt-out stands
    (decisions.md, the one exception to X-01). `invented` efforts exist for the sandbox only. `ended`: since when
    nothing new is asked or sent (`effort_ends.py`).
    """

    id: str
    name: Phrase
    organization: str
    about: Phrase
    gets: Phrase
    holds: Holds
    offers: frozenset[DataCategory]
    via_cancerlinq: bool = False
    invented: bool = False
    ended: datetime | None = None


LIVING_WELL = Effort(
    id="living-well",
    name=phrase("Living Well After Cancer"),
    organization="Living Well After Cancer (invented for this demo)",
    about=phrase("Learns which side effects last after treatment ends."),
    gets=phrase("Gets the parts you choose, coded, with names removed."),
    holds=Holds.DE_IDENTIFIED,
    offers=frozenset(DataCategory),
    invented=True,
)

EARLY_SIGNS = Effort(
    id="early-signs",
    name=phrase("Early Signs Study"),
    organization="Early Signs Study (invented for this demo)",
    about=phrase("Looks for early warning signs in blood tests and scans."),
    gets=phrase("Gets the parts you choose, with your name. It works together with CancerLinQ."),
    holds=Holds.IDENTIFIABLE,
    offers=frozenset(DataCategory),
    via_cancerlinq=True,
    invented=True,
)

SANDBOX_EFFORTS: tuple[Effort, ...] = (LIVING_WELL, EARLY_SIGNS)


def effort_by_id(effort_id: str, efforts: tuple[Effort, ...] = SANDBOX_EFFORTS) -> Effort | None:
    """The effort named `effort_id`, or None: what is not known is never permitted (CON-10)."""
    return next((effort for effort in efforts if effort.id == effort_id), None)
