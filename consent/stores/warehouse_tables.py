"""The tables that a warehouse gives us, and the statements that fill them. The contract is docs/store-kinds.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from consent.decision import Answer, Choice
from consent.wire import StoreEvent

DDL = """\
-- What each person decided, newest only: join it wherever data is loaded or read. Highest version wins; of the same
-- version the higher event, which we tell again when it was lost.
CREATE TABLE IF NOT EXISTS portal_consent_state (
    system text NOT NULL,               -- with `value`: who is meant, in the names you know
    value text NOT NULL,
    choice text NOT NULL,               -- cancerlinq or donation
    effort text NOT NULL DEFAULT '',    -- which effort, for a donation
    answer text NOT NULL CHECK (answer IN ('yes', 'no')),
    categories text[] NOT NULL,         -- what a donation covers
    version bigint NOT NULL,            -- counts up per person
    event bigint NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, value, choice, effort)
);
-- How far we have come, moved in the transaction that fills the table above.
CREATE TABLE IF NOT EXISTS portal_cursor (
    store text PRIMARY KEY,
    event bigint NOT NULL,
    position bigint NOT NULL,
    message_id text NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);
-- Optional, yours to define: how many entries you hold of a person, so that a receipt can say "nothing held".
-- CREATE VIEW portal_holds AS SELECT system, value, count(*) AS n FROM ... GROUP BY system, value;
-- The login that we use:
-- GRANT SELECT, INSERT, UPDATE ON portal_consent_state, portal_cursor TO {role};
-- GRANT SELECT ON portal_holds TO {role};
-- GRANT TEMPORARY ON DATABASE {database} TO {role};
"""
COLUMNS = (
    *("event", "system", "value", "choice", "effort", "answer", "categories", "version", "position", "recorded_at"),
)
_NAMES = ", ".join(COLUMNS)

INCOMING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS portal_incoming (event bigint, system text, value text, choice text,
    effort text, answer text, categories text[], version bigint, position bigint, recorded_at timestamptz)
    ON COMMIT DELETE ROWS
"""
COPY = f"COPY portal_incoming ({_NAMES}) FROM STDIN"
COPY_STRAIGHT = f"COPY portal_consent_state ({_NAMES}) FROM STDIN"
# What `warehouse_fill.House` is made of. `plain`: a copied row is what stands then, for it is a plain table, and has no
# trigger, rule or policy of theirs.
HAS_HOLDS = "SELECT to_regclass('portal_holds') IS NOT NULL"
SAYS = f"""
    {HAS_HOLDS}, (SELECT c.relkind = 'r' AND NOT (c.relhastriggers OR c.relhasrules OR c.relrowsecurity)
    FROM pg_class c WHERE c.oid = to_regclass('portal_consent_state')), pg_current_xact_id()::text, now()
"""  # noqa: S608 - constants
FIRST_CURSOR = """
    INSERT INTO portal_cursor (store, event, position, message_id) VALUES (%(store)s, 0, 0, '')
    ON CONFLICT (store) DO NOTHING
"""
LOCK_CURSOR = "SELECT event FROM portal_cursor WHERE store = %(store)s FOR UPDATE"
UPSERT = f"""
    INSERT INTO portal_consent_state AS held ({_NAMES})
    SELECT DISTINCT ON (system, value, choice, effort) {_NAMES} FROM portal_incoming
    ORDER BY system, value, choice, effort, version DESC, event DESC
    ON CONFLICT (system, value, choice, effort) DO UPDATE SET answer = excluded.answer,
    categories = excluded.categories, version = excluded.version, event = excluded.event,
    position = excluded.position, recorded_at = excluded.recorded_at, applied_at = now()
    WHERE (excluded.version, excluded.event) > (held.version, held.event)
"""  # noqa: S608 - constants
MOVE_CURSOR = """
    UPDATE portal_cursor SET event = %(event)s, position = %(position)s, message_id = %(message)s, moved_at = now()
    WHERE store = %(store)s AND event < %(event)s
"""
READ_BACK = """
    SELECT i.event, s.version, s.answer, NULL::bigint, pg_current_xact_id()::text, now()
    FROM portal_incoming i JOIN portal_consent_state s USING (system, value, choice, effort)
"""
READ_BACK_HOLDS = """
    SELECT i.event, s.version, s.answer, coalesce(h.n, 0), pg_current_xact_id()::text, now()
    FROM portal_incoming i JOIN portal_consent_state s USING (system, value, choice, effort)
    LEFT JOIN (SELECT system, value, sum(n)::bigint AS n FROM portal_holds
    WHERE (system, value) IN (SELECT system, value FROM portal_incoming) GROUP BY system, value) h
    ON (h.system, h.value) = (i.system, i.value)
"""
# Of a part of a backfill: what does not stand as it was told, and who is not held.
OTHERWISE = """
    SELECT i.event, s.version, s.answer, i.answer, NULL::bigint
    FROM portal_incoming i LEFT JOIN portal_consent_state s USING (system, value, choice, effort)
    WHERE s.version IS DISTINCT FROM i.version OR s.answer IS DISTINCT FROM i.answer
"""
OTHERWISE_HOLDS = """
    SELECT i.event, s.version, s.answer, i.answer, coalesce(h.n, 0)
    FROM portal_incoming i LEFT JOIN portal_consent_state s USING (system, value, choice, effort)
    LEFT JOIN (SELECT system, value, sum(n)::bigint AS n FROM portal_holds
    WHERE (system, value) IN (SELECT system, value FROM portal_incoming) GROUP BY system, value) h
    ON (h.system, h.value) = (i.system, i.value)
    WHERE s.version IS DISTINCT FROM i.version OR s.answer IS DISTINCT FROM i.answer OR coalesce(h.n, 0) = 0
"""

# What is in force, for reconciliation: a no of whom entries are held is none.
_FACTS = """
    WITH facts AS (SELECT s.event, s.version, s.answer FROM portal_consent_state s
    WHERE s.event BETWEEN %(first)s AND %(through)s)
"""
_FACTS_HOLDS = """
    WITH facts AS (SELECT s.event, s.version, CASE WHEN s.answer = 'no' AND h.n > 0 THEN 'yes' ELSE s.answer END
    AS answer FROM portal_consent_state s
    LEFT JOIN (SELECT system, value, sum(n) AS n FROM portal_holds GROUP BY system, value) h USING (system, value)
    WHERE s.event BETWEEN %(first)s AND %(through)s)
"""
_SPANS = "unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) WITH ORDINALITY AS span(first, last, i)"
_IN_SPAN = "width_bucket(f.event, %(firsts)s::bigint[]) = span.i AND f.event <= span.last"
_COUNTS = "SELECT count(*), count(*) FILTER (WHERE answer = 'no') FROM facts"
_DIGESTS = f"""
    SELECT count(f.event), count(*) FILTER (WHERE f.answer = 'no'), encode(sha256(convert_to(coalesce(string_agg(
    f.event || ' ' || f.version || ' ' || f.answer || E'\\n', '' ORDER BY f.event), ''), 'UTF8')), 'hex')
    FROM {_SPANS} LEFT JOIN facts f ON {_IN_SPAN} GROUP BY span.i ORDER BY span.i
"""  # noqa: S608 - constants
_ONE_BY_ONE = f"SELECT f.event, f.version, f.answer FROM {_SPANS} JOIN facts f ON {_IN_SPAN}"  # noqa: S608 - constants


def compared(ask: str, *, holds: bool) -> str:
    """The question `counts`, `digests` or `facts` as one statement; `holds`: the warehouse says what it holds."""
    return (_FACTS_HOLDS if holds else _FACTS) + {"counts": _COUNTS, "digests": _DIGESTS, "facts": _ONE_BY_ONE}[ask]


Row = tuple[int, str, str, str, str, str, list[str], int, int, datetime]


def rows_of(events: Iterable[StoreEvent]) -> Iterator[Row]:
    """Each event as one row, in the order of COLUMNS."""
    for event in events:
        given = event.answer is Answer.YES and event.subject.choice is Choice.DONATION
        categories = sorted(item.value for item in event.decision.categories) if given else []
        subject = event.subject
        yield (
            *(event.number, event.system, event.value, subject.choice.value, subject.effort or "", event.answer.value),
            *(categories, event.decision.version, event.position, event.decision.recorded_at),
        )


def ddl(database: str = "DATABASE", role: str = "portal") -> str:
    """The statements that the owner of a warehouse runs once; the rights are given as comments to be filled in."""
    return DDL.replace("{role}", role).replace("{database}", database)
