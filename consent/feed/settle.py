"""A batch that was answered: its receipts kept, the cursor moved and the next batch made, in one transaction."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from consent.feed.batches import ADVANCE, ANSWERED, MAKE, NUMBERED, MadeBatch, batch_row, pass_over
from consent.feed.channel import note_heard
from consent.feed.cursor import LostCursor
from consent.feed.keep_receipts import KEEP_BATCH, WAITS, batch_receipt, keep_receipts
from consent.feed.retelling import FILLED, Purpose
from consent.feed.state import TO_DO_COLUMNS, ToDo, to_do_after
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer

_ANSWERED = "store_id IN (SELECT store_id FROM answered)"
_MOVED = {
    Purpose.STREAM: f"moved AS ({ADVANCE.text} AND {_ANSWERED} RETURNING position)",
    Purpose.BACKFILL: (
        f"numbered AS ({NUMBERED.text} AND {_ANSWERED} RETURNING store_id, position),"  # noqa: S608 - constants
        f" moved AS ({FILLED.text} AND store_id IN (SELECT store_id FROM numbered)"
        " RETURNING (SELECT position FROM numbered) AS position, finished_at IS NULL AS filling)"
    ),
}


@cache
def _ending(purpose: Purpose, *, on: bool) -> TextClause:
    """What most batches end with: the batch answered, the cursor moved, the channel heard and the receipt kept; and
    what there is to do then. `on`: the batch that follows is made with it, unless something comes before it."""
    streams = purpose is Purpose.STREAM
    first = "paused OR parked OR repairs" + ("" if streams else " OR moved.position < top")
    following = f" made AS ({MAKE} FROM moved, to_do WHERE NOT ({first}) ON CONFLICT DO NOTHING RETURNING id),"
    return text(
        f"WITH to_do AS (SELECT {TO_DO_COLUMNS}), answered AS ({ANSWERED.text} RETURNING store_id),"  # noqa: S608 - constants
        " heard AS (UPDATE store_channel SET since = CASE WHEN state = 'active' THEN since ELSE :now END,"
        f"  state = 'active', heard_at = :now, last_error = NULL WHERE {_ANSWERED}),"
        f" {_MOVED[purpose]},{following if on else ''} kept AS ({KEEP_BATCH} FROM moved)"
        f" SELECT repairs, {'to_do' if streams else 'moved'}.filling, top, paused, parked, moved.position,"
        f" {WAITS} AS waits, {'EXISTS (SELECT FROM made)' if on else 'false'} AS made"
        " FROM to_do LEFT JOIN moved ON true"
    )


def settle(
    session: Session, store: Store, made: MadeBatch, answer: BatchAnswer, now: datetime, then: MadeBatch | None = None
) -> tuple[ToDo | None, bool]:
    """Keep the receipts and move the cursor, and note that the store was heard; LostCursor when another sender was
    here first. What there is to do then, None after a repair, and whether `then`, the batch that follows, is made."""
    if made.purpose is Purpose.REPAIR:
        pass_over(session, store, made, now)
        note_heard(session, store, now)
        keep_receipts(session, store, made.id, made.events, answer, now, whole=True)
        return None, False
    bound = {**batch_receipt(store, made.id, answer, now), **_moves(made), "id": made.id}
    following = {} if then is None else batch_row(store, then, now)
    row = session.execute(_ending(made.purpose, on=then is not None), {**bound, **following}).one()
    if row.position is None:
        raise LostCursor
    keep_receipts(session, store, made.id, made.events, answer, now, whole=True, waits=row.waits)
    return to_do_after(row.position, made.last_event, row), row.made


def _moves(made: MadeBatch) -> dict[str, int]:
    moves = {"before": made.first_position, "after": made.last_position + 1, "event": made.last_event}
    if made.purpose is Purpose.STREAM:
        return moves
    return {**moves, "event_before": made.first_event - 1, "told": len(made.events)}
