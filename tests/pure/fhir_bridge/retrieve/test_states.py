"""FHIR-09, FHIR-10: states and waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fhir_bridge.retrieve.retry import MAX_TRIES, wait_before_retry
from fhir_bridge.retrieve.states import State, state_of_pages, state_of_refusal, words_for, words_for_reason

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "codes", "extra", "expected"),
    [
        (401, set(), False, State.NOT_AUTHORIZED),
        (403, set(), False, State.NOT_AUTHORIZED),
        (403, set(), True, State.NOT_AUTHORIZED),
        (404, set(), False, State.NOT_SUPPORTED),
        (404, set(), True, State.NOT_SUPPORTED),
        (400, {"not-supported"}, False, State.NOT_SUPPORTED),
        (400, set(), False, State.FAILED),
        (400, set(), True, State.NOT_SUPPORTED),
        (501, set(), False, State.NOT_SUPPORTED),
        (500, set(), False, State.FAILED),
        (503, set(), True, State.FAILED),
        (None, set(), False, State.FAILED),
        (200, set(), False, State.FAILED),
    ],
)
def test_refusals(status: int | None, codes: set[str], extra: bool, expected: State) -> None:
    """FHIR-10: what a refusal means; a type outside US Core that is not there is no error (FHIR-02)."""
    assert state_of_refusal(status, codes, extra) is expected


@pytest.mark.parametrize(
    ("count", "stopped", "incomplete", "dropped", "expected"),
    [
        (3, False, False, False, State.OK),
        (0, False, False, False, State.EMPTY),
        (3, True, False, False, State.PARTIAL),
        (0, True, False, False, State.PARTIAL),
        (0, False, True, False, State.PARTIAL),
        (0, False, False, True, State.PARTIAL),
        (3, False, True, True, State.PARTIAL),
    ],
)
def test_pages(count: int, stopped: bool, incomplete: bool, dropped: bool, expected: State) -> None:
    """FHIR-10: "none found" only when nothing was left out."""
    assert state_of_pages(count, stopped=stopped, incomplete=incomplete, dropped=dropped) is expected


def test_only_empty_says_none() -> None:
    """FHIR-10: no other state's words say that there is none."""
    assert "none" in str(words_for(State.EMPTY))
    assert all("none" not in str(words_for(one)) for one in State if one is not State.EMPTY)


def test_every_reason_has_words() -> None:
    """FHIR-10: what was dropped can be named to the person."""
    reasons = ("wrong-patient", "not-a-resource", "no-type", "no-id", "older-copy", "unexpected-type", "too-deep")
    said = [str(words_for_reason(one)) for one in reasons]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("status", "headers", "tries", "left", "expected"),
    [
        (429, {"Retry-After": "7"}, 1, 60.0, 7.0),
        (429, {"retry-after": "7"}, 1, 60.0, 7.0),
        (503, {"Retry-After": "Sun, 22 Nov 2026 10:00:05 GMT"}, 1, 60.0, 5.0),
        (503, {"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT"}, 1, 60.0, 0.0),
        (429, {"Retry-After": "600"}, 1, 60.0, None),
        (429, {"Retry-After": "soon"}, 1, 60.0, 0.5),
        (503, {}, 3, 60.0, 2.0),
        (None, {}, 1, 60.0, 0.5),
        (None, {}, 2, 60.0, None),
        (503, {}, MAX_TRIES, 60.0, None),
        (403, {"Retry-After": "1"}, 1, 60.0, None),
        (500, {}, 1, 60.0, None),
    ],
)
def test_waits(status: int | None, headers: dict[str, str], tries: int, left: float, expected: float | None) -> None:
    """FHIR-09: Retry-After as seconds or a date, else doubling waits, within a budget and a number of tries."""
    assert wait_before_retry(status, headers, tries, left, NOW, 0.5) == expected
