"""Ask a store until it is known which single events differ: counts, digests, smaller digests, facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from consent.reconcile.spans import Facts, closer_look, first_look, requests_of, small_enough
from consent.stores.comparable import MOST_NUMBERS, MOST_SPANS, Comparable, Counts, Fact, Span

MOST_REQUESTS = 400
"""A store that differs everywhere is not asked for ever: it is to be backfilled."""


@dataclass
class Look:
    """What one look came to. `spans` differ, `theirs` are the store's facts in them; `whole` False when there was more
    than a run fetches."""

    counts: Counts
    requests: int = 1
    fetched: int = 0
    spans: list[Span] = field(default_factory=list)
    theirs: dict[int, Fact] = field(default_factory=dict)
    whole: bool = True


def look_at(store: Comparable, ours: Facts, through: int) -> Look:
    """Where `store` differs from `ours` in the events up to `through`; NotDelivered and CannotCompare pass on."""
    look = Look(store.counts(through))
    spans = _differing(look, store, ours, through, first_look(through, getattr(store, "grain", 1)))
    while spans and not small_enough(spans):
        spans = _differing(look, store, ours, through, closer_look(spans))
    for group in requests_of(spans, MOST_SPANS, MOST_NUMBERS):
        if look.requests >= MOST_REQUESTS:
            look.whole = False
            break
        look.requests += 1
        look.fetched += sum(span.width for span in group)
        look.theirs.update({fact.event: fact for fact in store.facts(through, group)})
        look.spans += group
    return look


def _differing(look: Look, store: Comparable, ours: Facts, through: int, spans: Sequence[Span]) -> list[Span]:
    found: list[Span] = []
    for group in requests_of(spans, MOST_SPANS):
        if look.requests >= MOST_REQUESTS:
            look.whole = False
            break
        look.requests += 1
        theirs = store.digests(through, group)
        found += [span for span, digest in zip(group, theirs, strict=True) if not ours.digest(span).agrees_with(digest)]
    return found


def differences(look: Look, ours: Facts) -> tuple[list[int], list[int]]:
    """In the spans that differ: events that should be in force there as they are here and are not, and those in force
    there that should not be."""
    missing, extra = [], set(look.theirs)
    for span in look.spans:
        for fact in ours.within(span):
            extra.discard(fact.event)
            if look.theirs.get(fact.event) != fact:
                missing.append(fact.event)
    return missing, sorted(extra)
