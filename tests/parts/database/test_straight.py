"""Statements that go straight to the driver: in the same transaction as a session's, with the same errors."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError

from database.context import as_nobody, as_persons
from database.unit_of_work import Database, count_statements
from tests.support.postgres import TestDatabase
from vocabulary.errors import Unavailable

ROSA = UUID(int=1)
ADD = text("INSERT INTO person (id, language, created_at) VALUES (:id, 'en', now())")
THERE = text("SELECT id, language FROM person WHERE id = ANY (:ids)")
END = text("SELECT pg_terminate_backend(pg_backend_pid())")


def _add_twice(web: Database) -> None:
    with web.begin_straight(as_persons(ROSA)) as straight:
        straight.execute(ADD, {"id": ROSA})
        straight.session.execute(ADD, {"id": ROSA})


def test_one_transaction_with_the_mapper(database: TestDatabase) -> None:
    """LIB-02, house rule 3: straight and by a session is one commit, or none; whoever counts statements sees both."""
    web = database.web
    with pytest.raises(IntegrityError):
        _add_twice(web)
    sent: list[str] = []
    count_statements(web.engine, sent)
    with web.begin_straight(as_persons(ROSA)) as straight:
        assert straight.rows(THERE, {"ids": [ROSA]}) == []
        straight.session.execute(ADD, {"id": ROSA})
        assert straight.mappings(THERE, {"ids": [ROSA]}) == [{"id": ROSA, "language": "en"}]
    assert len(sent) == 4
    with web.begin_straight(as_nobody()) as straight:
        assert straight.rows(THERE, {"ids": [ROSA]}) == [], "row security holds as for a session"
    with web.begin(as_persons(ROSA)) as session:
        assert session.execute(THERE, {"ids": [ROSA]}).all() == [(ROSA, "en")]


def test_the_errors_are_those_of_a_session(database: TestDatabase) -> None:
    """SEC-10: what a client sends wrong keeps its kind; a connection that was lost is said so once, and made anew."""
    web = database.web
    with web.begin_straight(as_persons(ROSA)) as straight:
        straight.execute(ADD, {"id": ROSA})
    with pytest.raises(IntegrityError), web.begin_straight(as_persons(ROSA)) as straight:
        straight.execute(ADD, {"id": ROSA})
    with pytest.raises(DataError), web.begin_straight(as_nobody()) as straight:
        straight.rows(text("SELECT CAST(:value AS int)"), {"value": "many"})
    with pytest.raises(Unavailable), web.begin_straight(as_nobody()) as straight:
        straight.rows(END, {})
    with web.begin_straight(as_persons(ROSA)) as straight:
        assert straight.rows(THERE, {"ids": [ROSA]}) == [(ROSA, "en")]
