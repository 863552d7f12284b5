"""What should be in force at a store, from what it was told: read set by set, with nobody's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.decision import Answer
from consent.feed.read_events import CONCERNS
from consent.reconcile.settle import Extra, Missing
from consent.reconcile.spans import Facts
from consent.store_config import Store

AT_ONCE = 10_000
_PATIENCE = text("SELECT set_config('statement_timeout', '15min', true)")
_THROUGH = text("SELECT event_number, position FROM store_cursor WHERE store_id = :store")
# The newest event of each person by each of their names there; what is parked, or has no place there, is not expected.
_FACTS = text(
    "SELECT event, version, is_no FROM (SELECT DISTINCT ON (q.person_id, t.name) t.event, q.version,"
    "  d.answer = 'no' AS is_no, t.answered FROM (SELECT p.position, b.answered_at IS NOT NULL AS answered,"
    "   b.first_event + p.i - 1 AS event, row_number() OVER (PARTITION BY b.id, p.position ORDER BY p.i) AS name"
    "   FROM store_batch b CROSS JOIN LATERAL unnest(b.positions) WITH ORDINALITY AS p(position, i)"
    "   WHERE b.store_id = :store) t"
    "  JOIN position q ON q.position = t.position JOIN decision d ON d.id = q.decision_id"
    "  WHERE NOT EXISTS (SELECT 1 FROM parked_item k WHERE k.store_id = :store AND k.position = t.position"
    "   AND k.resolved_at IS NULL AND k.event_number <= t.event)"
    "  AND t.event NOT IN (SELECT u.event_number FROM unconfirmed_event u WHERE u.store_id = :store"
    "   AND u.state IN ('not_found', 'ambiguous', 'refused'))"  # hashed once, whatever the planner believes
    "  ORDER BY q.person_id, t.name, q.version DESC, t.event DESC) newest"
    " WHERE answered AND event <= :through ORDER BY event"
)
_TOLD = (
    "SELECT e.event, b.positions[e.event - b.first_event + 1] AS position"
    " FROM unnest(CAST(:events AS bigint[])) AS e(event) CROSS JOIN LATERAL (SELECT * FROM store_batch x"
    "  WHERE x.store_id = :store AND x.first_event <= e.event ORDER BY x.first_event DESC LIMIT 1) b"
    " WHERE b.last_event >= e.event"
)
_MISSING = text(
    "SELECT t.event, t.position, q.person_id, d.answer"  # noqa: S608 - constants
    f" FROM ({_TOLD}) t JOIN position q ON q.position = t.position JOIN decision d ON d.id = q.decision_id"
    " ORDER BY t.event"
)
_UNEXPECTED = text(
    "SELECT t.event, q.person_id, n.position, n.answer, n.position >= :cursor AS on_its_way,"  # noqa: S608 - constants
    " :basis = 'donation' AND n.answer = 'yes' AND d.answer = 'yes' AND n.categories <@ d.categories AS narrower"
    f" FROM ({_TOLD}) t JOIN position q ON q.position = t.position JOIN decision d ON d.id = q.decision_id"
    " CROSS JOIN LATERAL (SELECT later.position, e.answer, e.categories FROM position later"
    "  JOIN decision e ON e.id = later.decision_id WHERE later.person_id = q.person_id"
    f"  AND {CONCERNS.replace('d.', 'e.')} ORDER BY e.version DESC LIMIT 1) n ORDER BY t.event"
)


def through(session: Session, store: Store) -> tuple[int, int]:
    """The last event number that is settled, and the position up to which the stream is told."""
    row = session.execute(_THROUGH, {"store": store.id}).one_or_none()
    return (int(row.event_number), int(row.position)) if row is not None else (0, 0)


def facts(session: Session, store: Store, last: int) -> Facts:
    """What should be in force there, of the events up to `last`; streamed, so that memory is 13 bytes an event."""
    session.execute(_PATIENCE)
    rows = session.execute(
        _FACTS, {"store": store.id, "through": last}, execution_options={"stream_results": True, "yield_per": AT_ONCE}
    )
    return Facts((row[0], row[1], row[2]) for row in rows)


def missing(session: Session, store: Store, events: Sequence[int]) -> list[Missing]:
    """Whom these events are about."""
    rows = session.execute(_MISSING, {"store": store.id, "events": list(events)})
    return [Missing(row.event, row.position, row.person_id, Answer(row.answer)) for row in rows]


def unexpected(session: Session, store: Store, events: Sequence[int], cursor: int) -> list[Extra]:
    """What these events, in force there, were; a number that was never given out has nobody."""
    bound = {**_business(store), "store": store.id, "events": list(events), "cursor": cursor}
    found = {row.event: row for row in session.execute(_UNEXPECTED, bound)}
    return [_extra(event, found.get(event)) for event in events]


def _extra(event: int, row: Any) -> Extra:
    if row is None:
        return Extra(event)
    return Extra(event, row.person_id, row.position, Answer(row.answer), bool(row.on_its_way), bool(row.narrower))


def _business(store: Store) -> dict[str, Any]:
    return {"basis": store.basis.value, "effort": store.effort, "via": store.via_cancerlinq}
