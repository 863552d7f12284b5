"""The rules of standing, over all histories hypothesis can think of."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import CANCERLINQ, Answer, DataCategory, Decision, Subject, donation_to
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.standing import Standing, Verdict, Why, standing
from tests.histories import trials
from tests.histories.trials import CHANGES_ITS_MIND
from tests.pure.consent.decisions import NOW, ROSA, ROSA_AT_LAKESIDE, T0, decided
from tests.support.draws import draws
from vocabulary.actor import ActorKind

SUBJECTS = [CANCERLINQ, donation_to("living-well"), donation_to("early-signs")]


@st.composite
def histories(draw: st.DrawFn, most: int = 7) -> list[Decision]:
    """Up to `most` decisions of two linked persons, each with dense versions, some with start or end."""
    versions = {ROSA: 0, ROSA_AT_LAKESIDE: 0}
    made = []
    for _ in range(draw(st.integers(0, most))):
        person = draw(st.sampled_from([ROSA, ROSA, ROSA_AT_LAKESIDE]))
        versions[person] += 1
        days = st.one_of(st.none(), st.integers(0, 20).map(lambda d: T0 + timedelta(days=d)))
        made.append(
            decided(
                versions[person],
                draw(st.sampled_from(SUBJECTS)),
                draw(st.sampled_from(list(Answer))),
                person,
                starts_at=draw(days),
                expires_at=draw(days),
            )
        )
    return made


def shared(stands: Standing) -> set[tuple[str, str]]:
    """Everything that flows: (recipient, part) pairs."""
    flows = {("cancerlinq", "all")} if stands.in_cancerlinq(True) else set()
    for effort in (LIVING_WELL, EARLY_SIGNS):
        allowed = stands.donation(effort)
        flows |= {(effort.id, category.value) for category in allowed.categories if allowed.permits}
    return flows


@given(histories(), st.randoms(use_true_random=False))
@draws(80)
def test_any_order_with_duplicates(history: list[Decision], shuffle: random.Random) -> None:
    """CON-10, decisions (version decides): order of arrival and duplicates change nothing."""
    arrived = history + [d for d in history if shuffle.random() < 0.5]
    shuffle.shuffle(arrived)
    assert standing(arrived, NOW) == standing(history, NOW)


def test_every_permutation_of_seven() -> None:
    """Abuse 16: all 5,040 orders of a history that changes its mind give the one standing."""
    expected = standing(CHANGES_ITS_MIND, NOW)
    assert expected.opted_out
    for order in itertools.permutations(CHANGES_ITS_MIND):
        assert standing(order, NOW) == expected


def test_many_histories_in_small() -> None:
    """CON-10, issue 3: every order with repeats of up to five messages, and long random histories; in full by
    `python -m tests.histories`."""
    told = trials.run(count=60, seed=11, length=5)
    assert not told.wrong.total(), told.wrong
    assert told.looked_at["orders with repeats"] == 1 + 3 + 13 + 75 + 541


@pytest.mark.parametrize("rule", ["arrival", "a yes lifts"])
def test_many_histories_find_a_broken_rule(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    """Threats 5 (rules for figures): a rule that goes by arrival, or lets any yes lift, is found."""

    def broken(history: Iterable[Decision], now: datetime) -> Standing:
        heard = list(history)
        if rule == "arrival":
            heard = [replace(each, version=place) for place, each in enumerate(heard, start=1)]
        else:
            lifted = {each.subject for each in heard if not each.is_no}
            heard = [each for each in heard if not (each.is_no and each.subject in lifted)]
        return standing(heard, now)

    monkeypatch.setattr(trials, "standing", broken)
    assert trials.run(count=20, seed=3, length=4).wrong.total()


@given(histories(), st.sampled_from(SUBJECTS), st.integers(0, 8), st.sampled_from([ROSA, ROSA_AT_LAKESIDE]))
@draws(120)
def test_adding_a_no_never_widens(history: list[Decision], subject: Subject, place: int, person: UUID) -> None:
    """CON-10: a no put anywhere into the history lets nothing through that did not go through before."""
    own = [d for d in history if d.person_id == person]
    place = min(place, len(own)) + 1
    moved = [replace(d, version=d.version + 1) if d.person_id == person and d.version >= place else d for d in history]
    with_no = [*moved, decided(place, subject, Answer.NO, person, id=uuid4())]
    assert shared(standing(with_no, NOW)) <= shared(standing(history, NOW))


@given(histories())
@draws(80)
def test_linking_never_widens_beyond_either(history: list[Decision]) -> None:
    """CON-10: what both linked persons share together, one of them already shared alone."""
    alone = [shared(standing([d for d in history if d.person_id == who], NOW)) for who in (ROSA, ROSA_AT_LAKESIDE)]
    assert shared(standing(history, NOW)) <= alone[0] | alone[1]


@pytest.mark.parametrize("effort", [None, "living-well", "early-signs"])
@pytest.mark.parametrize("answer", list(Answer))
@pytest.mark.parametrize("before", [(), ("living-well",), ("living-well", "early-signs")])
def test_choices_do_not_move_each_other(effort: str | None, answer: Answer, before: Iterable[str]) -> None:
    """X-01: each answer moves its own choice only, but for the one stated exception (via CancerLinQ)."""
    history = [decided(n, donation_to(name), Answer.YES) for n, name in enumerate(before, start=1)]
    subject = donation_to(effort) if effort else CANCERLINQ
    was, now = standing(history, NOW), standing([*history, decided(9, subject, answer)], NOW)
    moved: set[str | None] = set()
    if was.opted_out != now.opted_out:
        moved.add(None)
    moved |= {e.id for e in (LIVING_WELL, EARLY_SIGNS) if was.donation(e).verdict != now.donation(e).verdict}
    may_move = {effort}
    if subject == CANCERLINQ and answer is Answer.NO:
        may_move.add(EARLY_SIGNS.id)
    assert moved <= may_move
    raw = {name: now.answered(donation_to(name)).verdict for name in before if name != effort}
    assert set(raw.values()) <= {Verdict.YES}, "no donation is rewritten by another choice"


def test_default_is_in_for_a_participating_practice() -> None:
    """X-01 (a): opt-out model, default in where the practice takes part, and a donation is default out."""
    stands = standing([], NOW)
    assert stands.cancerlinq.verdict is Verdict.NOT_ANSWERED
    assert stands.in_cancerlinq(True)
    assert not stands.in_cancerlinq(False)
    assert not stands.donation(LIVING_WELL).permits


def test_opt_out_beats_an_effort_fed_by_cancerlinq_then_asks_again() -> None:
    """X-05: denied while the opt-out stands; after it is lifted the person is asked again, not silently put back."""
    donated = [decided(1, donation_to("early-signs"), Answer.YES), decided(2, donation_to("living-well"), Answer.YES)]
    out = [*donated, decided(3)]
    assert standing(out, NOW).donation(EARLY_SIGNS).why is Why.OPTED_OUT
    assert standing(out, NOW).donation(LIVING_WELL).permits, "a direct donation stands until its own no"
    later_donation = [*out, decided(4, donation_to("early-signs"), Answer.YES)]
    assert standing(later_donation, NOW).opted_out, "a donation does not lift the opt-out"
    assert not standing(later_donation, NOW).donation(EARLY_SIGNS).permits
    lifted = [*later_donation, decided(5, CANCERLINQ, Answer.YES)]
    assert standing(lifted, NOW).donation(EARLY_SIGNS).why is Why.ASK_AGAIN
    again = [*lifted, decided(6, donation_to("early-signs"), Answer.YES)]
    assert standing(again, NOW).donation(EARLY_SIGNS).permits


def test_expired_and_future() -> None:
    """CON-09: an ended period is no consent, a future start not yet; a no does not run out."""
    effort = donation_to("living-well")
    ended = decided(1, effort, Answer.YES, expires_at=NOW)
    assert standing([ended], NOW).donation(LIVING_WELL).why is Why.EXPIRED
    assert standing([ended], NOW - timedelta(seconds=1)).donation(LIVING_WELL).permits
    future = decided(1, effort, Answer.YES, starts_at=NOW + timedelta(seconds=1))
    assert standing([future], NOW).donation(LIVING_WELL).why is Why.NOT_YET
    assert standing([future], NOW + timedelta(seconds=1)).donation(LIVING_WELL).permits
    for_ever = decided(1, CANCERLINQ, Answer.NO, expires_at=T0, starts_at=NOW + timedelta(days=1))
    assert standing([for_ever], NOW).opted_out
    lift_ran_out = [decided(1), decided(2, CANCERLINQ, Answer.YES, expires_at=T0)]
    assert standing(lift_ran_out, NOW).opted_out


def test_care_team_opt_out_counts_at_once() -> None:
    """CON-11: in force immediately, marked unconfirmed until the person confirms it."""
    by_nurse = decided(1, by=ActorKind.CARE_TEAM, confirmed_by_person=False)
    stands = standing([by_nurse], NOW)
    assert stands.opted_out
    assert stands.cancerlinq.decision is not None
    assert not stands.cancerlinq.decision.confirmed_by_person


def test_linked_persons_deny_wins_and_parts_meet() -> None:
    """CON-10: the union of both histories; a no of either wins, two yeses let through what both let through."""
    effort = donation_to("living-well")
    mine = decided(1, effort, Answer.YES, categories=frozenset({DataCategory.CLINICAL, DataCategory.THERAPY}))
    theirs = decided(1, effort, Answer.YES, ROSA_AT_LAKESIDE, categories=frozenset({DataCategory.CLINICAL}))
    assert standing([mine, theirs], NOW).donation(LIVING_WELL).categories == {DataCategory.CLINICAL}
    no = decided(2, effort, Answer.NO, ROSA_AT_LAKESIDE)
    assert standing([mine, theirs, no], NOW).donation(LIVING_WELL).verdict is Verdict.NO


def test_two_rows_claiming_one_version() -> None:
    """Rule of the house: in doubt the answer is no."""
    assert standing([decided(1, answer=Answer.YES), decided(1, answer=Answer.NO)], NOW).opted_out
