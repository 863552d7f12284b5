"""Who may take a case, who reads names on it, where a page of the queue begins, and which numbers are hidden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_portal.pages.staff_reports import hide_small
from patient_portal.staff.cases import KINDS, UNKNOWN_KIND, WHAT_TO_DO, Case, kind_words
from patient_portal.staff.queue import After

ME, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def case(**changed: object) -> Case:
    values: dict[str, object] = {
        "id": uuid4(), "case_no": 7, "kind": "store-parked", "store_id": "tempus", "practice_id": None,
        "opened_at": NOW, "due_at": None, "assigned_to": None, "escalated_to": None, "closed_at": None, "outcome": None,
    }  # fmt: skip
    return Case(**(values | changed))  # type: ignore[arg-type]  # the values are of the fields' own types


@pytest.mark.parametrize(
    ("changed", "takes", "reads"),
    [
        ({}, True, False),
        ({"assigned_to": ME}, True, True),
        ({"assigned_to": OTHER}, False, False),
        ({"assigned_to": OTHER, "escalated_to": ME}, True, False),
        ({"escalated_to": OTHER}, True, False),
        ({"assigned_to": ME, "closed_at": NOW}, False, False),
    ],
)
def test_names_are_read_by_the_one_whose_open_case_it_is(changed: dict[str, object], takes: bool, reads: bool) -> None:
    """SEC-08: least sight: nobody reads names on a case that is not theirs, or is closed."""
    found = case(**changed)
    assert (found.may_take(ME), found.shows_names_to(ME)) == (takes, reads)


def test_late_is_open_and_past_its_deadline() -> None:
    """SUB-08: a case without a deadline, or closed, is not late."""
    past = NOW - timedelta(seconds=1)
    assert case(due_at=past).is_overdue(NOW)
    assert not case(due_at=NOW).is_overdue(NOW)
    assert not case(due_at=past, closed_at=NOW).is_overdue(NOW)
    assert not case().is_overdue(NOW)


def test_every_kind_says_what_to_do_and_an_unknown_one_has_a_name() -> None:
    """SUB-08: a kind that another part adds breaks no page."""
    assert set(WHAT_TO_DO) == set(KINDS)
    assert kind_words("something-new") is UNKNOWN_KIND


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 10**18 - 1))
def test_a_page_begins_where_the_last_one_ended(when: datetime, number: int) -> None:
    """SEC-10: what the queue writes into an address it reads back."""
    assert After.read(After.of(case(due_at=when, case_no=number))) == After(when, number)


@given(st.text())
def test_a_garbled_beginning_begins_at_the_start(text: str) -> None:
    """SEC-10: whatever stands in the address, the queue shows something."""
    found = After.read(text)
    assert found is None or After.read(f"{found.when.isoformat()}~{found.case_no}") == found


@given(st.dictionaries(st.sampled_from(["out", "lately", "by-staff", "cases-open"]), st.integers(0, 40)))
def test_small_numbers_are_hidden(values: dict[str, int]) -> None:
    """REL-01: 1 to 10 are never shown; 0 and 11 are."""
    shown = hide_small(values)
    assert all(value is None or value == 0 or value >= 11 for value in shown.values())
    assert all(shown[what] == value for what, value in values.items() if value == 0 or value >= 11)
