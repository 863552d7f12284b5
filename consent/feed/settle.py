"""A batch that was answered: its receipts kept, the cursor moved and the next batch made, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.feed.batches import ADVANCE, ANSWERED, MAKE, MadeBatch, batch_row, pass_over
from consent.feed.channel import note_heard
from consent.feed.cursor import LostCursor
from consent.feed.keep_receipts import KEEP_BATCH, WAITS, batch_receipt, keep_receipts
from consent.feed.retelling import Purpose
from consent.feed.state import TO_DO_COLUMNS, ToDo, to_do_after
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer

# The batch answered, the cursor of the stream moved, the channel heard and the receipt kept: what most batches end
# with. And what there is to do then.
_ENDED = (
    f"WITH to_do AS (SELECT {TO_DO_COLUMNS}), answered AS ({ANSWERED.text} RETURNING store_id),"  # noqa: S608 - constants
    " heard AS (UPDATE store_channel SET since = CASE WHEN state = 'active' THEN since ELSE :now END, state = 'active',"
    "  heard_at = :now, last_error = NULL WHERE store_id IN (SELECT store_id FROM answered)),"
    f" moved AS ({ADVANCE.text} AND store_id IN (SELECT store_id FROM answered) RETURNING store_id),"
    f" kept AS ({KEEP_BATCH} FROM moved)"
)
_SAID = f"SELECT to_do.*, EXISTS (SELECT FROM moved) AS moved, {WAITS} AS waits"  # noqa: S608 - constants
_STREAMED = text(f"{_ENDED} {_SAID}, false AS made FROM to_do")
# The same, and the batch that follows, unless something comes before it.
_STREAMED_ON = text(
    f"{_ENDED}, made AS ({MAKE} FROM moved, to_do WHERE NOT (paused OR parked OR repairs) ON CONFLICT DO NOTHING"  # noqa: S608 - constants
    f" RETURNING id) {_SAID}, EXISTS (SELECT FROM made) AS made FROM to_do"
)


def settle(
    session: Session, store: Store, made: MadeBatch, answer: BatchAnswer, now: datetime, then: MadeBatch | None = None
) -> tuple[ToDo | None, bool]:
    """Keep the receipts and move the cursor, and note that the store was heard; LostCursor when another sender was
    here first. What there is to do then, after a batch of the stream, and whether `then`, the batch that follows, is
    made."""
    waits: bool | None = None
    to_do, is_made = None, False
    if made.purpose is Purpose.STREAM:
        moves = {"before": made.first_position, "after": made.last_position + 1, "event": made.last_event}
        bound = {**batch_receipt(store, made.id, answer, now), "id": made.id, **moves}
        if then is None:
            row = session.execute(_STREAMED, bound).one()
        else:
            row = session.execute(_STREAMED_ON, {**bound, **batch_row(store, then, now)}).one()
        if not row.moved:
            raise LostCursor
        waits, is_made = row.waits, row.made
        to_do = to_do_after(moves["after"], made.last_event, row)
    else:
        pass_over(session, store, made, now)
        note_heard(session, store, now)
    keep_receipts(session, store, made.id, made.events, answer, now, whole=True, waits=waits)
    return to_do, is_made
