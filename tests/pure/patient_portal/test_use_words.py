"""The words of "who saw or used my data"."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consent.uses import EVENTS, By, Use
from consent.uses_as_fhir import as_bundle
from patient_portal.choices.use_words import BY, Names, said


@pytest.mark.parametrize("event", EVENTS)
def test_every_use_has_words(event: str) -> None:
    """HIP-25: whatever the audit calls a use can be said; a new event without words would break the page."""
    use = Use(datetime(2026, 1, 1, tzinfo=UTC), EVENTS[event] or By.CARE_TEAM, event, "", {}, refused=False, id=1)
    line = said(use, Names({}, {}, {}), {})
    assert line.what.msgid
    assert line.why.msgid


@pytest.mark.parametrize("by", By)
def test_every_kind_of_user_has_words_and_a_purpose(by: By) -> None:
    """HIP-25: a new kind of user can be named on the page, and in FHIR by a purpose of v3-ActReason."""
    assert BY[by].msgid
    use = Use(datetime(2026, 1, 1, tzinfo=UTC), by, "store.signed", "x", {}, refused=False, id=1, position=1)
    made = as_bundle([use], {}, datetime(2026, 1, 1, tzinfo=UTC))
    assert made["entry"][0]["resource"]["purposeOfEvent"][0]["coding"][0]["code"]
