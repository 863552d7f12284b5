"""History is added to and never changed: by rights for every role of the service, by triggers for the owner."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from database.context import Context, as_nobody, as_propagation, as_release
from database.unit_of_work import Database
from tests.support.postgres import TestDatabase
from tests.tampering.ledger import grow_ledger

TABLES = {
    "decision": "reason", "position": "leaf", "tree_head": "root", "ledger_tile": "root", "audit_event": "action",
    "person_link": "linked", "contact_consent": "answer", "consent_text": "body", "form_without_change": "form",
    "access_event": "kind", "data_request": "dataset", "request_event": "kind",
}  # fmt: skip
VERBS = {
    "update": "UPDATE {table} SET {column} = {column}",
    "delete": "DELETE FROM {table}",
    "truncate": "TRUNCATE {table} CASCADE",
    "disable the trigger": "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "drop the trigger": "DROP TRIGGER keep_history ON {table}",
    "drop": "DROP TABLE {table} CASCADE",
    "open row security": "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
}
ROLES = ("web", "worker", "propagation", "release")
FORGERIES: dict[str, tuple[str, ...]] = {
    "web": ("position", "tree_head", "ledger_tile"),
    "worker": (),  # it may take the two wide roles, so that what they may, it may
    "release": ("decision", "position", "tree_head", "ledger_tile"),
    "propagation": ("decision",),
}


def acting(database: TestDatabase, role: str) -> tuple[Database, Context]:
    wide = {"propagation": as_propagation(), "release": as_release()}
    return (database.web if role == "web" else database.worker), wide.get(role, as_nobody())


def refused(login: Database, context: Context, statement: str) -> str:
    """The message with which PostgreSQL refuses."""
    with pytest.raises(DBAPIError) as raised, login.begin(context) as session:
        session.execute(text(statement))
    return str(raised.value.orig)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_changes_history(database: TestDatabase, role: str) -> None:
    """Issue 3, ledger: each role of the service, each table of history, each way to change it: refused by right."""
    login, context = acting(database, role)
    for table, column in TABLES.items():
        for verb, statement in VERBS.items():
            said = refused(login, context, statement.format(table=table, column=column))
            assert "permission denied" in said or "must be owner" in said, (role, table, verb, said)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_writes_what_is_not_its_own(database: TestDatabase, role: str) -> None:
    """Decisions, roles: only the sequencer's role gives positions and signs heads, and it makes no decisions."""
    login, context = acting(database, role)
    for table in FORGERIES[role]:
        assert "permission denied" in refused(login, context, f"INSERT INTO {table} SELECT * FROM {table} WHERE false")
    assert "permission denied" in refused(login, context, "SET session_replication_role = replica")
    assert "permission denied" in refused(login, context, "UPDATE unsequenced SET version = 9")


def test_the_owner_meets_a_trigger(database: TestDatabase) -> None:
    """Issue 3, ledger: the login that owns the tables is stopped too, row by row and as a whole."""
    grow_ledger(database, 270, seed=3, at_once=90)
    for table in ("decision", "position", "tree_head", "ledger_tile", "audit_event"):
        for verb in ("update", "delete", "truncate"):
            statement = VERBS[verb].format(table=table, column=TABLES[table])
            said = refused(database.maintenance, as_nobody(), statement)
            assert "append-only" in said, (table, verb, said)


def test_every_table_of_history_has_both_triggers(database: TestDatabase) -> None:
    """House rule 1: a table of history without its triggers is found."""
    query = (
        "SELECT c.relname, array_agg(t.tgname ORDER BY t.tgname) AS names FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgenabled <> 'D' AND t.tgname LIKE 'keep%' GROUP BY 1"
    )
    with database.maintenance.begin(as_nobody()) as session:
        found = {row.relname: row.names for row in session.execute(text(query))}
    assert {table: found.get(table) for table in TABLES} == {
        table: ["keep_all_history", "keep_history"] for table in TABLES
    }
