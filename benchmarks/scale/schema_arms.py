"""Arms that differ in ids, indexes or settings only: what each costs a decision in write-ahead log and time.

An index is hidden from writers by its `indisready` mark, so that arms can alternate on one database; the throw-away
database is of no other use afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from benchmarks.scale.paths import decide
from benchmarks.scale.site import Site
from consent import record_decision as product
from consent.feed.run import utc_now
from consent.sequencer import sequence_once
from vocabulary.time_ordered_id import time_ordered_id


def at_random(_moment: datetime, _chance: bytes) -> UUID:
    """An id that says nothing of its time, as decisions had them first."""
    return uuid4()


@dataclass(frozen=True)
class SchemaArm:
    """`ids` makes the decision's id of its moment and ten random bytes; `without` are indexes that are not kept up;
    `settings` are the server's."""

    name: str
    ids: Callable[[datetime, bytes], UUID] = time_ordered_id
    without: Sequence[str] = ()
    settings: Sequence[tuple[str, str]] = ()


POSITION_PERSON = ("ix_position_person_id",)
LEAN = (*POSITION_PERSON, "uq_decision_person_id_idempotency_key")
ARMS = (
    SchemaArm("random decision ids, as they were", at_random),
    SchemaArm("as it is: time-ordered decision ids"),
    SchemaArm("and no index position(person_id)", without=POSITION_PERSON),
    SchemaArm("and no unique (person_id, idempotency_key)", without=LEAN),
    SchemaArm("random ids, wal_compression = pglz", at_random, settings=(("wal_compression", "pglz"),)),
    SchemaArm("all of it, with wal_compression", without=LEAN, settings=(("wal_compression", "pglz"),)),
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
    kept = product.time_ordered_id  # type: ignore[attr-defined]  # the product's own name for it, swapped for an arm
    product.time_ordered_id = arm.ids  # type: ignore[attr-defined,assignment]  # an arm's ids have the same shape
    try:
        yield
    finally:
        product.time_ordered_id = kept  # type: ignore[attr-defined]  # put back
        for index in arm.without:
            site.sql(ready, [True, True, index])
        for name, _ in arm.settings:
            site.sql(f"ALTER SYSTEM RESET {name}")
        site.sql("SELECT pg_reload_conf()")
