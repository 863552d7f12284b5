"""What is measured at each size: one function a path; each runs the product's own code and returns plain figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import select

from benchmarks.harness.plans import Explained, explain_call
from benchmarks.scale.site import Site, press
from benchmarks.scale.world import DONATION, PLATFORM, STORES, VIA
from consent.around_choices import read_around
from consent.audit_tables import AuditEventRow
from consent.decision import Answer
from consent.feed.batches import next_batch
from consent.feed.cursor import read_cursor
from consent.feed.pace import Pace
from consent.feed.parking import next_parked
from consent.feed.run import utc_now
from consent.history import read_history
from consent.record_decision import record_decision
from consent.sequencer import sequence_once
from consent.status import read_status
from consent.store_config import Store
from database.context import as_persons, as_propagation

Figures = dict[str, Any]


def decide(site: Site, count: int, *, at_once: int = 1, new: bool = False) -> Figures:
    """(a) `count` decisions by as many people: rate, WAL bytes and flushes per change. Each person was chosen at
    random, so pages of every index are touched as real people touch them; a checkpoint comes first."""
    people = site.persons(count, new=new)
    site.sql("CHECKPOINT")
    before, flushed = site.number("SELECT pg_current_wal_lsn() - '0/0'"), wal_flushes(site)
    began = time.monotonic()
    made = 0
    with ThreadPoolExecutor(at_once) as pool:
        for recorded in pool.map(lambda who: _decide(site, who), people):
            made += recorded
    took = time.monotonic() - began
    wal = site.number("SELECT pg_current_wal_lsn() - '0/0'") - before
    return {
        "decisions": made,
        "per_second": made / took,
        "wal_bytes": wal / made,
        "flushes": (wal_flushes(site) - flushed) / made,
    }


def _decide(site: Site, who: tuple[UUID, Answer]) -> int:
    person, answer = who
    return 0 if record_decision(site.database.web, site.ring, press(person, answer), utc_now()).repeated else 1


def wal_flushes(site: Site) -> int:
    """Flushes of the write-ahead log by those who commit; a connection hands in its statistics when it closes."""
    site.database.web.close()
    time.sleep(0.3)
    version = site.number("SHOW server_version_num")
    if version < 180_000:
        return site.number("SELECT wal_sync FROM pg_stat_wal")
    return site.number("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'")


def decide_plans(site: Site) -> list[Explained]:
    """(a) the statements of one decision."""
    (who,) = site.persons(1)
    return explain_call(site.database.web.engine, lambda: _decide(site, who))


def sequence(site: Site, count: int = 5_000) -> Figures:
    """(b) the sequencer moving `count` at once."""
    sequence_once(site.database.worker, utc_now())
    site.sql(
        "INSERT INTO unsequenced (decision_id, person_id, version, leaf) SELECT d.id, d.person_id, d.version, d.salt"
        " FROM (SELECT * FROM decision ORDER BY id LIMIT %s) d",
        [count],
    )
    site.sql("ALTER TABLE position DISABLE TRIGGER keep_history")
    site.sql("DELETE FROM position WHERE decision_id IN (SELECT decision_id FROM unsequenced)")
    site.sql("ALTER TABLE position ENABLE TRIGGER keep_history")
    site.sql("CHECKPOINT")
    before = site.number("SELECT pg_current_wal_lsn() - '0/0'")
    began = time.monotonic()
    moved = sequence_once(site.database.worker, utc_now(), count)
    took = time.monotonic() - began
    wal = site.number("SELECT pg_current_wal_lsn() - '0/0'") - before
    return {"moved": moved, "milliseconds": took * 1000, "wal_bytes": wal / max(moved, 1)}


class _Enough(Exception):
    """Ends a transaction without keeping anything of it."""


def feed(site: Site, store: Store, changes: int) -> Figures:
    """(c) one sender's look at `changes` new positions, from the parked items to the built batch; nothing stays."""
    _at(site, store, changes)
    began = time.monotonic()
    events = _look(site, store, changes or 1_000)
    return {"milliseconds": (time.monotonic() - began) * 1000, "events": events}


def feed_plans(site: Site, store: Store, changes: int) -> list[Explained]:
    """(c) the statements of that look."""
    _at(site, store, changes)
    return explain_call(site.database.worker.engine, lambda: _look(site, store, changes or 1_000))


def _at(site: Site, store: Store, changes: int) -> None:
    top = site.number("SELECT max(position) + 1 FROM position")
    start = top if changes == 0 else site.top - changes
    site.sql("UPDATE store_cursor SET position = %s WHERE store_id = %s", [start, store.id])
    site.sql("DELETE FROM store_batch WHERE answered_at IS NULL")
    if changes:  # as many positions as asked for, whatever was decided since the fill
        start = (site.top - changes) // changes * changes  # a whole run
        site.sql("UPDATE store_cursor SET position = %s WHERE store_id = %s", [start, store.id])


def _look(site: Site, store: Store, most: int) -> int:
    now, events = utc_now(), 0
    try:
        with site.database.worker.begin(as_propagation()) as session:
            next_parked(session, site.ring, store, now)
            cursor = read_cursor(session, store)
            made = next_batch(session, site.ring, store, cursor, now, Pace(batch=most))
            events = len(made.events) if made else 0
            raise _Enough  # noqa: TRY301 - the way out of a transaction without its commit
    except _Enough:
        return events


def page_plans(site: Site) -> dict[str, list[Explained]]:
    """(d) history, status and activity of somebody chosen at random."""
    ((person, _),) = site.persons(1)
    engine = site.database.web.engine
    return {
        "status": explain_call(engine, lambda: _status(site, person)),
        "activity": explain_call(engine, lambda: _activity(site, person)),
    }


def pages(site: Site, count: int) -> Figures:
    """(d) the same as times: median milliseconds of a page's queries."""
    people = [person for person, _ in site.persons(count)]
    return {"status_ms": _median(site, people, _status), "activity_ms": _median(site, people, _activity)}


def _median(site: Site, people: list[UUID], page: Callable[[Site, UUID], object]) -> float:
    times = []
    for person in people:
        began = time.monotonic()
        page(site, person)
        times.append((time.monotonic() - began) * 1000)
    return sorted(times)[len(times) // 2]


def _status(site: Site, person: UUID) -> int:
    with site.database.web.begin(as_persons(person)) as session:
        history = read_history(session, (person,))
        known = read_around(session, site.ring, (person,), {"riverside": "MA"}).known
        return len(read_status(session, history, STORES, known, utc_now()))


def _activity(site: Site, person: UUID) -> int:
    """As `patient_portal/pages/activity.py` asks."""
    with site.database.web.begin(as_persons(person)) as session:
        lines = select(AuditEventRow).where(AuditEventRow.person_id.in_((person,)))
        return len(list(session.scalars(lines.order_by(AuditEventRow.id.desc()).limit(51))))


KINDS = {"operations": PLATFORM, "donation": DONATION, "via-cancerlinq": VIA}


def as_rows(plans: list[Explained]) -> list[dict[str, Any]]:
    """For the report's JSON."""
    return [asdict(plan) for plan in plans]
