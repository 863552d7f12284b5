"""What a receiver has to remember, in one SQLite file. Use your own database: the tables are the point.

The sandbox's stores keep theirs in much the same way (`sandbox/store/memory.py`). The two share no code on purpose:
this kit is copied as it is, and a mistake in one is found by the other.

People are filed under a keyed code of their identifier, so that one who was removed is recognised in a later feed
although nothing of them is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SCHEMA = """
-- Every message ever taken, with the answer that it got: a repeat gets the same answer and does nothing. For ever.
CREATE TABLE IF NOT EXISTS message (id TEXT, body_hash TEXT, answer TEXT NOT NULL, PRIMARY KEY (id, body_hash));
-- The newest version of each choice of each person, and the receipt that was given for it.
CREATE TABLE IF NOT EXISTS standing (code TEXT, choice TEXT, effort TEXT, version INTEGER NOT NULL,
    answer TEXT NOT NULL, receipt TEXT NOT NULL, PRIMARY KEY (code, choice, effort));
-- Who is kept out: one keyed code each, and nothing else of them.
CREATE TABLE IF NOT EXISTS kept_out (code TEXT PRIMARY KEY);
-- Event numbers that came, as runs without a hole; more than one run means that something was missed.
CREATE TABLE IF NOT EXISTS told (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
-- Your own data; here one row per record of a person.
CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, code TEXT NOT NULL, entries INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS record_of ON record (code);
"""


class Memory:
    """One SQLite file, written to the disk before anything is answered; ":memory:" for tests."""

    def __init__(self, path: str) -> None:
        self._lock, self._depth = threading.RLock(), 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)
        with self.change():
            self.run("INSERT OR IGNORE INTO fact VALUES ('key', ?)", secrets.token_hex(32))
        self._key = bytes.fromhex(str(self.rows("SELECT value FROM fact WHERE name = 'key'")[0][0]))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction: all of a message, or none of it."""
        with self._lock:
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def run(self, statement: str, *values: Any) -> int:
        """Run one statement; the number of rows that it touched."""
        with self._lock:
            return self._db.execute(statement, values).rowcount

    def code_of(self, system: str, value: str) -> str:
        """The keyed code of a person; without the key it says nothing about who it is."""
        return hmac.new(self._key, json.dumps([system, value]).encode(), hashlib.sha256).hexdigest()

    # --- messages -----------------------------------------------------------------------------------------------

    def answer_to(self, message_id: str, body: bytes) -> str | None:
        """The answer that this very message got before."""
        found = self.rows("SELECT answer FROM message WHERE id = ? AND body_hash = ?", message_id, _hash(body))
        return str(found[0][0]) if found else None

    def remember(self, message_id: str, body: bytes, answer: str) -> None:
        self.run("INSERT INTO message VALUES (?, ?, ?)", message_id, _hash(body), answer)

    # --- event numbers ------------------------------------------------------------------------------------------

    def note_told(self, number: int) -> None:
        """Add a number to the runs, joining those that it touches."""
        first = last = number
        for run_first, run_last in self.rows(
            "SELECT first, last FROM told WHERE first <= ? AND last >= ?", number + 1, number - 1
        ):
            first, last = min(first, run_first), max(last, run_last)
            self.run("DELETE FROM told WHERE first = ?", run_first)
        self.run("INSERT INTO told VALUES (?, ?)", first, last)

    def note_announced(self, number: int) -> None:
        """A handshake or heartbeat said that events up to `number` were given out."""
        self.run("INSERT OR IGNORE INTO fact VALUES ('announced', '0')")
        self.run("UPDATE fact SET value = ? WHERE name = 'announced' AND CAST(value AS INTEGER) < ?", number, number)

    def last_told(self) -> int:
        return int(self.rows("SELECT coalesce(max(last), 0) FROM told")[0][0])

    def missing(self) -> list[tuple[int, int]]:
        """The ranges of event numbers that were given out and did not come. Ask for them (`missed.py`)."""
        announced = self.rows("SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'announced'")
        found, expected = [], 1
        for first, last in self.rows("SELECT first, last FROM told ORDER BY first"):
            if first > expected:
                found.append((expected, first - 1))
            expected = last + 1
        if announced and announced[0][0] >= expected:
            found.append((expected, int(announced[0][0])))
        return found

    # --- people -------------------------------------------------------------------------------------------------

    def standing(self, code: str, choice: str, effort: str) -> tuple[int, str, dict[str, Any]] | None:
        """Version, answer and receipt of what stands."""
        found = self.rows(
            "SELECT version, answer, receipt FROM standing WHERE code = ? AND choice = ? AND effort = ?",
            *(code, choice, effort),
        )
        return (int(found[0][0]), str(found[0][1]), json.loads(found[0][2])) if found else None

    def stand(self, code: str, choice: str, effort: str, version: int, answer: str, receipt: dict[str, Any]) -> None:
        self.run(
            "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?)",
            *(code, choice, effort, version, answer, json.dumps(receipt)),
        )

    def keep_out(self, code: str) -> None:
        self.run("INSERT OR IGNORE INTO kept_out VALUES (?)", code)

    def let_in(self, code: str) -> None:
        self.run("DELETE FROM kept_out WHERE code = ?", code)

    def is_kept_out(self, code: str) -> bool:
        return bool(self.rows("SELECT 1 FROM kept_out WHERE code = ?", code))

    # --- your own data ------------------------------------------------------------------------------------------

    def file(self, code: str, entries: int) -> None:
        self.run("INSERT INTO record (code, entries) VALUES (?, ?)", code, entries)

    def records(self, code: str) -> int:
        return int(self.rows("SELECT count(*) FROM record WHERE code = ?", code)[0][0])

    def entries(self, code: str) -> int:
        return int(self.rows("SELECT coalesce(sum(entries), 0) FROM record WHERE code = ?", code)[0][0])

    def remove(self, code: str) -> int:
        """Remove all that is held of a person; how many entries that were."""
        held = self.entries(code)
        self.run("DELETE FROM record WHERE code = ?", code)
        return held


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
