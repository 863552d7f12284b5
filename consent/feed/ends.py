"""The clock's rows for every yes that has run out, as a set: for an end that comes for a million people at once.

One statement does what `dates.due` and `dates.row_for` say of an end, and `leaf.leaf_of` of its hash; a test holds them
against each other. What begins on a date stays with the rule itself.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import CursorResult, text

from consent.record_decision import LOCK
from database.context import as_propagation
from database.unit_of_work import Database
from vocabulary.time_ordered_id import EPOCH

AT_ONCE = 2_000
"""Persons of one transaction: they wait for each other, and a statement has its time limit."""
AT_A_TIME = 2
_PATIENCE = text("SELECT set_config('statement_timeout', '15min', true)")
_SAME = "{0}.person_id = d.person_id AND {0}.choice = d.choice AND {0}.effort_id IS NOT DISTINCT FROM d.effort_id"
# The stores were told yes last; and it governs: nothing that the person decided later about the same has begun.
_RAN_OUT = (
    "d.expires_at <= :now AND d.answer = 'yes' AND d.means NOT IN ('beginning', 'expiry')"  # noqa: S608 - constants
    f" AND (SELECT t.answer FROM decision t WHERE {_SAME.format('t')}"
    "  AND NOT (t.answer = 'yes' AND t.starts_at IS NOT NULL AND t.starts_at > t.recorded_at)"
    "  ORDER BY t.version DESC LIMIT 1) = 'yes'"
)
# Of persons who are given: not by the index of all that ever ran out, which would be read for each transaction.
_OF_PERSON = _RAN_OUT.replace("d.expires_at <=", "coalesce(d.expires_at, 'infinity') <=")
_ENDED = (
    f"{_OF_PERSON} AND (d.starts_at IS NULL OR d.starts_at <= :now)"  # noqa: S608 - constants
    f" AND NOT EXISTS (SELECT 1 FROM decision e WHERE {_SAME.format('e')} AND e.version > d.version"
    "  AND e.means NOT IN ('beginning', 'expiry')"
    "  AND (e.answer = 'no' OR e.starts_at IS NULL OR e.starts_at <= :now) OFFSET 0)"
)
# In the order of the indexes that the rows go into: with millions each of their pages is then visited once.
_PERSONS = text(
    f"SELECT DISTINCT person_id FROM decision d WHERE d.expires_at > :since AND {_RAN_OUT} ORDER BY person_id"  # noqa: S608 - constants
)
_UTC = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_TEXT_OR_NULL = "coalesce(to_json({})::text, 'null')"


def _json(**values: str) -> str:
    """SQL of the object as RFC 8785 writes it, names in order and nothing between them. In a value what stands in
    double braces is SQL, and what stands around it is written as it is: each part that is put on copies the text before
    it, so they are few."""
    row = ",".join(f'"{name}":{values[name]}' for name in sorted(values))
    parts = re.split(r"\{\{(.*?)\}\}", "{" + row + "}")
    said = [part if place % 2 else "'" + part.replace(":", "\\:") + "'" for place, part in enumerate(parts) if part]
    return " || ".join(said)


# The row as `leaf.row_for_leaf` has it; ids, times and the words of a CHECK need no escape.
_ROW = _json(
    id='"{{d.new_id}}"',
    person='"{{d.person_id}}"',
    version="{{d.new_version}}",
    choice='"{{d.choice}}"',
    effort="{{" + _TEXT_OR_NULL.format("d.effort_id") + "}}",
    answer='"no"',
    categories="[]",
    sensitive="[]",
    actor_kind='"system"',
    actor_account="null",
    actor_reference="null",
    provider="null",
    means='"expiry"',
    language="{{to_json(d.language)}}",
    text_id="{{" + _TEXT_OR_NULL.format("d.text_id") + "}}",
    text_version="{{coalesce(d.text_version::text, 'null')}}",
    practice="{{" + _TEXT_OR_NULL.format("d.practice_id") + "}}",
    reason='"expired"',
    evidence_sha256="null",
    confirmed_by_person="{{CASE WHEN d.confirmed_by_person THEN 'true' ELSE 'false' END}}",
    asked_at='"{{' + _UTC.format("d.asked_at") + '}}"',
    recorded_at='"{{CAST(:recorded AS text)}}"',
    starts_at="null",
    expires_at="null",
    idempotency_key='"{{d.key}}"',
)
# The id is `time_ordered_id`. What is random in it and the salt come from a seed of 256 random bits that nobody keeps:
# PostgreSQL asks the system for each random number, which took longer than the row's leaf.
_END = text(
    "WITH ended AS MATERIALIZED (SELECT d.*, 'expiry-' || d.id AS key,"  # noqa: S608 - constants
    "  sha256(CAST(:seed AS bytea) || uuid_send(d.id) || '\\x01') AS chance,"
    "  sha256(CAST(:seed AS bytea) || uuid_send(d.id)) AS pepper,"
    "  (SELECT max(version) FROM decision m WHERE m.person_id = d.person_id)"
    "   + row_number() OVER (PARTITION BY d.person_id ORDER BY d.version) AS new_version"
    f"  FROM (SELECT id, person_id, version, choice, effort_id, language, text_id, text_version, practice_id,"
    "   confirmed_by_person, asked_at FROM decision d WHERE d.person_id = ANY (:persons)"
    f"   AND {_ENDED}) d),"
    " made AS MATERIALIZED (SELECT *, CAST(encode(substring(int8send(CAST(:milliseconds AS bigint)) FROM 3)"
    "  || set_byte(set_byte(substring(chance FROM 7 FOR 10), 0, get_byte(chance, 6) & 15 | 112), 2,"
    "   get_byte(chance, 8) & 63 | 128), 'hex') AS uuid) AS new_id FROM ended),"
    " added AS (INSERT INTO decision (id, person_id, version, choice, effort_id, answer, categories, sensitive,"
    "  actor_kind, means, language, text_id, text_version, practice_id, reason, confirmed_by_person, asked_at,"
    "  recorded_at, idempotency_key, salt) SELECT new_id, person_id, new_version, choice, effort_id, 'no', '{}', '{}',"
    "  'system', 'expiry', language, text_id, text_version, practice_id, 'expired', confirmed_by_person, asked_at,"
    "  :now, key, pepper FROM made),"
    " audited AS (INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, detail)"
    "  SELECT person_id, :now, 'decision.recorded', 'C', '0', 'system', jsonb_build_object('choice', choice, 'effort',"
    "  effort_id, 'answer', 'no', 'version', new_version, 'means', 'expiry') FROM made)"
    " INSERT INTO unsequenced (decision_id, person_id, version, leaf) SELECT new_id, person_id, new_version,"
    f"  sha256(decode('00', 'hex') || pepper || convert_to({_ROW}, 'UTF8'))"
    "  FROM made d ORDER BY person_id, new_version"
)


def add_ends(database: Database, since: datetime, now: datetime) -> int:
    """Add a row for each yes that ran out after `since` and by `now`, and of which no store was told; returns how many.

    `database` is the worker's login. Each transaction locks some persons and ends what has ended for them, AT_A_TIME of
    them side by side, each with persons of its own; a kill costs those under way. Whom it concerns is read as a stream,
    so memory does not grow with their number.
    """
    made, begun = 0, deque[Future[int]]()
    with database.begin(as_propagation()) as reading, ThreadPoolExecutor(AT_A_TIME, "ends") as pool:
        reading.execute(_PATIENCE)
        found = reading.execute(_PERSONS, {"since": since, "now": now}, execution_options={"yield_per": AT_ONCE})
        for persons in found.scalars().partitions(AT_ONCE):  # by itself a text's result is one partition
            begun.append(pool.submit(_end, database, persons, now))
            if len(begun) > AT_A_TIME:
                made += begun.popleft().result()
        return made + sum(one.result() for one in begun)


def _end(database: Database, persons: Sequence[UUID], now: datetime) -> int:
    bound = {
        "persons": list(persons),
        "now": now,
        "recorded": now.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z",
        "milliseconds": (now - EPOCH) // timedelta(milliseconds=1),
        "seed": secrets.token_bytes(32),
    }
    with database.begin(as_propagation()) as session:
        session.execute(LOCK, {"persons": bound["persons"]})
        added = session.execute(_END, bound)
        assert isinstance(added, CursorResult)
        return int(added.rowcount)
