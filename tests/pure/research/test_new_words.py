"""A yes on words that were replaced: it stands, and nothing new is sent on it until the person answers."""

from __future__ import annotations

from dataclasses import replace

from consent.authorization import Texts, load_texts
from consent.decision import Answer, donation_to
from consent.efforts import LIVING_WELL
from consent.standing import Why, standing
from research.permission import NoPermit, Permit, permit_for
from tests.pure.consent.decisions import NOW, ROSA, decided

FIRST = next(text for text in load_texts().all if (text.id, text.language) == ("living-well", "en"))


def test_a_major_version_holds_back_what_is_new() -> None:
    """LANG-02, X-08, HIP-12: old yes, new major version: it stands but nothing is sent; a new yes is sent on."""
    old = decided(1, donation_to("living-well"), Answer.YES, text_id="living-well", text_version=1)
    new = replace(old, version=2, text_version=2)
    minor, major = (Texts([FIRST, replace(FIRST, version=2, major=asks)]) for asks in (False, True))
    assert isinstance(permit_for([old], ROSA, LIVING_WELL, NOW), Permit)
    assert isinstance(permit_for([old], ROSA, LIVING_WELL, NOW, minor), Permit)
    held = permit_for([old], ROSA, LIVING_WELL, NOW, major)
    assert held == NoPermit(Why.ASK_AGAIN)
    assert standing([old], NOW).donation(LIVING_WELL).permits
    assert isinstance(permit_for([old, new], ROSA, LIVING_WELL, NOW, major), Permit)
