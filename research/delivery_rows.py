"""The rows of `delivery_to_effort`: written before anything is sent, in the person's context."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.store_config import Store
from consent.tables import StoreSubject
from research.due import DUE, SETTLED, Mark
from research.permission import Permit
from research.record_pin import PinnedRecord
from research.tables import DeliveryToEffort as Row

MADE, SENT, WAITING, PARKED = "made", "sent", "waiting", "parked"
DELIVERED, STOPPED, SUPERSEDED, NOTHING = "delivered", "stopped", "superseded", "nothing-to-send"
OPEN = (MADE, SENT, WAITING, PARKED)

_SETTLE = text(
    "UPDATE delivery_to_effort SET state = 'settled', next_try_at = NULL"
    " WHERE id = :id AND state = 'due' AND made_at = :asked_at"
)


@dataclass(frozen=True)
class Opened:
    """A delivery to be sent: its id, and the code under which the store knows the person."""

    id: UUID
    subject: str


def open_delivery(session: Session, store: Store, permit: Permit, pinned: PinnedRecord, now: datetime) -> Opened | None:
    """The row for exactly this content under exactly this yes, made when it is new; None when it is what the store
    already holds. Other deliveries that have not gone yet are superseded by it."""
    content = pinned.digest(store.id, *permit.salt)
    rows = _rows(session, store, pinned.person, permit.version)
    delivered = [row for row in rows if row.state in (DELIVERED, NOTHING)]
    if delivered and _content(max(delivered, key=lambda row: row.answered_at or row.made_at)) == content:
        _close_others(rows, None)
        return None
    found = next((row for row in rows if row.state in OPEN and _content(row) == content), None)
    if found is None:
        found = _new_row(store, permit, pinned, f"{content}:{len(rows)}", now)
        session.add(found)
        session.flush()
    _close_others(rows, found.id)
    return Opened(found.id, subject_at(session, store.id, pinned.person, now))


def _rows(session: Session, store: Store, person: UUID, version: int) -> Sequence[Row]:
    return session.scalars(
        select(Row).where(
            Row.person_id == person,
            Row.store_id == store.id,
            Row.decision_version == version,
            Row.state.not_in((DUE, SETTLED)),
        )
    ).all()


def _content(row: Row) -> str:
    return row.manifest.partition(":")[0]


def _new_row(store: Store, permit: Permit, pinned: PinnedRecord, manifest: str, now: datetime) -> Row:
    return Row(
        id=uuid4(),
        person_id=pinned.person,
        effort_id=store.effort,
        store_id=store.id,
        decision_version=permit.version,
        manifest=manifest,
        retrieval_ids=list(pinned.retrievals),
        categories=permit.categories,
        state=MADE,
        resource_count=0,
        sha256=None,
        answer={},
        attempts=0,
        next_try_at=None,
        made_at=now,
        told_at=None,
        answered_at=None,
    )


def _close_others(rows: Sequence[Row], kept: UUID | None) -> None:
    for row in rows:
        if row.state in OPEN and row.id != kept:
            row.state = SUPERSEDED


def subject_at(session: Session, store_id: str, person: UUID, now: datetime) -> str:
    """The random code, made from nothing of the person's (HIP-22); the feed of decisions uses the same."""
    new = {"store_id": store_id, "person_id": person, "subject": secrets.token_hex(12), "created_at": now}
    session.execute(insert(StoreSubject).values(new).on_conflict_do_nothing())
    found = session.scalar(
        select(StoreSubject.subject).where(StoreSubject.store_id == store_id, StoreSubject.person_id == person)
    )
    assert found is not None, "the code was just made, or was there"
    return found


def note_sending(session: Session, delivery: UUID, count: int, sha256: bytes, now: datetime) -> None:
    """About to send: what, and for the how manieth time."""
    values: dict[str, Any] = {"state": SENT, "resource_count": count, "sha256": sha256, "told_at": now}
    session.execute(update(Row).where(Row.id == delivery).values(**values, attempts=Row.attempts + 1))


def note_delivered(session: Session, delivery: UUID, answer: dict[str, Any], now: datetime) -> None:
    session.execute(
        update(Row).where(Row.id == delivery).values(state=DELIVERED, answer=answer, answered_at=now, next_try_at=None)
    )


def note_nothing(session: Session, delivery: UUID, now: datetime) -> None:
    """Nothing of the record may leave under this yes."""
    session.execute(update(Row).where(Row.id == delivery).values(state=NOTHING, answered_at=now))


def note_failed(session: Session, delivery: UUID, reason: str, next_try: datetime, *, parked: bool) -> None:
    state = PARKED if parked else WAITING
    session.execute(
        update(Row).where(Row.id == delivery).values(state=state, answer={"reason": reason}, next_try_at=next_try)
    )


def stop_open(session: Session, store: Store, person: UUID) -> None:
    """A no stands: what has not gone will not go."""
    session.execute(
        update(Row)
        .where(Row.person_id == person, Row.store_id == store.id, Row.state.in_(OPEN))
        .values(state=STOPPED, next_try_at=None)
    )


def settle(session: Session, mark: Mark) -> None:
    """The mark is dealt with, unless it was asked again meanwhile."""
    session.execute(_SETTLE, {"id": mark.id, "asked_at": mark.asked_at})


def look_later(session: Session, mark: Mark, at: datetime, *, failed: bool) -> None:
    session.execute(
        update(Row)
        .where(Row.id == mark.id, Row.state == DUE)
        .values(next_try_at=at, attempts=Row.attempts + (1 if failed else 0))
    )
