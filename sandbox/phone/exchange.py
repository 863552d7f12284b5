"""The exchange: every text in one SQLite file, who said STOP, and the webhooks still to be delivered."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, sid TEXT UNIQUE NOT NULL, direction TEXT NOT NULL, "to" TEXT NOT NULL,
    "from" TEXT, service TEXT, body TEXT NOT NULL, status TEXT NOT NULL, error INTEGER, callback TEXT,
    created REAL NOT NULL, updated REAL NOT NULL);
CREATE TABLE IF NOT EXISTS stopped (number TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY, due REAL NOT NULL, sid TEXT NOT NULL, status TEXT, error INTEGER, url TEXT,
    params TEXT NOT NULL, token TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS delivered (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, sid TEXT NOT NULL, kind TEXT NOT NULL, status TEXT, answer INTEGER);
"""

RANK = {"accepted": 0, "queued": 1, "sending": 2, "sent": 3, "delivered": 4, "undelivered": 4, "failed": 4}


def new_sid() -> str:
    return "SM" + secrets.token_hex(16)


def wire_date(moment: float) -> str:
    """Twilio's date form, RFC 2822 in UTC."""
    return format_datetime(datetime.fromtimestamp(moment, tz=UTC))


def segments(body: str) -> int:
    """SMS segments: 160 (153 when split) of plain characters, 70 (67) when one is outside Latin-1."""
    single, split = (160, 153) if all(ord(character) < 256 for character in body) else (70, 67)
    return 1 if len(body) <= single else -(-len(body) // split)


class Exchange:
    """One writer at a time; a change is on disk before it is answered."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(state_dir / "phone.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(sql, values)

    def add(self, *, direction: str, to: str, sender: str | None, body: str, now: float, **more: Any) -> sqlite3.Row:
        """File one text and return its row; `more`: service, status, callback."""
        sid = new_sid()
        self.run(
            'INSERT INTO message (sid, direction, "to", "from", service, body, status, callback, created, updated)'
            " VALUES (?,?,?,?,?,?,?,?,?,?)",
            *(sid, direction, to, sender, more.get("service"), body, more["status"], more.get("callback"), now, now),
        )
        return self.message(sid)[0]

    def message(self, sid: str) -> list[sqlite3.Row]:
        return self.rows("SELECT * FROM message WHERE sid = ?", sid)

    def advance(self, sid: str, status: str, error: int | None, now: float) -> None:
        """Move a text forward; what the network itself shows never goes back."""
        held = self.message(sid)
        if held and RANK.get(status, 0) >= RANK.get(held[0]["status"], 0):
            self.run("UPDATE message SET status = ?, error = ?, updated = ? WHERE sid = ?", status, error, now, sid)

    def later(self, due: float, sid: str, url: str | None, params: dict[str, str], status: str | None = None) -> None:
        self.run(
            "INSERT INTO step (due, sid, status, error, url, params, token) VALUES (?,?,?,?,?,?,?)",
            *(due, sid, status, params.get("ErrorCode"), url, json.dumps(params), secrets.token_hex(16)),
        )

    def is_stopped(self, number: str) -> bool:
        return bool(self.rows("SELECT 1 FROM stopped WHERE number = ?", number))

    def as_twilio(self, row: sqlite3.Row, account: str) -> dict[str, Any]:
        """The Message resource, as Twilio's API v2010 gives it."""
        uri = f"/2010-04-01/Accounts/{account}/Messages/{row['sid']}"
        sent = row["status"] in ("sent", "delivered", "undelivered", "received")
        return {
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": row["body"],
            "date_created": wire_date(row["created"]),
            "date_sent": wire_date(row["updated"]) if sent else None,
            "date_updated": wire_date(row["updated"]),
            "direction": row["direction"],
            "error_code": row["error"],
            "error_message": None,
            "from": row["from"],
            "messaging_service_sid": row["service"],
            "num_media": "0",
            "num_segments": str(segments(row["body"])),
            "price": None,
            "price_unit": "USD",
            "sid": row["sid"],
            "status": row["status"],
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": row["to"],
            "uri": f"{uri}.json",
        }
