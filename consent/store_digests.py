"""Mails to a store's contact while decisions are past its deadline: when the next is due, and what it may say (SUB-08).

One mail for a store and a period, never one for a person: counts, times and event numbers. It is claimed before it is
handed over, so that a crash costs at worst one mail twice, and `tries` says how often it was handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

SHORTEST = timedelta(minutes=15)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRY_AGAIN = timedelta(minutes=10)
MOST_RUNS = 20
MOST_LISTED = 100_000

_LATE = text(
    "SELECT h.store_id, h.overdue, h.oldest_due_at, s.deadline_seconds, g.state, g.step, g.claimed_at"
    " FROM store_channel h JOIN store s ON s.id = h.store_id LEFT JOIN LATERAL (SELECT state, step, claimed_at"
    " FROM store_digest WHERE store_id = h.store_id AND state <> 'over' ORDER BY id DESC LIMIT 1) g ON true"
    " WHERE h.overdue > 0 AND s.retired_at IS NULL AND NOT EXISTS (SELECT FROM store_pause p WHERE p.store_id = s.id"
    " AND p.ended_at IS NULL) ORDER BY h.store_id FOR UPDATE OF h"
)
_CLAIM = text(
    "INSERT INTO store_digest (store_id, step, state, claimed_at, next_try_at, tries, overdue, oldest_due_at)"
    " VALUES (:store, :step, 'waiting', :now, :now, 0, :overdue, :oldest)"
    " ON CONFLICT (store_id) WHERE state = 'waiting' DO NOTHING"
)
_OVER = text(
    "UPDATE store_digest g SET state = 'over' FROM store_channel h"
    " WHERE h.store_id = g.store_id AND h.overdue = 0 AND g.state = 'waiting'"
)
_TAKE = text(
    "UPDATE store_digest SET tries = tries + 1, next_try_at = :again WHERE id = (SELECT id FROM store_digest"
    " WHERE state = 'waiting' AND next_try_at <= :now ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING id, store_id, step, tries"
)
_STANDS = text(
    "SELECT s.name, s.contact, s.deadline_seconds, h.state, h.last_error, h.waiting, h.overdue, h.parked,"
    " h.oldest_due_at, c.event_number, c.position FROM store s JOIN store_channel h ON h.store_id = s.id"
    " JOIN store_cursor c ON c.store_id = s.id WHERE s.id = :store"
)
_RUNS = text(
    "WITH late AS ("
    " (SELECT event_number AS n FROM unconfirmed_event WHERE store_id = :store AND recorded_at < :cutoff"
    "  ORDER BY event_number LIMIT :most)"
    " UNION (SELECT k.event_number FROM parked_item k JOIN position q ON q.position = k.position"
    "  JOIN decision d ON d.id = q.decision_id WHERE k.store_id = :store AND k.resolved_at IS NULL"
    "  AND d.recorded_at < :cutoff ORDER BY k.event_number LIMIT :most)"
    " UNION SELECT b.first_event + p.place - 1 FROM store_batch b"
    "  CROSS JOIN LATERAL unnest(b.positions) WITH ORDINALITY AS p(position, place)"
    "  JOIN position q ON q.position = p.position JOIN decision d ON d.id = q.decision_id"
    "  WHERE b.store_id = :store AND b.answered_at IS NULL AND b.first_position >= :cursor AND d.recorded_at < :cutoff)"
    " SELECT min(n) AS first, max(n) AS last, count(*) AS events"
    " FROM (SELECT n, n - row_number() OVER (ORDER BY n) AS run FROM late) numbered GROUP BY run ORDER BY 1"
)
_SENT = text("UPDATE store_digest SET state = 'sent', sent_at = :now, last_error = NULL WHERE id = :id")
_FAILED = text(
    "UPDATE store_digest SET last_error = :error, state = CASE WHEN :again THEN 'waiting' ELSE 'refused' END"
    " WHERE id = :id AND state = 'waiting'"
)


@dataclass(frozen=True)
class Earlier:
    """The newest mail about a store: its place in the silence, and when it was claimed."""

    step: int
    claimed_at: datetime


@dataclass(frozen=True)
class Digest:
    """What a mail says about one store, as of now. `tries` counts this hand-over too.

    `runs`: event numbers past the deadline as (first, last), at most 20 runs and `left_out` events more; `numbered`:
    how many of `overdue` have a number; `last_event`: the last number given out. Nothing is about a person.
    """

    id: int
    store_id: str
    step: int
    tries: int
    name: str
    contact: str
    deadline: timedelta
    channel: str
    last_error: str | None
    waiting: int
    overdue: int
    parked: int
    oldest_due_at: datetime | None
    last_event: int
    runs: tuple[tuple[int, int], ...]
    left_out: int
    numbered: int


def next_step(
    earlier: Earlier | None, oldest_due_at: datetime | None, deadline: timedelta, now: datetime
) -> int | None:
    """The step of the mail that is due now for a store with something overdue, or None when none is.

    The first mail goes at once; the second after a further deadline; then one a day, or a deadline if that is longer.
    When all that was late at the last mail has been confirmed since, a new silence begins: again with the first step,
    but no sooner than an hour and a further deadline after the last mail.
    """
    if earlier is None:
        return 1
    is_new = oldest_due_at is not None and oldest_due_at > earlier.claimed_at
    pause = max(deadline, HOUR) if is_new else pause_after(earlier.step, deadline)
    if now - earlier.claimed_at < pause:
        return None
    return 1 if is_new else earlier.step + 1


def pause_after(step: int, deadline: timedelta) -> timedelta:
    """How long after the mail of this step the next one goes, if nothing changes."""
    return max(deadline, SHORTEST if step == 1 else DAY)


def claim_digests(session: Session, now: datetime) -> tuple[str, ...]:
    """Put a mail in line for each store for which one is due; the stores. For the propagation role.

    A mail still waiting for a store that has confirmed everything is over. At most one waits for each store, and none
    is made for one that we paused ourselves.
    """
    session.execute(_OVER)
    claimed = []
    for row in session.execute(_LATE).all():
        earlier = None if row.step is None else Earlier(row.step, row.claimed_at)
        step = next_step(earlier, row.oldest_due_at, timedelta(seconds=row.deadline_seconds), now)
        if row.state == "waiting" or step is None:
            continue
        values = {"store": row.store_id, "step": step, "now": now}
        session.execute(_CLAIM, {**values, "overdue": row.overdue, "oldest": row.oldest_due_at})
        claimed.append(row.store_id)
    return tuple(claimed)


def take_digest(session: Session, now: datetime) -> Digest | None:
    """One waiting mail to hand over after the commit; it is tried again ten minutes later unless settled before.

    For the propagation role. Other workers pass over a mail that this one has taken.
    """
    taken = session.execute(_TAKE, {"now": now, "again": now + TRY_AGAIN}).one_or_none()
    if taken is None:
        return None
    stands = session.execute(_STANDS, {"store": taken.store_id}).one()
    deadline = timedelta(seconds=stands.deadline_seconds)
    bound = {"store": taken.store_id, "cutoff": now - deadline, "cursor": stands.position, "most": MOST_LISTED}
    runs = session.execute(_RUNS, bound).all()
    return Digest(
        taken.id,
        taken.store_id,
        taken.step,
        taken.tries,
        stands.name,
        stands.contact,
        deadline,
        stands.state,
        stands.last_error,
        stands.waiting,
        stands.overdue,
        stands.parked,
        stands.oldest_due_at,
        stands.event_number,
        tuple((run.first, run.last) for run in runs[:MOST_RUNS]),
        _events(runs[MOST_RUNS:]),
        _events(runs),
    )


def _events(runs: Sequence[Any]) -> int:
    return sum(int(run.events) for run in runs)


def note_sent(session: Session, digest_id: int, now: datetime) -> None:
    """The mail server took it. For the propagation role."""
    session.execute(_SENT, {"id": digest_id, "now": now})


def note_failed(session: Session, digest_id: int, error: str, *, again: bool) -> None:
    """It was not taken, `error` says why in a code; `again` False: that server will never take it."""
    session.execute(_FAILED, {"id": digest_id, "error": error, "again": again})
