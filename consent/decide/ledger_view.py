"""The ledger as decisions read it: everything once, then what is new since, by one statement.

Why nothing committed is missed: a decision is in `position` or still in `unsequenced`, and one statement sees both at
one moment, so a withdrawal counts from its commit and not from its place in the order. Links, names and codes carry
the transaction that added them; all that a former look can have missed is at or above the oldest transaction that ran
then (`pg_snapshot_xmin`). Read twice is harmless.

The connection is this view's own, in autocommit and under `portal_propagation`: a look is one round trip.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from consent.decide.snapshot import Name
from database.unit_of_work import Database
from vocabulary.errors import Unavailable

_MICROS = "coalesce((extract(epoch FROM d.{0}) * 1000000)::bigint::text, '')"
_TEXT = (
    "coalesce(d.effort_id, '') || '|' || d.answer || '|' || array_to_string(d.categories, ',') || '|'"
    f" || array_to_string(d.sensitive, ',') || '|' || {_MICROS.format('starts_at')} || '|'"
    f" || {_MICROS.format('expires_at')}"
)
_NAME = "a.issued_by, coalesce(a.practice_id, a.issued_by || '-main'), a.system"
_KEY = "substr(a.value_index, 1, 16)"
_TOP = "(SELECT coalesce(max(position) + 1, 0) FROM position), pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_NO = "NULL::text, NULL::text, NULL::text, NULL::bytea"  # what most kinds leave empty
_NOBODY = "NULL::bigint[], NULL::int[]"

HEAD = f"SELECT {_TOP}"
# The kinds of news and the head, as rows of one shape: kind, two numbers, four texts, one key, and whose with which
# version; decisions, which are most of it, are one row of texts, persons and versions, for a row of its own costs more
# to carry than a decision says. What is new is found first, by its index, and joined after: a plan made for any
# parameter would begin at a whole table.
NEWS = (
    "WITH q AS MATERIALIZED (SELECT decision_id, person_id FROM position WHERE position >= %(position)s),"  # noqa: S608 - constants; values are bound
    " l AS MATERIALIZED (SELECT * FROM person_link WHERE added_xid >= %(xid)s),"
    " a AS MATERIALIZED (SELECT * FROM person_alias WHERE added_xid >= %(xid)s),"
    " c AS MATERIALIZED (SELECT * FROM store_subject WHERE added_xid >= %(xid)s) "
    f"SELECT 'd', 0::bigint, 0::bigint, string_agg({_TEXT}, E'\\n'), {_NO},"
    " array_agg(p.person_no), array_agg(d.version)"
    " FROM (SELECT decision_id, person_id FROM q UNION ALL SELECT decision_id, person_id FROM unsequenced) m"
    " JOIN decision d ON d.id = m.decision_id JOIN person p ON p.id = m.person_id"
    f" UNION ALL SELECT 'l', p.person_no, o.person_no, l.linked::text, l.id::text, NULL, NULL, NULL, {_NOBODY} FROM l"
    " JOIN person p ON p.id = l.person_id JOIN person o ON o.id = l.other_person_id"
    f" UNION ALL SELECT 'n', p.person_no, 0, {_NAME}, NULL, {_KEY}, {_NOBODY} FROM a"
    " JOIN person p ON p.id = a.person_id"
    f" UNION ALL SELECT 'c', p.person_no, 0, c.store_id, c.subject, NULL, NULL, NULL, {_NOBODY} FROM c"
    " JOIN person p ON p.id = c.person_id"
    f" UNION ALL SELECT 'e', 0, 0, e.effort_id, {_NO}, {_NOBODY} FROM effort_end e"
    f" UNION ALL SELECT 'h', {_TOP}, NULL, {_NO}, {_NOBODY}"
)
DECISIONS = f"SELECT p.person_no, d.version, {_TEXT} FROM decision d JOIN person p ON p.id = d.person_id ORDER BY 1, 2"  # noqa: S608 - constants; values are bound
NAMES = f"SELECT p.person_no, {_NAME} FROM person_alias a JOIN person p ON p.id = a.person_id"  # noqa: S608 - constants; values are bound
LINKS = (
    "SELECT l.id, p.person_no, o.person_no, l.linked FROM person_link l"
    " JOIN person p ON p.id = l.person_id JOIN person o ON o.id = l.other_person_id"
)
KEYS = f"SELECT encode({_KEY}, 'hex'), p.person_no FROM person_alias a JOIN person p ON p.id = a.person_id"  # noqa: S608 - constants; values are bound
_CODED = "store_subject c JOIN person p ON p.id = c.person_id"
CODES = f"SELECT c.subject, p.person_no FROM {_CODED} WHERE c.store_id = %(store)s"  # noqa: S608 - constants; values are bound
_MOMENT = b"moment"
LOOK_MS, READ_ALL_MS = 5_000, 1_800_000
# So often it is looked whether the answer is there, before this thread lays itself to sleep: to be woken takes as long
# as the whole answer, and each look lets others have the processor.
AWAKE_LOOKS = 60
# A look finds a handful of rows by their indexes. The planner cannot know that of a parameter: it takes a third of
# the ledger to be news and would read all of every table.
_BY_INDEX = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off"}
_LOOKING = {"statement_timeout": str(LOOK_MS), **_BY_INDEX}


@dataclass(frozen=True)
class Head:
    """Up to where was read: positions below `position`, and all transactions below `xid`."""

    position: int
    xid: int


@dataclass(frozen=True)
class News:
    """What came since. `decided` in the order of each person's versions: (person_no, version, text). `ended` is every
    effort that has ended, whenever that was."""

    head: Head
    decided: Sequence[tuple[int, int, str]]
    linked: Sequence[tuple[int, int, int, bool]]
    named: Sequence[tuple[int, Name, bytes]]
    coded: Sequence[tuple[int, str, str]]
    ended: frozenset[str] = frozenset()


class LedgerView:
    """One connection that reads across persons; every method raises Unavailable when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None
        self._cursor: psycopg.Cursor[Any] | None = None
        self._prepared = False
        self._waiting = select.poll()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._cursor = None
        self._prepared = False

    def head(self) -> Head:
        return Head(*self._rows(HEAD)[0])

    def ask_moment(self) -> None:
        """Ask for the `moment` without waiting for it; nothing else may be asked before it was read.

        By libpq's own calls, for it is all that most single questions cost."""
        try:
            pgconn = self._open().pgconn
            if not self._prepared:
                pgconn.prepare(_MOMENT, b"SELECT pg_current_snapshot()")
                self._prepared = True
            pgconn.send_query_prepared(_MOMENT, None)
        except psycopg.Error as error:
            self.close()
            raise Unavailable("ledger-not-read", retry_after_seconds=1) from error

    def moment(self) -> bytes:
        """Which transactions were visible when it was asked: while this is the same, nothing was committed, here or
        elsewhere. Waits as long as a look may take."""
        try:
            pgconn = self._open().pgconn
            looks = 0
            while pgconn.is_busy():
                looks += 1
                if looks < AWAKE_LOOKS:
                    os.sched_yield()
                elif not self._waiting.poll(LOOK_MS):
                    raise psycopg.OperationalError("no answer")
                pgconn.consume_input()
            found, end = pgconn.get_result(), pgconn.get_result()
            if found is None or found.status != pq.ExecStatus.TUPLES_OK or end is not None:
                raise psycopg.OperationalError("no snapshot")
        except psycopg.Error as error:
            self.close()
            raise Unavailable("ledger-not-read", retry_after_seconds=1) from error
        return found.get_value(0, 0) or b""

    def news(self, since: Head) -> News:
        """What was committed since; the head of an older database (restored) is below `since`."""
        rows = self._rows(NEWS, {"position": since.position, "xid": since.xid})
        head = next(Head(row[1], row[2]) for row in rows if row[0] == "h")
        texts, persons, versions = next((row[3], row[8], row[9]) for row in rows if row[0] == "d")
        return News(
            head,
            sorted(zip(persons or (), versions or (), texts.split("\n") if texts else (), strict=True)),
            [(int(row[4]), row[1], row[2], row[3] == "true") for row in rows if row[0] == "l"],
            [(row[1], Name(row[3], row[4], row[5]), bytes(row[7])) for row in rows if row[0] == "n"],
            [(row[1], row[3], row[4]) for row in rows if row[0] == "c"],
            frozenset(row[3] for row in rows if row[0] == "e"),
        )

    def links(self) -> list[tuple[int, int, int, bool]]:
        """Every link: row number, two persons, joined or parted."""
        return [(row[0], row[1], row[2], row[3]) for row in self._rows(LINKS)]

    def decisions(self) -> Iterator[tuple[int, int, str]]:
        """Every decision, by person and version."""
        for person, version, text in self._copied(DECISIONS):
            yield int(person), int(version), text.decode()

    def names(self) -> Iterator[tuple[int, Name]]:
        """The kinds of names of everyone."""
        seen: dict[tuple[bytes, ...], Name] = {}
        for person, *raw in self._copied(NAMES):
            key = tuple(raw)
            name = seen.get(key)
            if name is None:
                name = seen[key] = Name(*(_unescaped(part) for part in raw))
            yield int(person), name

    def keys(self) -> Iterator[tuple[bytes, int]]:
        """The first half of each name's keyed index, with its person."""
        for key, person in self._copied(KEYS):
            yield bytes.fromhex(key.decode()), int(person)

    def codes(self, store: str) -> Iterator[tuple[bytes, int]]:
        """The random codes of one store, with their persons."""
        for code, person in self._copied(CODES, {"store": store}):
            yield code, int(person)

    def _rows(self, query: str, bound: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        try:
            connection = self._open()
            if self._cursor is None:
                self._cursor = connection.cursor()
            return self._cursor.execute(query, bound, prepare=True).fetchall()
        except psycopg.Error as error:
            self.close()
            raise Unavailable("ledger-not-read", retry_after_seconds=1) from error

    def _copied(self, query: str, bound: dict[str, Any] | None = None) -> Iterator[list[bytes]]:
        try:
            connection = self._open()
            _set(connection, {"statement_timeout": str(READ_ALL_MS), **dict.fromkeys(_BY_INDEX, "on")})
            with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT", bound) as copy:
                for line in copy:
                    yield bytes(line)[:-1].split(b"\t")
            _set(connection, _LOOKING)
        except psycopg.Error as error:
            self.close()
            raise Unavailable("ledger-not-read", retry_after_seconds=1) from error

    def _open(self) -> psycopg.Connection[Any]:
        """The connection; never one of the pool, for its role must not return to others."""
        if self._connection is None:
            connection = psycopg.connect(
                self._database.url,
                autocommit=True,
                connect_timeout=5,
                tcp_user_timeout=LOOK_MS,
                application_name="portal-decide",
                options="-c timezone=UTC -c role=portal_propagation -c default_transaction_read_only=on -c jit=off"
                " -c plan_cache_mode=force_generic_plan",
            )
            _set(connection, _LOOKING)
            self._connection, self._waiting = connection, select.poll()
            self._waiting.register(connection.fileno(), select.POLLIN)
        return self._connection


def _set(connection: psycopg.Connection[Any], values: Mapping[str, str]) -> None:
    """All at once; names and values are this file's own."""
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in values.items())
    connection.execute(f"SELECT {settings}")


_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _unescaped(raw: bytes) -> str:
    """A text as COPY wrote it."""
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), raw).decode()
