"""Which data stores a choice covers, and what a change does in each: the preview and the status page ask here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from consent.decision import Answer, Choice, Decision
from consent.efforts import SANDBOX_EFFORTS, Effort, Holds, effort_by_id
from consent.standing import Standing
from consent.store_config import Basis, Store
from vocabulary.phrase import Phrase, phrase


@dataclass(frozen=True)
class KnownAs:
    """How the outside knows a person: `(practice or provider, identifier system)` of each alias, the states of
    their clinics, and the stores for which a random code was made."""

    aliases: frozenset[tuple[str, str]] = frozenset()
    states: frozenset[str] = frozenset()
    coded_in: frozenset[str] = frozenset()


PATIENT_ID = "fhir-patient-id"
"""The system of the alias by which a sign-in finds a person: the id of the Patient resource at the provider. It is a
technical id, so a store knows a person by it only where its `identifier_system` says so."""


def alias_reaches(store: Store, practice: str, system: str) -> bool:
    """Whether this alias is one under which `store` would receive the person by its feed."""
    if store.identifier_system is None and system == PATIENT_ID:
        return False
    if store.identifier_system is not None and system != store.identifier_system:
        return False
    return not store.practices or practice in store.practices


def stores_concerned(stores: Iterable[Store], known: KnownAs) -> frozenset[str]:
    """The stores that hold, or by their feed would receive, this person; only these are told (decisions.md).

    A registry is concerned when a clinic lies in one of its states; it is shown, and never told (X-06).
    """
    concerned = set()
    for store in stores:
        if store.basis is Basis.LAW:
            reached = bool(store.states & known.states)
        elif store.basis is Basis.DONATION:
            reached = store.id in known.coded_in
        else:
            reached = any(alias_reaches(store, practice, system) for practice, system in known.aliases)
        if reached:
            concerned.add(store.id)
    return frozenset(concerned)


def told_answer(store: Store, decision: Decision) -> Answer | None:
    """What `store` is told of `decision`; None when it is none of its business.

    An operations store is told of CancerLinQ, an effort's store of that effort. The store of an effort fed by
    CancerLinQ is told `no` of its own effort when the person opts out, and nothing when the opt-out is lifted,
    for the person is asked again. A yes for later is told when it begins, by a row of the clock's (ADR 0008).
    """
    if decision.is_deferred:
        return None
    if store.basis is Basis.OPERATIONS and decision.choice is Choice.CANCERLINQ:
        return decision.answer
    if store.basis is Basis.DONATION:
        if decision.effort == store.effort:
            return decision.answer
        if store.via_cancerlinq and decision.choice is Choice.CANCERLINQ and decision.is_no:
            return Answer.NO
    return None


class Change(StrEnum):
    """What happens in one store."""

    STOPS = "stops"
    STARTS = "starts"
    NARROWS = "narrows"
    CHANGES = "changes"
    STAYS_IN = "stays-in"
    STAYS_OUT = "stays-out"
    BY_LAW = "by-law"


@dataclass(frozen=True)
class StoreEffect:
    """One row of the preview. `says` is what will happen, `cannot_undo` what will not; `deadline` None: not told."""

    store_id: str
    name: str
    change: Change
    says: Phrase
    cannot_undo: tuple[Phrase, ...] = ()
    deadline: timedelta | None = None

    @property
    def is_change(self) -> bool:
        return self.change in (Change.STOPS, Change.STARTS, Change.NARROWS, Change.CHANGES)


@dataclass(frozen=True)
class _Allowed:
    """What a standing lets one store have."""

    any: bool
    parts: frozenset[str] = field(default_factory=frozenset)


def effects(
    before: Standing,
    after: Standing,
    stores: Iterable[Store],
    holds: Collection[str],
    efforts: tuple[Effort, ...] = SANDBOX_EFFORTS,
    participates: bool = True,
) -> tuple[StoreEffect, ...]:
    """For each store of `holds` (see `stores_concerned`), and each effort whose answer changes: what changes,
    what does not, and what cannot be undone. Changes come first; a registry comes last and never changes."""
    rows = []
    for store in stores:
        was = _allowed(store, before, efforts, participates)
        will = _allowed(store, after, efforts, participates)
        if store.id not in holds and not (store.basis is Basis.DONATION and was != will):
            continue
        rows.append(_effect(store, was, will))
    order = {Change.STAYS_IN: 1, Change.STAYS_OUT: 2, Change.BY_LAW: 3}
    return tuple(sorted(rows, key=lambda row: order.get(row.change, 0)))


def _allowed(store: Store, standing: Standing, efforts: tuple[Effort, ...], participates: bool) -> _Allowed:
    if store.basis is Basis.LAW:
        return _Allowed(True)
    if store.basis is Basis.OPERATIONS:
        return _Allowed(standing.in_cancerlinq(participates))
    effort = effort_by_id(store.effort or "", efforts)
    if effort is None:
        return _Allowed(False)
    stands = standing.donation(effort)
    return _Allowed(stands.permits, frozenset([*stands.categories, *stands.sensitive]))


def _effect(store: Store, was: _Allowed, will: _Allowed) -> StoreEffect:
    if store.basis is Basis.LAW:
        says = phrase("State law requires this report, so no choice here changes it.")
        return StoreEffect(store.id, store.name, Change.BY_LAW, says)
    change = _change(was, will)
    says, cannot_undo = _SAYS[change, store.basis, store.holds]
    told = change not in (Change.STAYS_IN, Change.STAYS_OUT)
    return StoreEffect(store.id, store.name, change, says, cannot_undo, store.deadline if told else None)


def _change(was: _Allowed, will: _Allowed) -> Change:
    if was == will:
        return Change.STAYS_IN if will.any else Change.STAYS_OUT
    if was.any and will.any:
        return Change.NARROWS if will.parts < was.parts else Change.CHANGES
    return Change.STARTS if will.any else Change.STOPS


_REMOVES = phrase("It stops collecting and removes what it holds that names you.")
_KEEPS_KEY = phrase("It keeps one code, so that nightly updates cannot bring you back.")
_NO_NEW_BUILD = phrase("You will not be in any new build.")
_NOT_RECALLED = phrase("Builds already given out have no names and cannot be called back.")
_USED = phrase("Results already worked out with your data may be kept.")
_SHARED = phrase("Coded data that was already shared with others cannot be called back.")

_Row = tuple[Phrase, tuple[Phrase, ...]]
_SAYS: Mapping[tuple[Change, Basis, Holds], _Row] = {
    (Change.STOPS, Basis.OPERATIONS, Holds.IDENTIFIABLE): (_REMOVES, (_KEEPS_KEY,)),
    (Change.STOPS, Basis.OPERATIONS, Holds.DE_IDENTIFIED): (_NO_NEW_BUILD, (_NOT_RECALLED,)),
    (Change.STARTS, Basis.OPERATIONS, Holds.IDENTIFIABLE): (phrase("Your clinic may send your data to it again."), ()),
    (Change.STARTS, Basis.OPERATIONS, Holds.DE_IDENTIFIED): (
        phrase("You may be in new builds, coded, with names removed."),
        (),
    ),
    (Change.STAYS_IN, Basis.OPERATIONS, Holds.IDENTIFIABLE): (phrase("Nothing changes. You stay in."), ()),
    (Change.STAYS_IN, Basis.OPERATIONS, Holds.DE_IDENTIFIED): (phrase("Nothing changes. You stay in."), ()),
    (Change.STAYS_OUT, Basis.OPERATIONS, Holds.IDENTIFIABLE): (phrase("Nothing changes. You stay out."), ()),
    (Change.STAYS_OUT, Basis.OPERATIONS, Holds.DE_IDENTIFIED): (phrase("Nothing changes. You stay out."), ()),
    (Change.STOPS, Basis.DONATION, Holds.IDENTIFIABLE): (
        phrase("We stop sending. It deletes what it holds about you."),
        (_USED,),
    ),
    (Change.STOPS, Basis.DONATION, Holds.DE_IDENTIFIED): (
        phrase("We stop sending. It deletes what it holds about you."),
        (_USED, _SHARED),
    ),
    (Change.STARTS, Basis.DONATION, Holds.IDENTIFIABLE): (
        phrase("It gets the parts you chose, with your name."),
        (phrase("You can stop at any time. What was already used stays used."),),
    ),
    (Change.STARTS, Basis.DONATION, Holds.DE_IDENTIFIED): (
        phrase("It gets the parts you chose, coded, names removed. The risk is small, not zero."),
        (phrase("You can stop at any time. What was already used stays used."),),
    ),
    (Change.NARROWS, Basis.DONATION, Holds.IDENTIFIABLE): (phrase("It gets fewer parts from now on."), (_USED,)),
    (Change.NARROWS, Basis.DONATION, Holds.DE_IDENTIFIED): (phrase("It gets fewer parts from now on."), (_USED,)),
    (Change.CHANGES, Basis.DONATION, Holds.IDENTIFIABLE): (phrase("It gets other parts from now on."), (_USED,)),
    (Change.CHANGES, Basis.DONATION, Holds.DE_IDENTIFIED): (phrase("It gets other parts from now on."), (_USED,)),
    (Change.STAYS_IN, Basis.DONATION, Holds.IDENTIFIABLE): (phrase("Nothing changes. Your donation goes on."), ()),
    (Change.STAYS_IN, Basis.DONATION, Holds.DE_IDENTIFIED): (phrase("Nothing changes. Your donation goes on."), ()),
    (Change.STAYS_OUT, Basis.DONATION, Holds.IDENTIFIABLE): (phrase("Nothing changes. It gets nothing."), ()),
    (Change.STAYS_OUT, Basis.DONATION, Holds.DE_IDENTIFIED): (phrase("Nothing changes. It gets nothing."), ()),
}
