"""A bare Flask handler that runs the statements of one decision and nothing else: what G2.1 compares with.

Three transactions, as the product's: the session read, the rate counted, the decision recorded. No session is opened,
no form checked, nobody asked, no rule put, no receipt made; every value comes with the form.
"""

from __future__ import annotations

import os
import re
import secrets
from typing import Any
from uuid import uuid4

import orjson
from flask import Flask, redirect, request
from psycopg_pool import ConnectionPool
from sqlalchemy import TextClause
from werkzeug.wrappers import Response

from consent.record_decision import APPEND, HISTORY, LOCK
from database.context import Context, as_persons, knowing

_SESSION = "SELECT content_sealed, created_at, seen_at, ended_at FROM web_session WHERE id_index = %(index)s"
_RATE = (
    "INSERT INTO rate_count (subject, window_start, count) VALUES (%(subject)s, date_trunc('minute', now()), 1)"
    " ON CONFLICT (subject, window_start) DO UPDATE SET count = rate_count.count + 1 RETURNING count"
)


def _plain(clause: TextClause) -> str:
    """A statement of the product's in the driver's own form."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", clause.text)


_LOCK, _HISTORY, _APPEND = _plain(LOCK), _plain(HISTORY), _plain(APPEND)


def app() -> Flask:
    """The application; granian calls this once."""
    made = Flask(__name__)
    pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=8, max_size=16, open=True)
    made.add_url_rule("/", "hello", lambda: "hello")

    @made.post("/choices/cancerlinq")
    def decide() -> Response:
        form, index = request.form, secrets.token_bytes(32)
        with pool.connection() as connection:
            _begin(connection, knowing(index))
            connection.execute(_SESSION, {"index": index}).fetchall()
        with pool.connection() as connection:
            _begin(connection, knowing())
            connection.execute(_RATE, {"subject": (request.remote_addr or "").encode()})
        with pool.connection() as connection:
            _begin(connection, as_persons(form["person"], account=form["account"]))  # type: ignore[arg-type]  # text serves
            connection.execute(_LOCK, {"persons": [form["person"]]}).fetchall()
            rows = connection.execute(_HISTORY, {"persons": [form["person"]], "form": form["form"]}).fetchall()
            connection.execute(_APPEND, _rows(form.to_dict(), len(rows) + 1))
        return redirect(f"/choices/decision/{form['form']}", 303)

    return made


def _begin(connection: Any, context: Context) -> None:
    connection.execute(_plain(context.statement), context.values)


def _rows(form: dict[str, str], version: int) -> dict[str, str]:
    decision, at = str(uuid4()), "2026-11-22T08:00:00Z"
    who = {"person_id": form["person"], "recorded_at": at, "actor_kind": "patient", "actor_account": form["account"]}
    row = {
        **who, "id": decision, "version": version, "choice": "cancerlinq", "answer": form["answer"], "categories": [],
        "sensitive": [], "means": "web", "language": "en", "text_id": "cancerlinq", "text_version": 1,
        "provider_id": "riverside", "confirmed_by_person": True, "asked_at": at, "idempotency_key": form["form"],
        "salt": "\\x00",
    }  # fmt: skip
    line = {**who, "event": "decision.recorded", "action": "C", "outcome": "0", "detail": {"version": version}}
    mark = {"decision_id": decision, "person_id": form["person"], "version": version, "leaf": "\\x00"}
    return {
        "decisions": orjson.dumps([row]).decode(),
        "lines": orjson.dumps([line]).decode(),
        "marks": orjson.dumps([mark]).decode(),
    }
