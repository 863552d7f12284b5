"""Row security, table by table: the second wall behind the gate (threats, control 1)."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from consent.tables import Person
from database.context import as_nobody, as_persons, as_propagation
from database.unit_of_work import sqlalchemy_url
from tests.support.people import add_person
from tests.support.postgres import TestDatabase

# Tables that hold nothing about a person, each with the reason. A table that is neither here nor under forced row
# security fails the test below, so a new table has to be placed on purpose.
ABOUT_NOBODY = {
    "alembic_version": "the revision",
    "practice": "catalogue",
    "provider_brand": "names of hospitals",
    "effort": "catalogue",
    "effort_end": "catalogue",
    "effort_result": "news for everyone who took part",
    "consent_text": "published texts",
    "tree_head": "hashes under random salts",
    "ledger_tile": "hashes under random salts",
    "store": "catalogue",
    "store_cursor": "positions",
    "store_channel": "how a store answers, and counts",
    "store_batch": "positions and event numbers",
    "store_backfill": "positions and counts",
    "store_retelling": "positions",
    "reconciliation": "counts",
    "receipt": "event numbers and what a store answered",
    "store_pause": "when and why an operator stopped sending",
    "store_digest": "mails about a store, in counts",
    "confirm_time": "how many events by time to confirm",
    "standing_count": "counts",
    "process_heartbeat": "processes",
    "api_token": "keyed indexes and client ids",
    "api_assertion": "keyed indexes",
    "campaign": "topics, positions and counts",
    "faq_reply": "answers in counts",
    "rate_count": "keyed subjects and counts",
    "data_request": "what a research team asks for",
    "request_event": "steps of a request; people only in counts",
    "procrastinate_jobs": "opaque ids only",
    "procrastinate_events": "opaque ids only",
    "procrastinate_periodic_defers": "timers",
    "procrastinate_workers": "processes",
}


def _tables(database: TestDatabase) -> dict[str, tuple[bool, bool]]:
    engine = create_engine(sqlalchemy_url(database.superuser_url))
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class "
                "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            )
        ).all()
    engine.dispose()
    return {name: (enabled, forced) for name, enabled, forced in rows}


def test_every_table_about_a_person_is_protected(database: TestDatabase) -> None:
    """SEC-08: each table is about nobody for a stated reason, or under forced row security."""
    unprotected = {name for name, flags in _tables(database).items() if flags != (True, True)}
    assert unprotected == set(ABOUT_NOBODY)


def test_the_check_would_name_an_unlisted_table(database: TestDatabase) -> None:
    """SEC-08: a table added without a policy is found."""
    engine = create_engine(sqlalchemy_url(database.superuser_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE forgotten (person_id uuid)")
    engine.dispose()
    unprotected = {name for name, flags in _tables(database).items() if flags != (True, True)}
    assert unprotected - set(ABOUT_NOBODY) == {"forgotten"}


@pytest.fixture
def two_people(database: TestDatabase) -> tuple[UUID, UUID]:
    return add_person(database), add_person(database)


def test_a_context_reaches_its_own_rows_only(database: TestDatabase, two_people: tuple[UUID, UUID]) -> None:
    """SEC-08: person A's context sees A, not B, and nothing without a context; the pool carries nothing over."""
    first, second = two_people
    for reachable in ((first,), (second,), (), (first, second), (uuid4(),)):
        with database.web.begin(as_persons(*reachable)) as session:
            seen = set(session.scalars(text("SELECT id FROM person")))
        assert seen == set(reachable) & {first, second}


def test_a_row_for_someone_else_cannot_be_written(database: TestDatabase, two_people: tuple[UUID, UUID]) -> None:
    """SEC-08: a write outside the context is refused, not merely hidden."""
    first, second = two_people
    change = text("UPDATE person SET language = 'es' WHERE id = :id")
    with database.web.begin(as_persons(first)) as session:
        assert session.execute(change, {"id": second}).rowcount == 0  # type: ignore[attr-defined]  # a change's result has a rowcount
    with pytest.raises(DBAPIError, match="row-level security"), database.web.begin(as_persons(first)) as session:
        session.add(Person(id=uuid4(), language=None, zone=None, created_at=_now(session)))


def test_the_worker_inherits_no_wider_sight(database: TestDatabase, two_people: tuple[UUID, UUID]) -> None:
    """Decisions, roles: unless it takes a wider role by name, the worker's login reaches one person's rows only."""
    with database.worker.begin(as_persons(two_people[0])) as session:
        assert session.scalars(text("SELECT id FROM person")).all() == [two_people[0]]
        assert session.scalar(text("SELECT current_user")) == "portal_worker"


@pytest.mark.parametrize("login", ["web", "worker"])
def test_only_propagation_reads_across_persons(
    database: TestDatabase, two_people: tuple[UUID, UUID], login: str
) -> None:
    """Decisions, roles: the worker may take the propagation role; the web login may not."""
    chosen = database.web if login == "web" else database.worker
    if login == "web":
        with pytest.raises(DBAPIError, match="permission denied"), chosen.begin(as_propagation()):
            pass
        return
    with chosen.begin(as_propagation()) as session:
        assert set(session.scalars(text("SELECT id FROM person"))) == set(two_people)
        with pytest.raises(DBAPIError, match="permission denied"):
            session.execute(text("SELECT content_sealed FROM resource_version"))
        session.rollback()


@pytest.mark.parametrize("table", ["decision", "audit_event", "contact_consent", "position", "consent_text"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET person_id = person_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_is_append_only(database: TestDatabase, table: str, verb: str) -> None:
    """House rule 1: no application login may change history, and a trigger stops even the owner."""
    change = verb.format(table)
    if table == "consent_text":
        change = change.replace("person_id = person_id", "body = body")
    for login in (database.web, database.worker):
        with pytest.raises(DBAPIError, match="permission denied"), login.begin(as_nobody()) as session:
            session.execute(text(change))
    if verb.startswith("TRUNCATE"):
        with pytest.raises(DBAPIError, match="append-only"), database.maintenance.begin(as_nobody()) as session:
            session.execute(text(change))


def _now(session: Session) -> object:
    return session.scalar(text("SELECT now()"))
