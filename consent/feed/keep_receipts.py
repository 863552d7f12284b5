"""What stores signed, kept: a row for each batch, one for each event not final, and the list of those unconfirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from consent.audit_tables import StaffTask
from consent.receipts import StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer
from consent.stores.lines import LineEvent, LineEvents
from consent.tables import Receipt
from consent.wire import StoreEvent

# The batch's own row, for whatever comes after `FROM`.
KEEP_BATCH = (
    "INSERT INTO receipt (store_id, batch_id, state, removed, detail, signature, received_at)"
    " SELECT :store, :batch, :state, CAST(:removed AS int), CAST(:detail AS jsonb), :signature, :now"
)
WAITS = "EXISTS (SELECT FROM unconfirmed_event WHERE store_id = :store)"
_BATCH = text(f"WITH kept AS ({KEEP_BATCH}) SELECT {WAITS}")
_UNCONFIRMED = text(
    "INSERT INTO unconfirmed_event (store_id, event_number, person_id, version, state, recorded_at)"
    " SELECT :store, f.event, f.person, f.version, f.state, d.recorded_at FROM unnest(CAST(:events AS bigint[]),"
    " CAST(:persons AS uuid[]), CAST(:versions AS int[]), CAST(:states AS text[]), CAST(:positions AS bigint[]))"
    " AS f(event, person, version, state, position) JOIN position q ON q.position = f.position"
    " JOIN decision d ON d.id = q.decision_id"
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
    events: Sequence[StoreEvent] | LineEvents,
    answer: BatchAnswer,
    now: datetime,
    *,
    whole: bool,
    waits: bool | None = None,
) -> None:
    """One row for the batch with every event's compact receipt in it, and a row for each that is not final.

    `whole` False (a parked item at last taken): rows for its events only. What a store could not place opens a task.
    `waits`: the batch's own row is kept, and whether anything of this store waited to be confirmed then.
    """
    open_still = answer.open_still
    if waits is None:
        wait = bool(session.scalar(_BATCH, batch_receipt(store, batch_id, answer, now))) if whole else True
    else:
        wait = waits
    single = open_still if whole else answer.receipts
    if single:
        rows = [receipt_row(store, batch_id, receipt, answer.signature, now) for receipt in single]
        session.execute(insert(Receipt), rows)
    if not (wait or open_still):
        return  # most often: all confirmed, and nothing waits to be
    told = {event.number: event for event in events}
    for receipt in open_still:
        if receipt.state.needs_staff:
            about = told[receipt.event].person_id if receipt.event in told else None
            open_task(session, store, about, receipt.state.value, receipt.event, now)
    _note_unconfirmed(session, store, told, answer.receipts)


def _note_unconfirmed(
    session: Session, store: Store, told: Mapping[int, StoreEvent | LineEvent], receipts: Sequence[StoreReceipt]
) -> None:
    for statement, confirms in ((_UNCONFIRMED, False), (_CONFIRMED, True)):
        chosen = [receipt for receipt in receipts if receipt.state.confirms is confirms and receipt.event in told]
        if not chosen:
            continue
        events = [told[receipt.event] for receipt in chosen]
        bound = {
            "store": store.id,
            "events": [receipt.event for receipt in chosen],
            "persons": [event.person_id for event in events],
            "versions": [event.version for event in events],
        }
        if not confirms:
            bound["states"] = [receipt.state.value for receipt in chosen]
            bound["positions"] = [event.position for event in events]
        session.execute(statement, bound)


def batch_receipt(store: Store, batch_id: UUID, answer: BatchAnswer, now: datetime) -> dict[str, Any]:
    """What KEEP_BATCH and WAITS are bound to."""
    return {
        "store": store.id,
        "batch": batch_id,
        "state": "mixed" if answer.open_still else "applied",
        "removed": answer.kept.removed,
        "detail": answer.kept.as_json(),
        "signature": answer.signature,
        "now": now,
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
