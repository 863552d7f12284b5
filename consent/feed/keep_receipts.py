"""What stores signed, kept: a row for each batch, one for each event not final, and the list of those unconfirmed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from consent.audit_tables import StaffTask
from consent.receipts import StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer
from consent.tables import Receipt
from consent.wire import StoreEvent

_UNCONFIRMED = text(
    "INSERT INTO unconfirmed_event (store_id, event_number, person_id, version, state, recorded_at)"
    " SELECT :store, * FROM unnest(CAST(:events AS bigint[]), CAST(:persons AS uuid[]), CAST(:versions AS int[]),"
    " CAST(:states AS text[]), CAST(:recorded AS timestamptz[]))"
    " ON CONFLICT (store_id, event_number) DO UPDATE SET state = excluded.state"
)
# A confirmed version also ends the wait for what the person decided before it.
_CONFIRMED = text(
    "DELETE FROM unconfirmed_event u USING unnest(CAST(:events AS bigint[]), CAST(:persons AS uuid[]),"
    " CAST(:versions AS int[])) AS f(event, person, version)"
    " WHERE u.store_id = :store AND u.person_id = f.person AND (u.event_number = f.event OR u.version < f.version)"
)
_CLOSE = text(
    "UPDATE staff_task SET closed_at = :now WHERE store_id = :store AND kind = :kind AND closed_at IS NULL"
    " AND detail ->> 'event' = :event"
)


def keep_receipts(
    session: Session,
    store: Store,
    batch_id: UUID,
    events: Sequence[StoreEvent],
    answer: BatchAnswer,
    now: datetime,
    *,
    whole: bool,
) -> None:
    """One row for the batch with every event's compact receipt in it, and a row for each that is not final.

    `whole` False (a parked item at last taken): rows for its events only. What a store could not place opens a task.
    """
    person = {event.number: event.decision.person_id for event in events}
    rows = [] if not whole else [_batch_receipt(store, batch_id, answer, now)]
    for receipt in answer.receipts:
        if not receipt.state.confirms or not whole:
            rows.append(receipt_row(store, batch_id, receipt, answer.signature, now))
        if receipt.state.needs_staff:
            open_task(session, store, person.get(receipt.event), receipt.state.value, receipt.event, now)
    if rows:
        session.execute(insert(Receipt), rows)
    _note_unconfirmed(session, store, {event.number: event for event in events}, answer.receipts)


def _note_unconfirmed(
    session: Session, store: Store, events: dict[int, StoreEvent], receipts: Sequence[StoreReceipt]
) -> None:
    for statement, confirms in ((_UNCONFIRMED, False), (_CONFIRMED, True)):
        chosen = [receipt for receipt in receipts if receipt.state.confirms is confirms and receipt.event in events]
        if not chosen:
            continue
        decisions = [events[receipt.event].decision for receipt in chosen]
        bound = {
            "store": store.id,
            "events": [receipt.event for receipt in chosen],
            "persons": [decision.person_id for decision in decisions],
            "versions": [decision.version for decision in decisions],
        }
        if not confirms:
            bound["states"] = [receipt.state.value for receipt in chosen]
            bound["recorded"] = [decision.recorded_at for decision in decisions]
        session.execute(statement, bound)


def _batch_receipt(store: Store, batch_id: UUID, answer: BatchAnswer, now: datetime) -> dict[str, Any]:
    final = all(receipt.state.confirms for receipt in answer.receipts)
    return {
        "store_id": store.id,
        "batch_id": batch_id,
        "event_number": None,
        "version": None,
        "state": "applied" if final else "mixed",
        "removed": sum(receipt.removed or 0 for receipt in answer.receipts),
        "detail": {"receipts": [receipt.as_detail() for receipt in answer.receipts]},
        "signature": answer.signature,
        "received_at": now,
    }


def receipt_row(store: Store, batch_id: UUID, receipt: StoreReceipt, signature: str, now: datetime) -> dict[str, Any]:
    return {
        "store_id": store.id,
        "batch_id": batch_id,
        "event_number": receipt.event,
        "version": receipt.version,
        "state": receipt.state.value,
        "removed": receipt.removed,
        "detail": receipt.as_detail(),
        "signature": signature,
        "received_at": now,
    }


def open_task(session: Session, store: Store, person: UUID | None, kind: str, event: int, now: datetime) -> None:
    """Something only a person can settle."""
    session.execute(
        insert(StaffTask).values(
            id=uuid4(),
            person_id=person,
            practice_id=None,
            store_id=store.id,
            kind=f"store-{kind}",
            detail={"event": event},
            opened_at=now,
        )
    )


def close_task(session: Session, store: Store, kind: str, event: int, now: datetime) -> None:
    """What the task asked for has come about."""
    bound = {"store": store.id, "kind": f"store-{kind}", "event": str(event), "now": now}
    session.execute(_CLOSE, bound)
