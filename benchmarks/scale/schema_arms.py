"""Arms that differ in ids, indexes or settings only: what each costs a decision in write-ahead log and time.

An index is hidden from writers by its `indisready` mark, so that arms can alternate on one database; the throw-away
database is of no other use afterwards.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from benchmarks.scale.paths import decide
from benchmarks.scale.site import Site
from consent import record_decision as product
from consent.feed.run import utc_now
from consent.sequencer import sequence_once


def uuid7() -> UUID:
    """RFC 9562 section 5.7: 48 bits of milliseconds, then random."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return UUID(int=value)


@dataclass(frozen=True)
class SchemaArm:
    """`ids` makes the decision's id; `without` are indexes that are not kept up; `settings` are the server's."""

    name: str
    ids: Callable[[], UUID] = uuid4
    without: Sequence[str] = ()
    settings: Sequence[tuple[str, str]] = ()


POSITION_PERSON = ("ix_position_person_id",)
LEAN = (*POSITION_PERSON, "uq_decision_person_id_idempotency_key")
ARMS = (
    SchemaArm("as it is"),
    SchemaArm("time-ordered decision ids", uuid7),
    SchemaArm("and no index position(person_id)", uuid7, POSITION_PERSON),
    SchemaArm("and no unique (person_id, idempotency_key)", uuid7, LEAN),
    SchemaArm("as it is, wal_compression = pglz", settings=(("wal_compression", "pglz"),)),
    SchemaArm("all of it, with wal_compression", uuid7, LEAN, (("wal_compression", "pglz"),)),
)


def run_arm(site: Site, arm: SchemaArm, count: int, at_once: int) -> dict[str, Any]:
    """`count` decisions of people at random after a checkpoint, and their sequencing."""
    with _in_force(site, arm):
        sequence_once(site.database.worker, utc_now(), 100_000)
        figures = decide(site, count, at_once=at_once)
        before = site.number("SELECT pg_current_wal_lsn() - '0/0'")
        moved = sequence_once(site.database.worker, utc_now(), 100_000)
        wal = site.number("SELECT pg_current_wal_lsn() - '0/0'") - before
    figures["sequencer_wal_bytes"] = wal / max(moved, 1)
    figures["wal_bytes_in_all"] = figures["wal_bytes"] + figures["sequencer_wal_bytes"]
    return figures


@contextmanager
def _in_force(site: Site, arm: SchemaArm) -> Iterator[None]:
    ready = "UPDATE pg_index SET indisready = %s, indisvalid = %s WHERE indexrelid = %s::regclass"
    for name, value in arm.settings:
        site.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    for index in arm.without:
        site.sql(ready, [False, False, index])
    site.sql("SELECT pg_reload_conf()")
    time.sleep(0.3)
    product.uuid4, kept = arm.ids, product.uuid4  # type: ignore[attr-defined]
    try:
        yield
    finally:
        product.uuid4 = kept  # type: ignore[attr-defined]
        for index in arm.without:
            site.sql(ready, [True, True, index])
        for name, _ in arm.settings:
            site.sql(f"ALTER SYSTEM RESET {name}")
        site.sql("SELECT pg_reload_conf()")
