"""Transactions. This is the only place in the product that commits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from database.context import Context
from database.straight import Straight
from vocabulary.errors import Unavailable

STATEMENT_TIMEOUT_MS = 20_000
LOCK_TIMEOUT_MS = 8_000
TRANSIENT = {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"}


class Database:
    """One process's way to PostgreSQL under one login.

    `begin` opens a transaction in a context, commits when the block ends and rolls back when it raises. Whatever
    keeps the database from answering becomes `Unavailable`, so that no caller has to know the driver.
    """

    def __init__(self, url: str, *, pool_size: int = 5, application_name: str = "portal") -> None:
        self.url = url
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC"
        self.engine: Engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            pool_pre_ping=False,
            pool_use_lifo=True,
            hide_parameters=True,  # an uncaught error must not print a person's values
            connect_args={"application_name": application_name, "options": options, "connect_timeout": 5},
        )

    @contextmanager
    def begin(self, context: Context) -> Iterator[Session]:
        """A session inside one transaction under `context`; commits at the end."""
        with _or_unavailable(), Session(self.engine, expire_on_commit=False) as session:
            context.put_in_force(session)
            yield session
            session.commit()

    @contextmanager
    def begin_straight(self, context: Context) -> Iterator[Straight]:
        """The same with statements that go straight to the driver: for the few that every request or decision runs."""
        with _or_unavailable(), self.engine.connect() as connection, connection.begin():
            straight = Straight(connection)
            context.put_in_force(straight)
            yield straight
            straight.flush()

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _or_unavailable() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("database-busy", retry_after_seconds=5) from error
    except DBAPIError as error:
        if is_transient(error):
            raise Unavailable("database-unavailable", retry_after_seconds=5) from error
        raise


def is_transient(error: DBAPIError) -> bool:
    """True when trying again later may work: lost connection, shutdown, lock or statement time-out, serialization."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError) or error.connection_invalidated
    return state in TRANSIENT or state.startswith("08")


def sqlalchemy_url(url: str) -> str:
    """The SQLAlchemy form of a libpq URL: the driver is always psycopg 3."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def count_statements(engine: Engine, counted: list[str]) -> None:
    """Append every statement sent through `engine` to `counted` (benchmarks and tests count them)."""

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        counted.append(statement)

    event.listen(engine, "before_cursor_execute", note)
