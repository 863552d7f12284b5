"""Every write of a decision's way fails once, at the statement or at the commit: nothing is lost and nothing doubled.

A trigger stands on every table. A sequence counts the rows written (a rollback does not set a sequence back), and
the k-th one raises. The system then does what it does by itself: the person sends the same form again, loops go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consent.decision import CANCERLINQ, Answer, donation_to
from tests.crash.rig import Rig, rig_of
from tests.crash.rules import check
from tests.parts.consent.people import person
from tests.support.postgres import TestDatabase

SETUP = """
CREATE SEQUENCE broken_at;
CREATE TABLE broken (k bigint, mode text, state text);
CREATE TABLE seen_writes (k bigint, name text, op text, transaction xid8);
INSERT INTO broken VALUES (0, 'statement', 'P0001');
CREATE FUNCTION maybe_break() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $f$
DECLARE n bigint; b broken;
BEGIN
  SELECT * INTO b FROM broken;
  IF TG_ARGV[0] = b.mode THEN
    n := nextval('broken_at');
    INSERT INTO seen_writes VALUES (n, TG_TABLE_NAME, TG_OP, pg_current_xact_id());
    IF n = b.k THEN RAISE EXCEPTION 'broken on purpose' USING ERRCODE = b.state; END IF;
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $f$;
"""
TABLES = (
    "decision", "audit_event", "unsequenced", "position", "store_batch", "receipt", "store_cursor", "parked_item",
    "staff_task", "store_subject", "store_channel", "unconfirmed_event",
)  # fmt: skip
MUST_BREAK = {
    ("decision", "INSERT"), ("audit_event", "INSERT"), ("unsequenced", "INSERT"), ("unsequenced", "DELETE"),
    ("position", "INSERT"), ("store_batch", "INSERT"), ("store_batch", "UPDATE"), ("receipt", "INSERT"),
    ("store_cursor", "UPDATE"), ("parked_item", "INSERT"), ("parked_item", "UPDATE"), ("staff_task", "INSERT"),
    ("store_subject", "INSERT"), ("store_channel", "INSERT"), ("store_channel", "UPDATE"),
    ("unconfirmed_event", "INSERT"),
}  # fmt: skip
LIVING_WELL = donation_to("living-well")


@pytest.fixture
def rig(database: TestDatabase, tmp_path: Path) -> Iterator[Rig]:
    with rig_of(database, tmp_path) as made:
        made.batch, made.onward = 2, True
        made.sql(SETUP)
        for table in TABLES:
            made.sql(
                f"CREATE TRIGGER break_statement BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
                " EXECUTE FUNCTION maybe_break('statement');"
                f"CREATE CONSTRAINT TRIGGER break_commit AFTER INSERT OR UPDATE OR DELETE ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maybe_break('commit')"
            )
        yield made


def live(rig: Rig, number: int) -> None:
    """One life of two people: out, in again with an item that is parked at first, a donation and its end. The
    decisions are even in number, so that batches of two are cut alike in every life; the last three take two."""
    rosa, ben = f"{number}-rosa", f"{number}-ben"
    first, second = (person(rig.database, name) for name in (rosa, ben))
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.NO)
    rig.press(second, f"MRN-{ben}", LIVING_WELL, Answer.YES)
    rig.drain()
    rig.misbehave("cancerlinq", "lie", times=2)
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.YES)
    rig.drain()
    rig.press(second, f"MRN-{ben}", CANCERLINQ, Answer.NO)
    rig.press(second, f"MRN-{ben}", LIVING_WELL, Answer.NO)
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.NO)
    rig.drain()
    rig.late_receipts()
    rig.misbehave("cancerlinq", "none")


def live_and_break(rig: Rig, number: int, k: int) -> list[Any]:
    """A life whose k-th write fails, 0 for none; the writes that stood, in their order. Each life begins with stores
    that must be greeted, as after a change of their secrets: so every life has the same writes, the first one too."""
    rig.errors.clear()
    rig.sql("UPDATE broken SET k = 0")
    rig.sql("DELETE FROM store_channel")
    rig.sql(f"UPDATE broken SET k = {k}; TRUNCATE seen_writes; ALTER SEQUENCE broken_at RESTART")
    live(rig, number)
    return rig.sql("SELECT k, name, op, transaction FROM seen_writes ORDER BY k")


def joint(rows: list[Any]) -> set[tuple[str, str]]:
    """What a store's receipts and its next batch, kept by one transaction, write beside that batch."""
    kept = {row.transaction for row in rows if (row.name, row.op) == ("receipt", "INSERT")}
    both = {row.transaction for row in rows if (row.name, row.op) == ("store_batch", "INSERT")} & kept
    return {(row.name, row.op) for row in rows if row.transaction in both}


def each_but_the_middle(rows: list[Any], mode: str) -> list[Any]:
    """Which row makes a commit fail does not matter: the first of each transaction does it. Rows that a transaction
    writes alike are undone alike: the first of them stands for nothing written yet, the last for all of them. Of the
    transactions that write the same, such as that of each press, the first and the last of a life stand for all."""
    written: dict[Any, list[Any]] = {}
    for row in rows:
        written.setdefault(row.transaction, []).append(row)
    if mode == "commit":
        return [first for first, *_ in written.values()]
    alike: dict[tuple[Any, ...], list[Any]] = {}
    for transaction, writes in written.items():
        alike.setdefault(tuple((row.name, row.op) for row in writes), []).append(transaction)
    kept = {transaction for same in alike.values() for transaction in (same[0], same[-1])}
    sorts = [((row.transaction, row.name, row.op), row) for row in rows if row.transaction in kept]
    ends = (dict(reversed(sorts)), dict(sorts))
    return sorted({row.k: row for end in ends for row in end.values()}.values(), key=lambda row: row.k)


def failed_there(rig: Rig, row: Any, rows: list[Any], stood: list[Any]) -> None:
    """Exactly this write failed: one error, and before its transaction the life was as the one that is counted."""
    count = rig.sql("SELECT last_value FROM broken_at")[0][0]
    said = f"write {row.k} of {len(rows)} ({row.name} {row.op}), in a life of {count}: {rig.errors}"
    assert len(rig.errors) == 1, said
    begun = next(other.k for other in rows if other.transaction == row.transaction)
    before = [(other.k, other.name, other.op) for other in rows if other.k < begun]
    assert [(other.k, other.name, other.op) for other in stood if other.k <= row.k] == before, said


def history_is_intact(rig: Rig) -> None:
    """One audit line and one place for each decision; versions and places without holes; no store behind."""
    counts = [rig.sql(f"SELECT count(*) FROM {name}")[0][0] for name in ("decision", "position", "unsequenced")]
    assert counts == [counts[0], counts[0], 0]
    assert rig.sql("SELECT count(*) FROM audit_event WHERE event = 'decision.recorded'")[0][0] == counts[0]
    assert rig.sql("SELECT max(position) + 1 FROM position")[0][0] == counts[0]
    assert rig.sql("SELECT 1 FROM decision GROUP BY person_id HAVING max(version) <> count(*)") == []
    assert {row[0] for row in rig.sql("SELECT position FROM store_cursor")} == {counts[0]}
    assert rig.sql("SELECT 1 FROM store_batch WHERE answered_at IS NULL") == []
    unsaid = (
        "SELECT b.id FROM store_batch b LEFT JOIN receipt r ON r.batch_id = b.id"
        " WHERE b.store_id <> 'cancerlinq' GROUP BY b.id HAVING count(*) FILTER (WHERE r.event_number IS NULL) <> 1"
    )
    assert rig.sql(unsaid) == [], "each batch has exactly one receipt for the whole of it"


@pytest.mark.parametrize(("mode", "state"), [("statement", "P0001"), ("commit", "40001")])
def test_every_write_fails_once(rig: Rig, mode: str, state: str) -> None:
    """I1 to I5, threats 5 (k-th statement): the k-th row written fails, for every k but those in the middle of what
    is written alike; nothing is lost or doubled."""
    rig.sql(f"UPDATE broken SET mode = '{mode}', state = '{state}'")
    rows = live_and_break(rig, 0, 0)
    assert rig.errors == []
    assert {(row.name, row.op) for row in rows} >= MUST_BREAK
    assert joint(rows) >= {("receipt", "INSERT"), ("store_cursor", "UPDATE"), ("store_batch", "UPDATE")}
    assert [row.k for row in rows] == list(range(1, len(rows) + 1)), "nothing was undone: each k is known"
    chosen = each_but_the_middle(rows, mode)
    for number, row in enumerate(chosen, start=1):
        failed_there(rig, row, rows, live_and_break(rig, number, row.k))
    rig.sql("UPDATE broken SET k = 0")
    verdict = check(rig.evidence())
    assert verdict.violations == []
    assert verdict.of["lost"] >= 8 * len(chosen)
    history_is_intact(rig)
