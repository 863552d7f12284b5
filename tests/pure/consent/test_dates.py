"""A yes that begins or runs out: whatever happens when, each store's last word is what stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consent.as_fhir import as_provenance
from consent.asked import Asked, subjects_to_record
from consent.coverage import told_answer
from consent.dates import Due, due, key_of, row_for
from consent.decision import CANCERLINQ, Answer, Decision, Means, Subject, donation_to
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.standing import Verdict, Why, standing
from consent.store_config import Store
from tests.pure.consent.decisions import T0, decided
from tests.pure.consent.stores import EARLY_SIGNS_STORE, LIVING_WELL_STORE
from tests.support.draws import draws
from vocabulary.actor import Actor, ActorKind

DIRECT, VIA = donation_to("living-well"), donation_to("early-signs")
EFFORT = {DIRECT: LIVING_WELL, VIA: EARLY_SIGNS}
STORE = {DIRECT: LIVING_WELL_STORE, VIA: EARLY_SIGNS_STORE}


def day(number: float) -> datetime:
    return T0 + timedelta(days=number)


def yes(version: int, recorded: float, starts: float | None = None, ends: float | None = None) -> Decision:
    return decided(
        version,
        DIRECT,
        Answer.YES,
        recorded_at=day(recorded),
        starts_at=None if starts is None else day(starts),
        expires_at=None if ends is None else day(ends),
    )


def look(history: list[Decision], now: datetime) -> list[Decision]:
    """What the feed adds when it looks."""
    top = max((d.version for d in history), default=0)
    return [
        row_for(item, UUID(int=2**100 + top + count), top + count, b"t" * 32, now)
        for count, item in enumerate(due(history, now), start=1)
    ]


def last_word(store: Store, history: list[Decision]) -> Answer | None:
    """What a store that keeps the highest version believes."""
    told = [told_answer(store, d) for d in sorted(history, key=lambda d: d.version)]
    return next((answer for answer in reversed(told) if answer is not None), None)


Step = tuple[Subject, Answer, float | None, float | None, bool]
steps = st.lists(
    st.tuples(
        st.sampled_from([DIRECT, DIRECT, VIA, CANCERLINQ]),
        st.sampled_from(list(Answer)),
        st.one_of(st.none(), st.integers(-2, 9).map(float)),
        st.one_of(st.none(), st.integers(1, 9).map(float)),
        st.booleans(),
    ),
    max_size=9,
)


def live(life: list[Step]) -> list[tuple[datetime, list[Decision]]]:
    """A day for each step; where its last member says so, and at the end, the feed looks. Moments after each look."""
    history: list[Decision] = []
    seen = []
    for number, (subject, answer, starts, ends, looks) in enumerate(life):
        now = day(number)
        opted_out = standing(history, now).opted_out
        if not (subject == VIA and answer is Answer.YES and opted_out):  # denied, with no row written
            dated = subject != CANCERLINQ and answer is Answer.YES
            history.append(
                decided(
                    max((d.version for d in history), default=0) + 1,
                    subject,
                    answer,
                    recorded_at=now,
                    starts_at=now + timedelta(days=starts) if dated and starts is not None else None,
                    expires_at=now + timedelta(days=ends) if dated and ends is not None else None,
                )
            )
        if looks:
            history += look(history, now)
            seen.append((now, list(history)))
    for number in range(len(life), len(life) + 20):
        history += look(history, day(number))
        seen.append((day(number), list(history)))
    return seen


@given(steps)
@draws(300)
def test_the_last_word_is_what_stands(life: list[Step]) -> None:
    """CON-09: after each look every store has been told yes last exactly where a yes stands."""
    for now, history in live(life):
        stands = standing(history, now)
        for subject, effort in EFFORT.items():
            told = last_word(STORE[subject], history) is Answer.YES
            assert told == stands.donation(effort).permits, (now, subject)


@given(steps)
@draws(200)
def test_a_look_settles_and_decides_nothing(life: list[Step]) -> None:
    """CON-09, X-01: looking twice adds nothing, keys are unique, and no standing at any time rests on such a row."""
    for now, history in live(life):
        assert due(history, now) == []
        people = [d for d in history if not d.by_the_clock]
        for moment in (now, day(0), day(40)):
            assert standing(history, moment) == standing(people, moment)
        keys = [d.idempotency_key for d in history if d.by_the_clock]
        assert len(keys) == len(set(keys))
        assert [d.version for d in history] == list(range(1, len(history) + 1))


def test_an_expiry_tells_no_and_asks_the_person_again() -> None:
    """CON-09: at the very moment of its end; the page still says that it ran out, not that the person refused."""
    given_yes = yes(1, 0, ends=5)
    assert due([given_yes], day(5) - timedelta(microseconds=1)) == []
    assert due([given_yes], day(5)) == [Due(given_yes, Means.EXPIRY)]
    (row,) = look([given_yes], day(5))
    assert (row.answer, row.by.kind, row.version) == (Answer.NO, ActorKind.SYSTEM, 2)
    assert (row.categories, row.expires_at) == (frozenset(), None)
    stands = standing([given_yes, row], day(6)).donation(LIVING_WELL)
    assert (stands.verdict, stands.why, stands.decision) == (Verdict.NOT_ANSWERED, Why.EXPIRED, given_yes)


def test_a_yes_for_later_is_told_when_it_begins() -> None:
    """CON-09: not before, then with the parts chosen and its end; the signed row is still what stands."""
    later = yes(1, 0, starts=3, ends=9)
    assert told_answer(LIVING_WELL_STORE, later) is None
    assert due([later], day(2)) == []
    (row,) = look([later], day(3))
    assert (row.answer, row.categories, row.expires_at) == (Answer.YES, later.categories, later.expires_at)
    assert told_answer(LIVING_WELL_STORE, row) is Answer.YES
    assert standing([later, row], day(4)).donation(LIVING_WELL).decision == later
    assert due([later, row], day(9)) == [Due(later, Means.EXPIRY)]


def test_one_ends_where_the_next_is_still_to_begin() -> None:
    """CON-09: the no between two yeses does not stop the second."""
    history = [yes(1, 0, ends=2), yes(2, 1, starts=4)]
    history += look(history, day(2))
    assert last_word(LIVING_WELL_STORE, history) is Answer.NO
    history += look(history, day(4))
    assert last_word(LIVING_WELL_STORE, history) is Answer.YES
    assert history[-1].idempotency_key == key_of(history[1], Means.BEGINNING)


def test_a_no_ends_all_dates() -> None:
    """X-05: after a no, neither the beginning nor the end of an earlier yes tells the stores anything."""
    history = [yes(1, 0, starts=5, ends=6), replace(decided(2, DIRECT), recorded_at=day(1))]
    assert [due(history, day(number)) for number in range(9)] == [[]] * 9


def test_what_was_seen_late_is_not_told_as_begun() -> None:
    """CON-09: the feed was away from before its beginning until after its end: nothing was told, nothing is."""
    assert due([yes(1, 0, starts=2, ends=3)], day(4)) == []


def test_the_person_may_still_refuse_after_an_expiry() -> None:
    """X-01: the clock's no is not the person's; theirs is recorded when they give it, and so is a new yes."""
    history = [yes(1, 0, ends=2)]
    history += look(history, day(2))
    for answer in Answer:
        pressed = Asked(Actor(ActorKind.PATIENT), history[0].person_id, DIRECT, answer, "form-0001", "en")
        assert subjects_to_record(pressed, history, day(3)) == (DIRECT,)


def test_its_provenance_names_nobody() -> None:
    """CON-12: the service is the enterer, on behalf of the patient, because a date came."""
    (row,) = look([yes(1, 0, ends=2)], day(2))
    provenance = as_provenance(row, "s", "v")
    assert provenance["agent"][0]["who"]["type"] == "Organization"
    assert "ends" in provenance["entity"][0]["what"]["display"]
