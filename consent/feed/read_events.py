"""Which events one store is told of a run of positions, and by which name it knows each person."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Result, text
from sqlalchemy.orm import Session

from consent.coverage import alias_reaches, told_answer
from consent.decision import Choice, Decision, Subject, donation_to
from consent.person_identity import alias_place
from consent.receipts import MOST_ANSWERED
from consent.rows import FEED_COLUMNS, decision_of
from consent.store_config import Basis, Store
from consent.stores.lines import Lines
from consent.wire import StoreEvent
from database.keyring import KeyRing, SealBroken

SUBJECT_SYSTEM = "https://patient-portal.example/fhir/NamingSystem/subject"

# Which decisions are a store's business, as `coverage.told_answer` says it; `d` is the decision.
CONCERNS = (
    "NOT (d.answer = 'yes' AND d.starts_at IS NOT NULL AND d.starts_at > d.recorded_at)"
    " AND ((:basis = 'operations' AND d.choice = 'cancerlinq') OR (:basis = 'donation' AND (d.effort_id = :effort"
    " OR (:via AND d.choice = 'cancerlinq' AND d.answer = 'no'))))"
)
_READ = (
    f"SELECT q.position, {', '.join('d.' + name for name in FEED_COLUMNS.split(', '))}"  # noqa: S608 - constants
    f" FROM position q JOIN decision d ON d.id = q.decision_id WHERE {CONCERNS}"
)
_RUN = text(f"{_READ} AND q.position >= :start AND q.position < :stop ORDER BY q.position")
_AT = text(f"{_READ} AND q.position = ANY (:positions) ORDER BY q.position")
# What stood before position `standing_at`: nothing newer of the same person was this store's business by then.
_STOOD = (
    "q.position >= :start AND q.position < :stop AND (NOT :only_no OR d.answer = 'no')"  # noqa: S608 - constants
    " AND NOT EXISTS (SELECT 1 FROM position later JOIN decision e ON e.id = later.decision_id"
    "  WHERE later.person_id = q.person_id AND later.position > q.position AND later.position < :standing_at"
    f"  AND {CONCERNS.replace('d.', 'e.')}) ORDER BY q.position LIMIT :most"
)
_STANDING = text(f"{_READ} AND {_STOOD}")
_STANDING_AT = text(
    f"SELECT q.position FROM position q JOIN decision d ON d.id = q.decision_id WHERE {CONCERNS} AND {_STOOD}"  # noqa: S608 - constants
)
_ALIASES = text(
    "SELECT id, person_id, coalesce(practice_id, issued_by || '-main') AS practice, system, value_sealed"
    " FROM person_alias WHERE person_id = ANY (:persons) ORDER BY created_at, id"
)
_CODES = text("SELECT person_id, subject FROM store_subject WHERE store_id = :store AND person_id = ANY (:persons)")
_NEW_CODE = text(
    "INSERT INTO store_subject (store_id, person_id, subject, created_at) VALUES (:store, :person, :subject, :now)"
    " ON CONFLICT (store_id, person_id) DO NOTHING"
)


@dataclass(frozen=True)
class Told:
    """One thing to tell, not yet numbered. `value` is "" where the person's name there cannot be opened."""

    position: int
    system: str
    value: str
    subject: Subject
    decision: Decision

    @property
    def is_readable(self) -> bool:
        return self.value != ""


class AtPosition(Protocol):
    """What is told of a position, in whatever form."""

    @property
    def position(self) -> int: ...


AnyTold = TypeVar("AnyTold", bound=AtPosition)


def read_events(session: Session, ring: KeyRing, store: Store, start: int, stop: int, now: datetime) -> list[Told]:
    """What `store` is told of the positions `start` up to (not with) `stop`, in order.

    A person known to the store by two names is told of under each; a name that will not decrypt is given as "".
    A donation's yes makes the random code under which its store knows the person; a person without one is nobody
    there, and a no is not told.
    """
    bound = {"start": start, "stop": stop, **_business(store)}
    return _named(session, ring, store, _decisions(session.execute(_RUN, bound)), now)


def read_events_at(
    session: Session, ring: KeyRing, store: Store, positions: Sequence[int], now: datetime
) -> list[Told]:
    """The same for single positions."""
    bound = {"positions": list(positions), **_business(store)}
    return _named(session, ring, store, _decisions(session.execute(_AT, bound)), now)


def read_standing(
    session: Session,
    ring: KeyRing,
    store: Store,
    run: tuple[int, int],
    standing_at: int,
    now: datetime,
    *,
    most: int,
    only_no: bool,
) -> tuple[list[Told], int]:
    """The same for those decisions of the `run` only that still stood before position `standing_at`, `most` of them or
    fewer, and the position up to which (not with) that is all. `only_no`: leave out every yes."""
    start, stop = run
    bound = {"start": start, "stop": stop, "standing_at": standing_at, "most": most, "only_no": only_no}
    decisions = _decisions(session.execute(_STANDING, {**bound, **_business(store)}))
    end = stop if len(decisions) < most else decisions[-1][0] + 1
    return _named(session, ring, store, decisions, now), end


def standing_positions(
    session: Session, store: Store, run: tuple[int, int], standing_at: int, *, most: int, only_no: bool
) -> tuple[list[int], int]:
    """The positions that `read_standing` reads, and the position up to which (not with) they are all."""
    start, stop = run
    bound = {"start": start, "stop": stop, "standing_at": standing_at, "most": most, "only_no": only_no}
    found = list(session.scalars(_STANDING_AT, {**bound, **_business(store)}))
    return found, stop if len(found) < most else found[-1] + 1


def _business(store: Store) -> dict[str, Any]:
    return {"basis": store.basis.value, "effort": store.effort, "via": store.via_cancerlinq}


def _decisions(found: Result[Any]) -> list[tuple[int, Decision]]:
    rows = [row._asdict() for row in found]  # plain dictionaries: a mapping of a row is slow to ask
    return [(row["position"], decision_of(row)) for row in rows]


def _named(
    session: Session, ring: KeyRing, store: Store, decisions: Sequence[tuple[int, Decision]], now: datetime
) -> list[Told]:
    names = _names(session, ring, store, [decision for _, decision in decisions], now)
    return [
        Told(position, system, value, _subject(store, decision), decision)
        for position, decision in decisions
        for system, value in names.get(decision.person_id, ())
    ]


def numbered(told: Sequence[Told], store: Store, first: int) -> list[StoreEvent]:
    """The events with dense numbers from `first`."""
    events = []
    for number, item in enumerate(told, start=first):
        answer = told_answer(store, item.decision)
        assert answer is not None, "what is read for a store is its business"
        events.append(StoreEvent(number, item.position, item.system, item.value, item.subject, answer, item.decision))
    return events


def _subject(store: Store, decision: Decision) -> Subject:
    """For the store of an effort fed by CancerLinQ an opt-out is a no to that effort."""
    if store.effort is not None and decision.choice is Choice.CANCERLINQ:
        return donation_to(store.effort)
    return decision.subject


def _names(
    session: Session, ring: KeyRing, store: Store, decisions: Sequence[Decision], now: datetime
) -> Mapping[UUID, Sequence[tuple[str, str]]]:
    persons = sorted({decision.person_id for decision in decisions})
    if not persons:
        return {}
    if store.basis is Basis.DONATION:
        givers = {d.person_id for d in decisions if d.effort == store.effort and not d.is_no}
        return _codes(session, store, persons, givers, now)
    return _aliases(ring, store, session.execute(_ALIASES, {"persons": persons}).mappings())


def _aliases(
    ring: KeyRing, store: Store, rows: Iterable[Mapping[Any, Any]]
) -> Mapping[UUID, Sequence[tuple[str, str]]]:
    names: dict[UUID, list[tuple[str, str]]] = {}
    for row in rows:
        if alias_reaches(store, row["practice"], row["system"]):
            value = _opened(ring, row["value_sealed"], row["id"])
            names.setdefault(row["person_id"], []).append((row["system"], value))
    return names


def _opened(ring: KeyRing, sealed: bytes, alias_id: UUID) -> str:
    """The name, "" when it cannot be opened: that costs this person's event at this store, and nobody else's."""
    try:
        return ring.open(sealed, alias_place(alias_id)).decode()
    except (SealBroken, UnicodeDecodeError):
        return ""


def up_to_unreadable(told: Sequence[Told] | Lines, stop: int) -> tuple[Sequence[Told] | Lines, int]:
    """What comes before the first position with a name that cannot be opened, and the position to stop before; that
    position alone when it comes first. Nor more than any store may answer for at once."""
    broken = _first_unreadable(told)
    if broken is None and len(told) <= MOST_ANSWERED:
        return told, stop
    cut = min(len(told) if broken is None else broken, MOST_ANSWERED)
    position = told[cut].position
    first = last = cut
    while first and told[first - 1].position == position:
        first -= 1
    if first:
        return told[:first], position
    while last < len(told) and told[last].position == position:
        last += 1
    return told[:last], position + 1


def _first_unreadable(told: Sequence[Told] | Lines) -> int | None:
    if isinstance(told, Lines):
        return told.first_unreadable
    return next((place for place, item in enumerate(told) if not item.is_readable), None)


def _codes(
    session: Session, store: Store, persons: Sequence[UUID], givers: set[UUID], now: datetime
) -> Mapping[UUID, Sequence[tuple[str, str]]]:
    bound = {"store": store.id, "persons": list(persons)}
    found = {person: subject for person, subject in session.execute(_CODES, bound)}
    missing = [person for person in persons if person in givers and person not in found]
    for person in missing:
        new = {"store": store.id, "person": person, "subject": secrets.token_hex(12), "now": now}
        session.execute(_NEW_CODE, new)
    if missing:
        found = {person: subject for person, subject in session.execute(_CODES, bound)}
    return {person: [(SUBJECT_SYSTEM, subject)] for person, subject in found.items()}
