"""Every write of a decision's way fails, at the statement and at the commit: nothing is lost and nothing doubled.

A trigger stands on every table. In the i-th life each transaction fails once, at the i-th row that it writes, and goes
through when it is tried again; there are as many lives as the longest transaction has rows. So each write of a life
has failed when all are over. The system then does what it does by itself: the person sends the same form again, loops
go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from consent.decision import CANCERLINQ, Answer, donation_to
from consent.overdue import Owed
from consent.record_decision import record_decision
from tests.crash.rig import Rig, clock, rig_of
from tests.crash.rules import check
from tests.parts.consent.people import asked, person
from tests.support.postgres import TestDatabase

SETUP = """
CREATE TABLE broken (place bigint, mode text, state text);
CREATE TABLE failed (said text);
CREATE TABLE at_most (said text, times bigint);
CREATE TABLE seen_writes (
  id bigint GENERATED ALWAYS AS IDENTITY, mode text, wrote text, transaction xid8 DEFAULT pg_current_xact_id()
);
INSERT INTO broken VALUES (0, 'statement', 'P0001');
CREATE FUNCTION maybe_break() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $f$
DECLARE b broken; ours text[]; fails bigint;
BEGIN
  SELECT * INTO b FROM broken;
  INSERT INTO seen_writes (mode, wrote) VALUES (TG_ARGV[0], TG_TABLE_NAME || ' ' || TG_OP);
  IF TG_ARGV[0] = b.mode AND b.place > 0 AND b.place =
    (SELECT count(*) FROM seen_writes WHERE transaction = pg_current_xact_id() AND mode = b.mode)
  THEN
    -- Of those that wrote the same so far as many went through as have failed: this one fails, and its next try not.
    SELECT array_agg(wrote ORDER BY id) INTO ours FROM seen_writes
      WHERE transaction = pg_current_xact_id() AND mode = 'statement';
    SELECT count(*) INTO fails FROM failed WHERE said = array_to_string(ours, ',');
    IF fails < coalesce((SELECT times FROM at_most WHERE said = array_to_string(ours, ',')), 1) AND fails <= (
      SELECT count(*) FROM (SELECT array_agg(wrote ORDER BY id) AS wrote FROM seen_writes
        WHERE transaction <> pg_current_xact_id() AND mode = 'statement' GROUP BY transaction) t
        WHERE ours = CASE b.mode WHEN 'commit' THEN wrote ELSE wrote[:cardinality(ours)] END)
    THEN
      RAISE EXCEPTION USING MESSAGE = 'broken after ' || array_to_string(ours, ','), ERRCODE = b.state;
    END IF;
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $f$;
"""
BREAKABLE = (
    "CREATE TRIGGER break_statement BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
    " EXECUTE FUNCTION maybe_break('statement');"
    "CREATE CONSTRAINT TRIGGER break_commit AFTER INSERT OR UPDATE OR DELETE ON {table}"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maybe_break('commit')"
)
TABLES = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " AND relname NOT IN ('broken', 'failed', 'at_most', 'seen_writes')"
)
MUST_BREAK = {
    "decision INSERT", "audit_event INSERT", "unsequenced INSERT", "unsequenced DELETE", "position INSERT",
    "store_batch INSERT", "store_batch UPDATE", "receipt INSERT", "store_cursor UPDATE", "parked_item INSERT",
    "parked_item UPDATE", "staff_task INSERT", "staff_task UPDATE", "store_subject INSERT", "store_channel INSERT",
    "store_channel UPDATE", "unconfirmed_event INSERT", "unconfirmed_event DELETE", "form_without_change INSERT",
    "person INSERT", "person_alias INSERT",
}  # fmt: skip
JOINT = {"receipt INSERT", "store_cursor UPDATE", "store_batch UPDATE", "store_batch INSERT"}
LIVING_WELL = donation_to("living-well")
BROKEN = "broken after "
Writes = tuple[str, ...]


@pytest.fixture
def rig(database: TestDatabase, tmp_path: Path) -> Iterator[Rig]:
    with rig_of(database, tmp_path) as made:
        made.batch, made.onward = 2, True
        made.failed = lambda error: made.sql(f"INSERT INTO failed VALUES ('{error.removeprefix(BROKEN)}')")
        made.sql(SETUP)
        made.sql(";".join(BREAKABLE.format(table=row.relname) for row in made.sql(TABLES)))
        yield made


def live(rig: Rig, number: int) -> None:
    """One life of two people: out, in again with an item that is parked at first, a donation and its end, and an
    answer that stood already. The decisions are even in number, so that batches of two are cut alike in every life;
    the last three take two."""
    rosa, ben = f"{number}-rosa", f"{number}-ben"
    first, second = (rig.until(partial(person, rig.database, name)) for name in (rosa, ben))
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.NO)
    rig.press(second, f"MRN-{ben}", LIVING_WELL, Answer.YES)
    rig.drain()
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.YES)
    rig.drain(lying="cancerlinq")
    rig.press(second, f"MRN-{ben}", CANCERLINQ, Answer.NO)
    rig.press(second, f"MRN-{ben}", LIVING_WELL, Answer.NO)
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.NO)
    rig.until(partial(record_decision, rig.database.web, rig.database.keyring, asked(first), clock()))
    rig.drain()
    rig.late_receipts()
    rig.until(partial(Owed(rig.database.worker).look, tuple(rig.stores.values()), clock()))


def live_and_break(rig: Rig, number: int, place: int) -> tuple[list[Writes], list[Writes]]:
    """A life in which each transaction fails at the row `place` of it, 0 for none: what the transactions wrote that
    stood, and what those had written that failed. Each life begins with stores that must be greeted, as after a change
    of their secrets: so every life has the same writes, the first one too."""
    rig.errors.clear()
    rig.sql("UPDATE broken SET place = 0")
    rig.sql("DELETE FROM store_channel")
    rig.sql(f"UPDATE broken SET place = {place}; TRUNCATE seen_writes, failed")
    live(rig, number)
    stood = rig.sql(
        "SELECT array_agg(wrote ORDER BY id) FROM seen_writes WHERE mode = 'statement' GROUP BY transaction"
        " ORDER BY min(id)"
    )
    assert all(error.startswith(BROKEN) for error in rig.errors), rig.errors
    failed = [tuple(error.removeprefix(BROKEN).split(",")) for error in rig.errors]
    return [tuple(row[0]) for row in stood], failed


def history_is_intact(rig: Rig) -> None:
    """One audit line and one place for each decision; versions and places without holes; no store behind."""
    counts = [rig.sql(f"SELECT count(*) FROM {name}")[0][0] for name in ("decision", "position", "unsequenced")]
    assert counts == [counts[0], counts[0], 0]
    assert rig.sql("SELECT count(*) FROM audit_event WHERE event = 'decision.recorded'")[0][0] == counts[0]
    assert rig.sql("SELECT max(position) + 1 FROM position")[0][0] == counts[0]
    assert rig.sql("SELECT 1 FROM decision GROUP BY person_id HAVING max(version) <> count(*)") == []
    assert {row[0] for row in rig.sql("SELECT position FROM store_cursor")} == {counts[0]}
    assert rig.sql("SELECT 1 FROM store_batch WHERE answered_at IS NULL") == []
    assert rig.sql("SELECT 1 FROM parked_item WHERE resolved_at IS NULL") == []
    assert rig.sql("SELECT 1 FROM staff_task WHERE closed_at IS NULL") == []
    assert rig.sql("SELECT 1 FROM unconfirmed_event") == []
    unchanged = rig.sql("SELECT count(*) FROM audit_event WHERE event = 'decision.unchanged'")
    assert rig.sql("SELECT count(*) FROM form_without_change") == unchanged
    unsaid = (
        "SELECT b.id FROM store_batch b LEFT JOIN receipt r ON r.batch_id = b.id"
        " WHERE b.store_id <> 'cancerlinq' GROUP BY b.id HAVING count(*) FILTER (WHERE r.event_number IS NULL) <> 1"
    )
    assert rig.sql(unsaid) == [], "each batch has exactly one receipt for the whole of it"


@pytest.mark.parametrize(("mode", "state"), [("statement", "P0001"), ("commit", "40001")])
def test_every_write_fails(rig: Rig, mode: str, state: str) -> None:
    """I1 to I5, threats 5 (k-th statement): each row that a life writes fails, none left out, or the commit of each
    transaction; nothing is lost or doubled."""
    rig.sql(f"UPDATE broken SET mode = '{mode}', state = '{state}'")
    whole, none = live_and_break(rig, 0, 0)
    assert none == []
    assert {wrote for writes in whole for wrote in writes} >= MUST_BREAK
    assert any(set(writes) >= JOINT for writes in whole), "receipts and the next batch, kept by one transaction"
    to_fail = Counter(writes[:place] for writes in whole for place in range(1, len(writes) + 1))
    lives = max(map(len, whole))
    if mode == "commit":
        to_fail, lives = Counter(whole), 1
    rig.sql(
        "INSERT INTO at_most VALUES " + ", ".join(f"('{','.join(began)}', {times})" for began, times in to_fail.items())
    )
    for number in range(1, lives + 1):
        _, failed = live_and_break(rig, number, number)
        to_fail -= Counter(failed)
        history_is_intact(rig)
    assert not to_fail, "each has failed"
    rig.sql("UPDATE broken SET place = 0")
    verdict = check(rig.evidence())
    assert verdict.violations == []
    assert verdict.of["lost"] >= 8 * lives
