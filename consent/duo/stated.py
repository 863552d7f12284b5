"""What each research effort states about itself, in DUO's terms: what a person's plain choice is held against.

An effort that changes any of this needs a new major version of its form, which asks everyone again (ADR 0009, 0012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from consent.duo.match import Aim, Request
from consent.duo.terms import CANCER
from vocabulary.phrase import Phrase, phrase

_ON = date(2026, 1, 1)
_STATED: Mapping[str, Request] = {
    "living-well": Request(
        Aim.DISEASE,
        _ON,
        disease=CANCER,
        for_profit_organization=False,
        commercial_use=False,
        publishes=True,
        ethics_approval=True,
        country="US",
    ),
    "early-signs": Request(
        Aim.DISEASE,
        _ON,
        disease=CANCER,
        for_profit_organization=False,
        commercial_use=True,
        publishes=True,
        ethics_approval=True,
        country="US",
    ),
}


def stated(effort_id: str, on: date) -> Request:
    """What the effort states, asked on a day. One that states nothing has everything counted against it (CON-10)."""
    return replace(_STATED.get(effort_id, Request(Aim.OTHER, on)), on=on)


def says_about_itself(effort_id: str, on: date) -> list[Phrase]:
    """The same in words, for the page on which a person decides."""
    states = stated(effort_id, on)
    told = [phrase("It studies cancer.")] if states.disease == CANCER else []
    told.append(phrase("A company runs it.") if states.for_profit_organization else phrase("No company runs it."))
    if states.commercial_use:
        told.append(phrase("What it learns may be used in products that are sold."))
    else:
        told.append(phrase("What it learns is not used in products that are sold."))
    if states.ethics_approval:
        told.append(phrase("An ethics board approved it."))
    return [*told, phrase("It is done in the United States.")] if states.country == "US" else told
