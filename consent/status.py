"""What became of a decision in each store: told, confirmed, what it did, what it cannot undo (I7, SUB-08).

Nothing is overstated: each store shows what it signed and when, and a silent store is "not confirmed".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.coverage import KnownAs, stores_concerned, told_answer
from consent.decision import Answer
from consent.history import Entry
from consent.kept_receipts import ONE_RECEIPT
from consent.receipts import State
from consent.status_words import cannot_undo, what_it_did
from consent.store_config import Basis, Store
from vocabulary.phrase import Phrase


class Progress(StrEnum):
    """How far one store is with the newest decision that concerns it."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not-confirmed"
    WITH_STAFF = "with-staff"
    BY_LAW = "by-law"
    NOTHING_TO_TELL = "nothing-to-tell"


@dataclass(frozen=True)
class StoreStatus:
    """One row of the status page. `told_at`, `confirmed_at` None until then; `due_at` is the store's deadline.

    `did` is what it says it did, `cannot_undo` what it will keep; `reference` is its own. `overdue`: due and silent.
    """

    store_id: str
    name: str
    progress: Progress
    answer: Answer | None = None
    told_at: datetime | None = None
    confirmed_at: datetime | None = None
    due_at: datetime | None = None
    overdue: bool = False
    did: Phrase | None = None
    cannot_undo: tuple[Phrase, ...] = ()
    reference: str | None = None
    contact: str = ""


@dataclass(frozen=True)
class _Newest:
    """The newest decision of one person that one store is told of."""

    entry: Entry
    answer: Answer


_LOOK = text(
    "SELECT w.store_id, w.position, coalesce(f.next_position, c.position) AS cursor,"  # noqa: S608 - constants
    " CASE WHEN at.place IS NOT NULL THEN b.told_at END AS told_at,"
    " k.resolved_at AS unparked_at, k.id IS NOT NULL AS parked, coalesce(one.detail, whole.detail) AS detail,"
    " coalesce(one.received_at, whole.received_at) AS received_at"
    " FROM unnest(CAST(:stores AS text[]), CAST(:positions AS bigint[])) AS w(store_id, position)"
    " LEFT JOIN store_cursor c ON c.store_id = w.store_id"
    " LEFT JOIN store_backfill f ON f.store_id = w.store_id AND f.finished_at IS NULL AND f.stop_position > w.position"
    " LEFT JOIN LATERAL (SELECT * FROM store_batch x WHERE x.store_id = w.store_id"
    "   AND x.first_position <= w.position AND x.last_position >= w.position"
    "   ORDER BY w.position = ANY (x.positions) DESC, x.answered_at IS NULL, x.first_event DESC LIMIT 1) b ON true"
    " LEFT JOIN parked_item k ON k.store_id = w.store_id AND k.position = w.position"
    " LEFT JOIN LATERAL (SELECT i - 1 AS place FROM unnest(b.positions) WITH ORDINALITY AS p(position, i)"
    "   WHERE p.position = w.position) at ON true"
    " LEFT JOIN LATERAL (SELECT r.detail, r.received_at FROM receipt r WHERE r.store_id = w.store_id"
    "   AND r.event_number = b.first_event + at.place ORDER BY r.id DESC LIMIT 1) one ON true"
    f" LEFT JOIN LATERAL (SELECT {ONE_RECEIPT} AS detail, r.received_at FROM receipt r"
    "   WHERE r.batch_id = b.id AND r.event_number IS NULL LIMIT 1) whole ON true"
)


def read_status(
    session: Session,
    history: Sequence[Entry],
    stores: Sequence[Store],
    known: KnownAs,
    now: datetime,
) -> tuple[StoreStatus, ...]:
    """A row for each store concerned with these (linked) persons, registries last; one query.

    `history` is `read_history`'s, `known` is `read_around`'s, read in the same transaction.
    """
    concerned = stores_concerned(stores, known)
    wanted = {
        (store.id, person): newest
        for store in stores
        if store.id in concerned and store.is_told
        for person, newest in _newest_for(store, history).items()
    }
    found = _look(session, wanted)
    rows = []
    for store in stores:
        if store.id not in concerned:
            continue
        if store.basis is Basis.LAW:
            rows.append(StoreStatus(store.id, store.name, Progress.BY_LAW, contact=store.contact))
            continue
        mine = [
            _status(store, newest, row, now)
            for (store_id, _), newest in wanted.items()
            if store_id == store.id
            for row in found.get((store.id, newest.entry.position), (None,))
        ]
        rows.append(_worst(store, mine))
    return tuple(sorted(rows, key=lambda row: row.progress is Progress.BY_LAW))


def _newest_for(store: Store, history: Sequence[Entry]) -> dict[UUID, _Newest]:
    newest: dict[UUID, _Newest] = {}
    for entry in sorted(history, key=lambda item: item.decision.version):
        answer = told_answer(store, entry.decision)
        if answer is not None:
            newest[entry.decision.person_id] = _Newest(entry, answer)
    return newest


def _look(session: Session, wanted: Mapping[tuple[str, UUID], _Newest]) -> dict[tuple[str, int | None], list[Any]]:
    """A row for each event: a person whom a store knows by two names has two, and the worse one stands."""
    pairs = [(store, newest.entry.position) for (store, _), newest in wanted.items()]
    placed = [(store, position) for store, position in pairs if position is not None]
    if not placed:
        return {}
    bound = {"stores": [store for store, _ in placed], "positions": [position for _, position in placed]}
    found: dict[tuple[str, int | None], list[Any]] = {}
    for row in session.execute(_LOOK, bound):
        found.setdefault((row.store_id, row.position), []).append(row)
    return found


def _status(store: Store, newest: _Newest, row: Any, now: datetime) -> StoreStatus:
    decision = newest.entry.decision
    due = decision.recorded_at + store.deadline
    waiting = StoreStatus(
        store.id,
        store.name,
        Progress.NOT_CONFIRMED if now > due else Progress.WAITING,
        newest.answer,
        due_at=due,
        overdue=now > due,
        contact=store.contact,
    )
    if row is None or row.detail is None:
        if row is not None and row.parked and row.unparked_at is None:
            return _with(waiting, Progress.WITH_STAFF)
        passed = row is not None and row.cursor is not None and row.cursor > row.position and row.told_at is None
        return _with(waiting, Progress.NOTHING_TO_TELL, due=False) if passed else waiting
    state = State(row.detail["state"])
    if state.needs_staff:
        progress = Progress.WITH_STAFF
    elif state.confirms:
        progress = Progress.CONFIRMED
    else:
        progress = Progress.NOT_CONFIRMED if now > due else Progress.ACCEPTED
    confirmed = progress is Progress.CONFIRMED
    return StoreStatus(
        store.id,
        store.name,
        progress,
        newest.answer,
        told_at=row.told_at,
        confirmed_at=row.received_at if confirmed else None,
        due_at=due,
        overdue=not confirmed and now > due,
        did=what_it_did(state, newest.answer, row.detail, store.holds),
        cannot_undo=cannot_undo(newest.answer, row.detail, store),
        reference=row.detail.get("reference"),
        contact=store.contact,
    )


def _with(status: StoreStatus, progress: Progress, *, due: bool = True) -> StoreStatus:
    return StoreStatus(
        status.store_id,
        status.name,
        progress,
        status.answer,
        due_at=status.due_at if due else None,
        overdue=status.overdue and due,
        contact=status.contact,
    )


_WORST_FIRST = (
    Progress.WITH_STAFF,
    Progress.NOT_CONFIRMED,
    Progress.WAITING,
    Progress.ACCEPTED,
    Progress.CONFIRMED,
    Progress.NOTHING_TO_TELL,
)


def _worst(store: Store, mine: Sequence[StoreStatus]) -> StoreStatus:
    """Of several linked persons, or names of one person, the one least far along stands for the store."""
    if not mine:
        return StoreStatus(store.id, store.name, Progress.NOTHING_TO_TELL, contact=store.contact)
    return min(mine, key=lambda status: _WORST_FIRST.index(status.progress))


def all_confirmed(rows: Sequence[StoreStatus]) -> bool:
    """Whether nothing is left to wait for, so that a page need not look again."""
    settled = (Progress.CONFIRMED, Progress.BY_LAW, Progress.NOTHING_TO_TELL)
    return all(row.progress in settled for row in rows)
