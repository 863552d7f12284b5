"""Which stores a choice covers, what the preview says, and what each store may use."""

from __future__ import annotations

import itertools

import pytest

from consent.coverage import Change, KnownAs, alias_reaches, effects, stores_concerned, told_answer
from consent.decision import CANCERLINQ, Answer, DataCategory, SensitiveClass, Subject, donation_to
from consent.may_use import Purpose, Reason, may_use
from consent.standing import standing
from consent.store_config import Store
from tests.pure.consent.decisions import NOW, decided
from tests.pure.consent.stores import (
    ALL_STORES,
    CANCERLINQ_STORE,
    DISCOVERY,
    EARLY_SIGNS_STORE,
    LIVING_WELL_STORE,
    REGISTRY,
    RIVERSIDE,
    TEMPUS,
)

ROSA_KNOWN = KnownAs(
    frozenset({("riverside-main", RIVERSIDE)}), frozenset({"MA"}), frozenset({"living-well", "early-signs"})
)
OUT = standing([decided(1)], NOW)
NEVER = standing([], NOW)


def test_only_stores_that_know_or_would_receive_the_person() -> None:
    """Decisions (only stores that hold are told): a store of another practice or an effort never given to is not."""
    assert stores_concerned(ALL_STORES, ROSA_KNOWN) == {store.id for store in ALL_STORES}
    assert stores_concerned(ALL_STORES, KnownAs()) == frozenset()
    elsewhere = KnownAs(frozenset({("hilltop-main", RIVERSIDE)}), frozenset({"NY"}))
    assert stores_concerned(ALL_STORES, elsewhere) == frozenset()
    assert alias_reaches(CANCERLINQ_STORE, "riverside-main", RIVERSIDE)


@pytest.mark.parametrize("subject", [CANCERLINQ, donation_to("living-well"), donation_to("early-signs")])
@pytest.mark.parametrize("answer", list(Answer))
def test_who_is_told_what(subject: Subject, answer: Answer) -> None:
    """X-06, decisions: operations stores hear of CancerLinQ, an effort of itself, a registry of nothing."""
    decision = decided(1, subject, answer)
    told = {store.id: told_answer(store, decision) for store in ALL_STORES}
    assert told["registry"] is None
    if subject == CANCERLINQ:
        assert told["cancerlinq"] == told["tempus"] == told["discovery"] == answer
        assert told["living-well"] is None
        assert told["early-signs"] == (Answer.NO if answer is Answer.NO else None)
    else:
        assert told == {store.id: answer if store.effort == decision.effort else None for store in ALL_STORES}


def test_preview_of_an_opt_out() -> None:
    """X-05, HIP-13: what stops, what stays, what cannot be undone, as the decision engine itself says."""
    donated = [decided(n, donation_to(e), Answer.YES) for n, e in ((1, "living-well"), (2, "early-signs"))]
    before, after = standing(donated, NOW), standing([*donated, decided(3)], NOW)
    rows = effects(before, after, ALL_STORES, stores_concerned(ALL_STORES, ROSA_KNOWN))
    change = {row.store_id: row.change for row in rows}
    assert change == {
        "cancerlinq": Change.STOPS,
        "tempus": Change.STOPS,
        "discovery": Change.STOPS,
        "early-signs": Change.STOPS,
        "living-well": Change.STAYS_IN,
        "registry": Change.BY_LAW,
    }
    assert rows[-1].store_id == "registry"
    assert all(row.deadline is not None for row in rows if row.is_change)
    assert all(row.cannot_undo for row in rows if row.change is Change.STOPS)
    discovery = next(row for row in rows if row.store_id == "discovery")
    assert "cannot be called back" in str(discovery.cannot_undo[0]), "X-03: nothing released is recalled"


def test_every_row_of_the_preview_has_words() -> None:
    """Every change that can happen in every kind of store has a sentence."""
    base = [decided(1, donation_to(e), Answer.YES) for e in ("living-well", "early-signs")]
    fewer = decided(5, donation_to("living-well"), Answer.YES, categories=frozenset({DataCategory.CLINICAL}))
    states = [standing(h, NOW) for h in ([], base, [*base, decided(9)], [decided(9)], [*base, fewer])]
    for before, after in itertools.product(states, states):
        for row in effects(before, after, ALL_STORES, {store.id for store in ALL_STORES}):
            assert str(row.says)
            assert row.is_change == (row.deadline is not None)


def test_first_donation_shows_its_store_before_it_knows_the_person() -> None:
    """HIP-10: the preview names the one who will receive, though it holds nothing yet."""
    after = standing([decided(1, donation_to("living-well"), Answer.YES)], NOW)
    rows = effects(NEVER, after, ALL_STORES, frozenset())
    assert [(row.store_id, row.change) for row in rows] == [("living-well", Change.STARTS)]


NOTHING = frozenset[SensitiveClass]()


@pytest.mark.parametrize("store", ALL_STORES, ids=lambda store: store.id)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_unreadable_standing_permits_nothing_but_the_law(store: Store, purpose: Purpose) -> None:
    """CON-10: error means deny, whatever the store and purpose; the law's report goes on (X-06)."""
    answer = may_use(
        store,
        DataCategory.CLINICAL,
        NOTHING,
        purpose,
        None,
        ROSA_KNOWN,
        participates=True,
    )
    assert answer.allowed == (store is REGISTRY and purpose is Purpose.PUBLIC_HEALTH)


def test_may_use() -> None:
    """CON-06, CON-10, X-05, X-06: a table of who may use what."""
    clinical, effort = frozenset({DataCategory.CLINICAL}), donation_to("living-well")
    yes = standing([decided(1, effort, Answer.YES, categories=clinical)], NOW)
    genetic = frozenset({SensitiveClass.GENETIC})
    with_genetic = standing([decided(1, effort, Answer.YES, sensitive=genetic)], NOW)
    via_out = standing([decided(1, donation_to("early-signs"), Answer.YES), decided(2)], NOW)
    research, operations, law = Purpose.RESEARCH, Purpose.OPERATIONS, Purpose.PUBLIC_HEALTH
    table = [
        (CANCERLINQ_STORE, DataCategory.CLINICAL, NOTHING, operations, NEVER, Reason.NOT_OPTED_OUT),
        (DISCOVERY, DataCategory.CLINICAL, NOTHING, operations, OUT, Reason.OPTED_OUT),
        (TEMPUS, DataCategory.CLINICAL, NOTHING, research, NEVER, Reason.OTHER_PURPOSE),
        (REGISTRY, DataCategory.CLINICAL, NOTHING, law, OUT, Reason.LAW),
        (LIVING_WELL_STORE, DataCategory.CLINICAL, NOTHING, research, NEVER, Reason.NO_DONATION),
        (LIVING_WELL_STORE, DataCategory.CLINICAL, NOTHING, research, yes, Reason.DONATED),
        (LIVING_WELL_STORE, DataCategory.THERAPY, NOTHING, research, yes, Reason.NOT_CHOSEN),
        (LIVING_WELL_STORE, DataCategory.CLINICAL, genetic, research, yes, Reason.SENSITIVE),
        (LIVING_WELL_STORE, DataCategory.CLINICAL, genetic, research, with_genetic, Reason.DONATED),
        (EARLY_SIGNS_STORE, DataCategory.CLINICAL, NOTHING, research, via_out, Reason.OPTED_OUT),
    ]
    for store, category, sensitive, purpose, stands, reason in table:
        answer = may_use(store, category, sensitive, purpose, stands, ROSA_KNOWN, participates=True)
        assert (store.id, answer.reason) == (store.id, reason)
        assert answer.allowed == (reason in (Reason.NOT_OPTED_OUT, Reason.DONATED, Reason.LAW))
