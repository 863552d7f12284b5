"""The words of "who saw or used my data"."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consent.uses import EVENTS, By, Use
from patient_portal.use_words import Names, said


@pytest.mark.parametrize("event", EVENTS)
def test_every_use_has_words(event: str) -> None:
    """HIP-25: whatever the audit calls a use can be said; a new event without words would break the page."""
    use = Use(datetime(2026, 1, 1, tzinfo=UTC), EVENTS[event] or By.CARE_TEAM, event, "", {}, refused=False, id=1)
    line = said(use, Names({}, {}, {}), {})
    assert line.what.msgid
    assert line.why.msgid
