"""The audit's declared vocabulary and FHIR form, and the pace of retries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import Audited, as_audit_event, audit_values, by_actor
from consent.audit_tables import AuditEventRow
from consent.feed.pace import Pace
from vocabulary.actor import Actor, ActorKind

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ROSA = UUID(int=1)


def test_audit_event_has_what_is_required() -> None:
    """CON-13: type, recorded, agent.requestor, source.observer, action, outcome, entity.what, purposeOfEvent."""
    line = by_actor(Actor(ActorKind.PATIENT, account_id=UUID(int=9), person=ROSA), "choices.read", "R")
    event = as_audit_event(AuditEventRow(id=5, **audit_values(line, NOW)))
    assert event["type"]["code"]
    assert event["recorded"] == "2026-11-22T00:00:00.000Z"
    assert event["agent"][0]["requestor"] is True
    assert event["source"]["observer"]
    assert (event["action"], event["outcome"]) == ("R", "0")
    assert event["entity"][0]["what"]["identifier"]["value"].endswith(str(ROSA))
    assert event["purposeOfEvent"]


@pytest.mark.parametrize(
    "line",
    [
        Audited(ROSA, "choices.peeked", "R", "patient"),
        Audited(ROSA, "choices.read", "X", "patient"),
        Audited(ROSA, "choices.read", "R", "patient", outcome="1"),
        Audited(ROSA, "choices.read", "R", "patient", detail={"name": "Rosa"}),
    ],
)
def test_undeclared_events_and_keys_are_refused(line: Audited) -> None:
    """CON-13, house rule 6: each event declares its keys; nothing else, such as a name, can be written."""
    with pytest.raises(ValueError, match="undeclared"):
        audit_values(line, NOW)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.integers(0, 5_000))
def test_waits_are_capped_and_obey_the_store(failures: int, chance: float, asked: int) -> None:
    """SUB-07, faults: never longer than the cap unless the store asked for more, and never nothing."""
    wait = Pace().wait(failures, chance, asked).total_seconds()
    assert max(1, asked) <= wait <= max(3600 * 1.2, asked)


def test_seven_days_cost_under_two_hundred_tries() -> None:
    """Faults (store dead seven days): at most 200 attempts, and a short outage is followed quickly."""
    for chance in (0.0, 0.5, 0.99):
        passed, tries = timedelta(), 0
        while passed < timedelta(days=7):
            tries += 1
            passed += Pace().wait(tries, chance)
        assert tries <= 200
    assert Pace().wait(1, 0.0) == timedelta(seconds=1)
