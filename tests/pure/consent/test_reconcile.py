"""Reconciliation's rules: which ranges are asked for, and what is done about a difference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Answer
from consent.reconcile.look import MOST_REQUESTS, differences, look_at
from consent.reconcile.nightly import is_due
from consent.reconcile.settle import Extra, Missing, Why, settle
from consent.reconcile.spans import Facts, closer_look, cut, first_look, requests_of
from consent.stores.adapter import NotDelivered
from consent.stores.comparable import (
    MOST_NUMBERS,
    MOST_SPANS,
    Comparable,
    Counts,
    Digest,
    Fact,
    Span,
    digest_of,
    read_counts,
    read_digests,
    read_facts,
)
from consent.stores.fhir_server import FhirStore
from consent.stores.kafka_stream import KafkaStore
from consent.stores.nats_stream import NatsStore
from consent.stores.warehouse import WarehouseStore
from consent.stores.webhook import WebhookStore

ROSA, BEN = UUID(int=1), UUID(int=2)


@dataclass
class Told:
    """A store that holds `facts`, and counts what it is asked; `counting`: it has no digests, as a FHIR server."""

    facts_held: dict[int, Fact]
    counting: bool = False
    asked: list[int] = field(default_factory=list)

    def counts(self, through: int) -> Counts:
        held = [fact for fact in self.facts_held.values() if fact.event <= through]
        return Counts(len(held), sum(fact.answer == "no" for fact in held), 0)

    def digests(self, through: int, spans: Sequence[Span]) -> list[Digest]:
        assert len(spans) <= MOST_SPANS
        found = [digest_of(self._within(span)) for span in spans]
        return [Digest(one.total, one.nos, None) for one in found] if self.counting else found

    def facts(self, through: int, spans: Sequence[Span]) -> list[Fact]:
        assert sum(span.width for span in spans) <= MOST_NUMBERS
        self.asked += [number for span in spans for number in range(span.first, span.last + 1)]
        return [fact for span in spans for fact in self._within(span)]

    def _within(self, span: Span) -> list[Fact]:
        numbers = range(span.first, span.last + 1)
        return [self.facts_held[number] for number in numbers if number in self.facts_held]


def held(count: int) -> dict[int, Fact]:
    """Every third event was superseded; the rest is no, but for each tenth."""
    return {n: Fact(n, 1 + n % 4, "yes" if n % 10 == 0 else "no") for n in range(1, count + 1) if n % 3}


def ours(facts: dict[int, Fact]) -> Facts:
    return Facts((n, facts[n].version, facts[n].answer == "no") for n in sorted(facts))


@pytest.mark.parametrize("counting", [False, True])
def test_one_event_in_ten_thousand(counting: bool) -> None:
    """SUB-08: one lost event is found by its range: three requests, and no more than ten numbers fetched."""
    facts = held(10_000)
    store = Told({n: fact for n, fact in facts.items() if n != 7_777}, counting)
    look = look_at(store, ours(facts), 10_000)
    assert differences(look, ours(facts)) == ([7_777], [])
    assert (look.requests, look.whole) == (3, True)
    assert 7_777 in store.asked
    assert len(store.asked) == look.fetched <= 10


@pytest.mark.parametrize("changed", [Fact(500, 1, "no"), Fact(500, 9, "yes"), None])
def test_whatever_was_changed_is_found(changed: Fact | None) -> None:
    """Another answer, another version, or nothing."""
    facts = held(5_000)
    theirs = {n: fact for n, fact in facts.items() if n != 500} | ({500: changed} if changed else {})
    look = look_at(Told(theirs), ours(facts), 5_000)
    assert differences(look, ours(facts)) == ([500], [])


def test_what_agrees_is_not_fetched() -> None:
    """Two requests for two hundred thousand events that agree, and nothing fetched."""
    facts = held(200_000)
    look = look_at(Told(facts), ours(facts), 200_000)
    assert (look.requests, look.fetched, look.spans) == (2, 0, [])


def test_few_among_many_cost_little() -> None:
    """Drift in a few places of two hundred thousand is cut down to small spans first."""
    facts = held(200_000)
    lost = {1, 100_000, 100_001, 199_999}
    store = Told({n: fact for n, fact in facts.items() if n not in lost} | {99: Fact(99, 1, "yes")})
    look = look_at(store, ours(facts), 200_000)
    missing, extra = differences(look, ours(facts))
    assert (set(missing), extra) == (lost, [99])
    assert look.fetched <= 5 * 200


def test_a_store_that_differs_everywhere_is_not_asked_for_ever() -> None:
    """A bound on requests, said in the result."""
    facts = held(60_000)
    look = look_at(Told({}), ours(facts), 60_000)
    assert look.whole
    assert look.requests <= MOST_REQUESTS
    assert len(differences(look, ours(facts))[0]) == len(facts)


@given(st.integers(1, 5_000_000), st.integers(1, 2_000))
def test_spans_cover_each_number_once(last: int, parts: int) -> None:
    """Cut as you like: dense, in order, and no more parts than asked for."""
    spans = cut(Span(1, last), parts)
    assert len(spans) <= parts
    assert spans[0].first == 1
    assert spans[-1].last == last
    assert all(b.first == a.last + 1 for a, b in itertools.pairwise(spans))
    smaller = closer_look(spans[:20])
    assert sum(span.width for span in smaller) == sum(span.width for span in spans[:20])
    grouped = list(requests_of(smaller, 50, 10_000_000))
    assert [span for group in grouped for span in group] == smaller
    assert all(len(group) <= 50 for group in grouped)


def test_nothing_told_is_nothing_to_ask() -> None:
    assert first_look(0) == []
    assert look_at(Told({}), ours({}), 0).requests == 1


def test_only_less_sharing_is_repaired() -> None:
    """Decisions: a lost no is told again; a lost yes, an unknown event and a stale answer go to people."""
    lost_no = Missing(1, 10, ROSA, Answer.NO)
    lost_yes = Missing(2, 20, BEN, Answer.YES)
    plan = settle([lost_no, lost_yes], [Extra(9)])
    assert plan.repairs == (10,)
    assert [(one.event, one.why) for one in plan.people] == [(2, Why.KEEPS_OUT), (9, Why.NEVER_TOLD)]
    assert plan.differing == 3


def test_an_older_answer_in_force_is_settled_by_the_newest() -> None:
    """A no that is newest is told again; a narrower yes too, and it is then no task; what is on its way is nothing."""
    assert settle([], [Extra(1, ROSA, 30, Answer.NO)]).repairs == (30,)
    narrower = settle([Missing(5, 50, ROSA, Answer.YES)], [Extra(4, ROSA, 50, Answer.YES, narrower=True)])
    assert (narrower.repairs, narrower.people) == ((50,), ())
    assert settle([], [Extra(1, ROSA, 30, Answer.YES, on_its_way=True)]).differing == 0
    (stale,) = settle([], [Extra(1, ROSA, 30, Answer.YES)]).people
    assert stale.why is Why.OLDER_ANSWER
    explained = settle([Missing(5, 50, ROSA, Answer.YES)], [Extra(4, ROSA, 50, Answer.YES)])
    assert [one.event for one in explained.people] == [5]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from(Answer)), unique_by=lambda one: one[0]),
    st.lists(st.tuples(st.integers(10, 19), st.sampled_from(Answer), st.booleans(), st.booleans())),
)
def test_a_yes_is_never_told_again_unless_it_narrows(
    lost: list[tuple[int, Answer]], extra: list[tuple[int, Answer, bool, bool]]
) -> None:
    """Whatever differs, what is repaired by machine shares less."""
    missing = [Missing(event, event, UUID(int=event), answer) for event, answer in lost]
    more = [Extra(e, UUID(int=e), 100 + e, answer, on_its_way=way, narrower=less) for e, answer, way, less in extra]
    less = {one.position for one in missing if one.answer is Answer.NO}
    less |= {one.newest for one in more if one.newest_answer is Answer.NO or one.narrower}
    assert set(settle(missing, more).repairs) <= less


@pytest.mark.parametrize(
    "said", [None, [], {}, {"total": 1}, {"total": 1, "nos": 2, "stray": 0}, {"total": True, "nos": 0, "stray": 0}]
)
def test_counts_that_are_none(said: object) -> None:
    with pytest.raises(NotDelivered):
        read_counts(said)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)))
def test_garbage_is_not_believed(said: object) -> None:
    """Whatever JSON comes, it is refused or well formed."""
    span = Span(1, 5)
    for read in (read_digests, read_facts):
        try:
            found = read(said, [span])
        except NotDelivered:
            continue
        assert found == [] or isinstance(found[0], tuple)


@pytest.mark.parametrize(
    ("hours_gone", "hour", "due"), [(1, 3, False), (19, 3, False), (21, 3, True), (21, 12, False), (27, 12, True)]
)
def test_each_night_once(hours_gone: int, hour: int, due: bool) -> None:
    """SUB-08: daily; by day only when a night was missed."""
    now = datetime(2026, 11, 22, hour, 30, tzinfo=UTC)
    assert is_due(now - timedelta(hours=hours_gone), now) is due


def test_which_kinds_can_be_compared() -> None:
    """SUB-08: a stream cannot be asked anything, and its run says so; the others can."""
    assert all(issubclass(kind, Comparable) for kind in (WebhookStore, WarehouseStore, FhirStore))
    assert not any(issubclass(kind, Comparable) for kind in (NatsStore, KafkaStore))
