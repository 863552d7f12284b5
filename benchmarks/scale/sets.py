"""Work on everyone at once, at each size: donors of an effort, a mass policy change, the snapshot, sizes on disk."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from benchmarks.scale.site import Site
from consent.decide.ledger_view import LedgerView
from consent.decide.snapshot import Installation, Snapshot
from consent.donors import donors
from consent.efforts import LIVING_WELL
from consent.feed.run import utc_now
from database.context import as_release
from database.unit_of_work import Database

Figures = dict[str, Any]


def _measured(work: Callable[[str], int], url: str, end: Connection) -> None:
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    count = work(url)
    took = time.monotonic() - began
    end.send(
        {"count": count, "seconds": took, "mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024}
    )


def in_own_process(work: Callable[[str], int], url: str) -> Figures:
    """Count, seconds and extra peak memory (MB) of `work(url)` in a fresh process."""
    mine, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_measured, args=(work, url, theirs))
    process.start()
    theirs.close()
    try:
        figures: Figures = mine.recv()
    except EOFError:
        figures = {"failed": "ended without an answer (see the terminal)"}
    process.join()
    return figures


def all_donors(url: str) -> int:
    """(e) everyone whose yes to one effort (1 % of people gave one) stands."""
    database = Database(url)
    with database.begin(as_release()) as session:
        return len(donors(session, LIVING_WELL, utc_now()))


def whole_snapshot(url: str) -> int:
    """(g) everyone's standing read into memory, as a decision service does when it starts."""
    view = LedgerView(Database(url))
    snapshot = Snapshot(Installation(frozenset({"riverside-main"}), {"riverside": "MA"}))
    for person, name in view.names():
        snapshot.name(person, name)
    for person, version, text in view.decisions():
        snapshot.decide(person, version, text)
    view.close()
    return len(snapshot.shown) - 1


POLICY = (
    "WITH asked AS (SELECT DISTINCT ON (person_id) * FROM decision WHERE choice = 'cancerlinq' AND person_id IN"
    " (SELECT id FROM person WHERE person_no <= %s) ORDER BY person_id, version DESC),"
    " made AS (INSERT INTO decision (id, person_id, version, choice, effort_id, answer, categories, sensitive,"
    " actor_kind, means, language, confirmed_by_person, asked_at, recorded_at, reason, idempotency_key, salt)"
    " SELECT gen_random_uuid(), a.person_id, (SELECT max(version) + 1 FROM decision d WHERE d.person_id = a.person_id),"
    " a.choice, a.effort_id, a.answer, '{}', '{}', 'system', 'web', a.language, false, now(), now(), 'carried-over',"
    " 'policy-2026/' || a.choice, a.salt FROM asked a RETURNING id, person_id, version, salt),"
    " audited AS (INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, detail)"
    " SELECT person_id, now(), 'decision.carried', 'C', '0', 'system', '{}' FROM made)"
    " INSERT INTO unsequenced (decision_id, person_id, version, leaf) SELECT id, person_id, version, salt FROM made"
)


def policy(site: Site, people: int) -> Figures:
    """(f) one new decision for each of `people`, with audit and mark, by one statement; rolled back."""
    with psycopg.connect(site.database.superuser_url) as connection:
        connection.execute("SET session_replication_role = origin")
        began = time.monotonic()
        made = connection.execute(POLICY, [people]).rowcount
        took = time.monotonic() - began
        connection.rollback()
    return {"decisions": made, "seconds": took, "per_second": made / took}


SIZES = """
SELECT c.relname, t.relname, c.relkind = 'i', pg_relation_size(c.oid) + coalesce(pg_relation_size(c.reltoastrelid), 0),
 coalesce(s.idx_scan, 0), greatest(t.reltuples, 0)::bigint
 FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
 JOIN pg_class t ON t.oid = coalesce(i.indrelid, c.oid)
 LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i', 'p') AND pg_table_size(c.oid) > 1000000
 ORDER BY t.relname, c.relkind DESC, 4 DESC
"""


def sizes(site: Site) -> list[Figures]:
    """(h) every table and index over 1 MB: bytes (with its overflow), bytes per row, and how often a plan used it."""
    return [
        {"name": name, "table": table, "index": index, "bytes": size, "scans": scans, "rows": rows}
        for name, table, index, size, scans, rows in site.sql(SIZES)
    ]


EVENT_BYTES = """
SELECT round(pg_table_size('store_batch') / (SELECT sum(last_event - first_event + 1) FROM store_batch), 1)::float8,
 round(pg_table_size('receipt') / (SELECT sum(last_event - first_event + 1) FROM receipt r
  JOIN store_batch b ON b.id = r.batch_id), 1)::float8
"""


def event_bytes(site: Site) -> Figures:
    """What an event of one store takes: in its batch, and in the receipt for that (both with their overflow)."""
    return dict(zip(("batch", "receipt"), site.sql(EVENT_BYTES)[0], strict=True))
