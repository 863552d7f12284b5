"""Statements that go straight to the driver, inside a transaction of `unit_of_work.py`.

The mapper's session takes several times as long for a small statement as the statement itself. That is fine on a page
of many rows, and not for what runs with every request and every decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import RowFactory, dict_row, tuple_row
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Values = Mapping[str, Any]


class Straight:
    """One transaction. Statements are constants (`text(...)`); values and rows are the driver's own.

    Errors are SQLAlchemy's, and whoever counts an engine's statements sees these, too.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)

    def execute(self, statement: TextClause, values: Values) -> None:
        """Run a statement whose rows nobody needs."""
        self._done(statement, values, tuple_row)

    def rows(self, statement: TextClause, values: Values) -> list[tuple[Any, ...]]:
        """Run a statement; its rows."""
        return self._done(statement, values, tuple_row).fetchall()

    def mappings(self, statement: TextClause, values: Values) -> list[dict[str, Any]]:
        """Run a statement; its rows by the names of their columns."""
        return self._done(statement, values, dict_row).fetchall()

    @cached_property
    def session(self) -> Session:
        """The mapper, in the same transaction: for what is rarely needed."""
        return Session(self._connection, expire_on_commit=False, join_transaction_mode="rollback_only")

    def flush(self) -> None:
        """Write what the mapper holds; called before the commit."""
        if "session" in self.__dict__:
            self.session.flush()
            self.session.close()

    def _done(self, statement: TextClause, values: Values, rows: RowFactory[Any]) -> psycopg.Cursor[Any]:
        sent, cursor = _for_driver(statement), self._driver.cursor(row_factory=rows)
        for note in self._connection.engine.dispatch.before_cursor_execute:
            note(self._connection, cursor, sent, values, None, False)
        try:
            return cursor.execute(sent, values)
        except psycopg.Error as error:
            raise self._as_sqlalchemy(error) from error

    def _as_sqlalchemy(self, error: psycopg.Error) -> BaseException:
        """The error as a session raises it; once the server is away, no connection to it is used again."""
        lost = self._driver.closed or self._driver.broken
        if lost:
            self._connection.invalidate(error)
            self._connection.engine.dispose()
        return DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost)


@cache
def _for_driver(statement: TextClause) -> LiteralString:
    """A constant statement in the driver's own form, made once."""
    made = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's own class has no types
    return str(made)
