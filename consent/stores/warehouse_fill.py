"""A part of a backfill into a warehouse: rows that came as COPY takes them, no object for each.

Rows that are all new are copied into the table as they are; where one stands already they go by the temporary table and
the upsert of every batch. Either way what is read back, in the same transaction, is what is not as it was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from consent.receipts import AlikeReceipts, State, StoreReceipt
from consent.stores import warehouse_tables as tables
from consent.stores.adapter import NotDelivered
from consent.stores.lines import LineEvent, LineEvents, rows_body

UNSIGNED = "not signed by the store"


class House(NamedTuple):
    """What a warehouse says of itself in a transaction: whether it tells what it holds of a person, whether a copied
    row is what stands then, the transaction's number and when it began."""

    holds: bool
    plain: bool | None
    transaction: str
    at: datetime


def fill(cursor: psycopg.Cursor[Any], events: LineEvents, house: House) -> Sequence[StoreReceipt]:
    """Write the rows of `events` in the open transaction, and their receipts; NotDelivered when one is not believed."""
    body = rows_body(events)
    otherwise: dict[int, Any] = {}
    if house.holds or not house.plain or not _copied(cursor, body, len(events)):
        _upsert(cursor, body)
        found = cursor.execute(tables.OTHERWISE_HOLDS if house.holds else tables.OTHERWISE)
        otherwise = {row[0]: row for row in found.fetchmany(len(events) + 1)}
    reference, stamp = f"transaction {house.transaction}", house.at.isoformat(timespec="seconds")
    says = StoreReceipt(events.first, events.versions[0], State.APPLIED, reference=reference, reason=UNSIGNED, at=stamp)
    alike = AlikeReceipts(events.numbers, events.versions, says)
    if not otherwise:
        return alike
    receipts = list(alike)
    for number, row in otherwise.items():
        place = number - events.first
        receipts[place] = _otherwise(events[place], row, receipts[place])
    return receipts


def _copied(cursor: psycopg.Cursor[Any], body: bytes, count: int) -> bool:
    """Whether all rows were new; if one was not, nothing is left of the others."""
    try:
        with cursor.connection.transaction(), cursor.copy(tables.COPY_STRAIGHT) as copy:
            copy.write(body)
    except psycopg.errors.UniqueViolation:
        return False
    if cursor.rowcount != count:
        raise NotDelivered("answers-other-events", answered=True)
    return True


def _upsert(cursor: psycopg.Cursor[Any], body: bytes) -> None:
    cursor.execute(tables.INCOMING)
    with cursor.copy(tables.COPY) as copy:
        copy.write(body)
    cursor.execute(tables.UPSERT)


def _otherwise(event: LineEvent, row: Any, receipt: StoreReceipt) -> StoreReceipt:
    """What stands is newer than what was told, or nothing is held of the person; anything else is not believed."""
    _, version, answer, told, held = row
    if version is None:
        raise NotDelivered("answers-other-events", answered=True)
    if version < event.version or (version == event.version and answer != told):
        raise NotDelivered("answers-otherwise", answered=True)
    state = State.NOTHING_HELD if held == 0 else State.APPLIED
    return StoreReceipt(event.number, version, state, reference=receipt.reference, reason=receipt.reason, at=receipt.at)
