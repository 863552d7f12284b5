"""What a store remembers, in one SQLite file that survives kill -9 (synchronous=FULL).

People are filed under a keyed code (HMAC-SHA256 with the store's own key), so that after a removal the store can
still recognise a removed person in a hospital feed without keeping who it was (the re-ingest rule).
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
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS person (
    code TEXT PRIMARY KEY, system TEXT NOT NULL, value TEXT NOT NULL, label TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    code TEXT NOT NULL, source TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (code, source, number));
CREATE TABLE IF NOT EXISTS suppressed (code TEXT PRIMARY KEY, since TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS standing (
    code TEXT NOT NULL, choice TEXT NOT NULL, effort TEXT NOT NULL, version INTEGER NOT NULL, answer TEXT NOT NULL,
    receipt TEXT NOT NULL, PRIMARY KEY (code, choice, effort));
CREATE TABLE IF NOT EXISTS effect (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, event INTEGER NOT NULL, code TEXT NOT NULL, choice TEXT NOT NULL,
    effort TEXT NOT NULL, version INTEGER NOT NULL, answer TEXT NOT NULL, receipt TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    webhook_id TEXT NOT NULL, body_hash TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (webhook_id, body_hash));
CREATE TABLE IF NOT EXISTS told (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, event INTEGER NOT NULL, code TEXT NOT NULL, choice TEXT NOT NULL,
    version INTEGER NOT NULL, answer TEXT NOT NULL, did TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS done (id INTEGER PRIMARY KEY, at TEXT NOT NULL, what TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS owed (id INTEGER PRIMARY KEY, event INTEGER NOT NULL, receipt TEXT NOT NULL, state TEXT);
CREATE TABLE IF NOT EXISTS manifest (
    code TEXT PRIMARY KEY, manifest TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL);
"""


class Memory:
    """The store's SQLite file; one writer at a time, each change in one transaction."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            state_dir / "store.sqlite3", check_same_thread=False, isolation_level=None, timeout=30
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._depth = 0
        with self.change():
            if self.fact("key") is None:
                self.set_fact("key", secrets.token_hex(32))
        self._key = bytes.fromhex(self.fact("key") or "")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction; committed to disk before it returns, rolled back on any error."""
        with self._lock:
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth = 0

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement and return the number of rows it touched."""
        with self._lock:
            return self._db.execute(sql, values).rowcount

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        with self._lock:
            self._db.executemany(sql, rows)

    def count(self, sql: str, *values: Any) -> int:
        return int(self.rows(sql, *values)[0][0])

    def fact(self, name: str) -> str | None:
        found = self.rows("SELECT value FROM fact WHERE name = ?", name)
        return str(found[0]["value"]) if found else None

    def set_fact(self, name: str, value: str) -> None:
        self.run("INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)

    def code_of(self, system: str, value: str) -> str:
        """The keyed code of a person; without the store's key it says nothing about who it is."""
        return hmac.new(self._key, f"{system}|{value}".encode(), hashlib.sha256).hexdigest()

    def is_suppressed(self, code: str) -> bool:
        return bool(self.rows("SELECT 1 FROM suppressed WHERE code = ?", code))

    def entries_of(self, code: str) -> int:
        return self.count("SELECT count(*) FROM entry WHERE code = ?", code)

    def forget(self, code: str) -> int:
        """Remove everything held of the person; the number of entries removed."""
        removed = self.run("DELETE FROM entry WHERE code = ?", code)
        self.run("DELETE FROM person WHERE code = ?", code)
        self.run("DELETE FROM manifest WHERE code = ?", code)
        return removed

    def keep(self, code: str, system: str, value: str, label: str, source: str, lines: list[dict[str, Any]]) -> None:
        """File the lines of one source under the person, replacing what that source said before."""
        self.run("INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?)", code, system, value, label)
        self.run("DELETE FROM entry WHERE code = ? AND source = ?", code, source)
        self.many(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
            [
                (code, source, number, str(line.get("resourceType") or line.get("kind") or "Entry"), json.dumps(line))
                for number, line in enumerate(lines)
            ],
        )

    def note(self, at: str, what: str) -> None:
        self.run("INSERT INTO done (at, what) VALUES (?, ?)", at, what)
