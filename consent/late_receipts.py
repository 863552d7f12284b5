"""Receipts that a store sends by itself, after it had only `accepted` (the wire's later receipts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from consent.feed.keep_receipts import open_task, receipt_row
from consent.kept_receipts import one_receipt
from consent.receipts import MAX_ANSWER_BYTES, NotBelieved, StoreReceipt, read_late_receipts
from consent.store_config import Store
from consent.tables import Receipt
from database.context import as_nobody
from database.unit_of_work import Database
from vocabulary.errors import Conflict, Invalid, NotFound, Refused

# Batches of a store follow one another and share no event, so the last that begins at or before one is the one that
# can hold it: by the index, where a range of both ends read every batch the store was ever told.
_BATCH = text(
    "SELECT b.id, b.answered_at, r.state, coalesce(r.version, CAST(w.receipt ->> 'version' AS bigint), 1) AS version"  # noqa: S608 - constants
    " FROM (SELECT * FROM store_batch WHERE store_id = :store AND first_event <= :event"
    " ORDER BY first_event DESC LIMIT 1) b LEFT JOIN LATERAL (SELECT state, version FROM receipt"
    " WHERE store_id = :store AND event_number = :event ORDER BY id DESC LIMIT 1) r ON true"
    f" LEFT JOIN LATERAL (SELECT {one_receipt('detail', ':event - b.first_event', ':event')} AS receipt FROM receipt"
    " WHERE batch_id = b.id AND event_number IS NULL LIMIT 1) w ON true"
    " WHERE b.last_event >= :event"
)


def accept_late_receipts(
    database: Database,
    stores: Sequence[Store],
    store_id: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> int:
    """Check and keep the receipts in `body`; returns how many were new.

    NotFound for an unknown store, Refused when the store did not sign it (nothing is changed), Invalid when it speaks
    of events it was never told or of an older version than it answered before, Conflict when it is too early. The
    same receipts again change nothing.
    """
    store = next((store for store in stores if store.id == store_id and store.is_told), None)
    if store is None:
        raise NotFound("store")
    if len(body) > MAX_ANSWER_BYTES:
        raise Invalid("too-large")
    try:
        receipts = read_late_receipts(store, headers, body, now)
    except NotBelieved as error:
        raise Refused(error.reason) from None
    signature = {name.lower(): value for name, value in headers.items()}.get("webhook-signature", "")
    with database.begin(as_nobody()) as session:
        rows = [row for receipt in receipts if (row := _row(session, store, receipt, signature, now)) is not None]
        if rows:
            session.execute(insert(Receipt), rows)
    return len(rows)


def _row(session: Session, store: Store, receipt: StoreReceipt, signature: str, now: datetime) -> dict[str, Any] | None:
    batch = session.execute(_BATCH, {"store": store.id, "event": receipt.event}).one_or_none()
    if batch is None:
        raise Invalid("event-never-told")
    if batch.answered_at is None:
        raise Conflict("answer-first")  # its answer to the message itself is not settled yet; it may ask again
    if receipt.version < batch.version:
        raise Invalid("answers-older-version")
    if batch.state == receipt.state.value:
        return None
    if receipt.state.needs_staff:
        open_task(session, store, None, receipt.state.value, receipt.event, now)
    return receipt_row(store, batch.id, receipt, signature, now)
