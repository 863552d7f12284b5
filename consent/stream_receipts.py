"""Receipts that come back over a stream: the same as those that a store posts, checked the same way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from consent.late_receipts import accept_late_receipts
from consent.store_config import Store
from consent.stores.adapter import NotDelivered
from consent.stores.stream_wire import TakesReceipts
from database.unit_of_work import Database
from vocabulary.errors import Conflict, PortalError, Unavailable

log = structlog.get_logger()


def take_stream_receipts(database: Database, store: Store, adapter: TakesReceipts) -> int:
    """Keep what came back; returns how many messages were looked at, 0 when there is nothing or nobody answers.

    A signature is checked against the time at which the stream took the message, since we may have been away.
    """

    def keep(headers: Mapping[str, str], body: bytes, at: datetime) -> None:
        try:
            accept_late_receipts(database, [store], store.id, headers, body, at)
        except (Conflict, Unavailable):
            raise
        except PortalError as error:
            log.warning("stream.receipt-not-believed", store=store.id, reason=error.reason)
            raise

    try:
        return adapter.take_receipts(keep)
    except NotDelivered as error:
        log.warning("stream.no-receipts", store=store.id, reason=error.reason)
        return 0
