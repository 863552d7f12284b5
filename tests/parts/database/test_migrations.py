"""Migrations: they make what the models say, keep messy rows, and an installation can run them with its own logins."""

from __future__ import annotations

import random
import secrets
from contextlib import suppress
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import MetaData, create_engine, insert, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

import consent.audit_tables
import consent.authority.tables
import consent.duo.tables
import consent.effort_tables
import consent.feed.tables
import consent.standing_tables
import consent.tables
import consent.void_tables
import database.tables
import fhir_bridge.access.tables
import fhir_bridge.export.tables
import fhir_bridge.tables
import notifications.tables
import patient_portal.api.tables
import patient_portal.care_team.tables
import patient_portal.in_touch.tables
import patient_portal.staff.tables
import patient_portal.tables
import research.requests.tables
import research.tables
from database import migrate
from database.base_table import Base
from database.prepare import create_database, urls_for, with_database
from database.unit_of_work import sqlalchemy_url
from patient_portal.cli import portal
from tests.support.messy_rows import messy_row
from tests.support.postgres import Server, TestDatabase

ROOMS = (
    consent.audit_tables,
    consent.duo.tables,
    consent.effort_tables,
    consent.feed.tables,
    consent.standing_tables,
    consent.tables,
    consent.void_tables,
    database.tables,
    fhir_bridge.access.tables,
    fhir_bridge.export.tables,
    fhir_bridge.tables,
    notifications.tables,
    patient_portal.api.tables,
    patient_portal.care_team.tables,
    patient_portal.in_touch.tables,
    patient_portal.staff.tables,
    patient_portal.tables,
    research.requests.tables,
    research.tables,
)
ROWS_A_TABLE = 20


def test_the_newest_revision_is_what_the_models_say(database: TestDatabase) -> None:
    """House: a column added to a model without a migration is found, and so is the reverse."""
    assert len(ROOMS) == 19
    engine = create_engine(sqlalchemy_url(database.superuser_url))
    with engine.connect() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or not name.startswith("procrastinate")}
        difference = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
        assert migrate.present_revision(connection) == migrate.newest_revision()
    engine.dispose()
    assert [change for change in difference if change[0] != "remove_table" or change[1].name != "alembic_version"] == []


@pytest.fixture
def first_revision(postgres: Server) -> str:
    """A database at revision 0001 only; returns the maintenance URL."""
    name = f"messy_{secrets.token_hex(4)}"
    create_database(postgres.superuser_url, name)
    engine = create_engine(sqlalchemy_url(with_database(postgres.superuser_url, name)), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("GRANT ALL ON SCHEMA public TO portal_maintenance_login")
    engine.dispose()
    url = urls_for(postgres.superuser_url, name, postgres.passwords).maintenance
    assert migrate.upgrade(url, "0001") == "0001"
    return url


@pytest.mark.parametrize("seed", [1, 2])
def test_messy_rows_survive_every_later_revision(first_revision: str, seed: int) -> None:
    """Examples, habit 11: odd but legal rows of the first revision are all there, unchanged, at the newest."""
    engine = create_engine(sqlalchemy_url(first_revision))
    then = MetaData()  # the tables and columns of the first revision, not of today's models
    then.reflect(engine)
    then.remove(then.tables["alembic_version"])
    _fill(engine, then, random.Random(seed))
    before = _contents(engine, then)
    assert sum(len(rows) for rows in before.values()) > 15 * ROWS_A_TABLE
    assert migrate.upgrade(first_revision) == migrate.newest_revision()
    assert _contents(engine, then) == before
    engine.dispose()


def _fill(engine: Engine, then: MetaData, chance: random.Random) -> None:
    parents: dict[str, list[Any]] = {}
    for table in then.sorted_tables:
        with engine.begin() as connection:
            for _ in range(ROWS_A_TABLE):
                # Two messy rows may collide on a unique key, which is what the key is for.
                with suppress(IntegrityError), connection.begin_nested():
                    connection.execute(insert(table).values(messy_row(table, chance, parents)))
            key = next(iter(table.primary_key.columns))
            parents[table.name] = list(connection.scalars(select(key)))


def _contents(engine: Engine, then: MetaData) -> dict[str, set[str]]:
    with engine.connect() as connection:
        return {table.name: {str(row) for row in connection.execute(select(table))} for table in then.sorted_tables}


def test_db_upgrade_makes_roles_where_it_may(postgres: Server) -> None:
    """Decisions, Database roles: run as a superuser it makes the logins' groups and upgrades; twice is harmless."""
    name = f"upgrade_{secrets.token_hex(4)}"
    create_database(postgres.superuser_url, name)
    urls = urls_for(postgres.superuser_url, name, postgres.passwords)
    environment = {
        "DATABASE_URL": urls.web,
        "DATABASE_URL_WORKER": urls.worker,
        "DATABASE_URL_MAINTENANCE": with_database(postgres.superuser_url, name),
    }
    for _ in range(2):
        result = CliRunner().invoke(portal, ["db", "upgrade"], env=environment)
        assert result.exit_code == 0, result.output
        assert migrate.newest_revision() in result.output


def test_db_upgrade_prints_the_sql_where_it_may_not(postgres: Server) -> None:
    """Decisions, Database roles: without the right, the administrator's SQL is printed and nothing changes."""
    name = f"refused_{secrets.token_hex(4)}"
    create_database(postgres.superuser_url, name)
    urls = urls_for(postgres.superuser_url, name, postgres.passwords)
    environment = {
        "DATABASE_URL": urls.web.replace("portal_web_login", "someone_new"),
        "DATABASE_URL_MAINTENANCE": urls.web,
    }
    result = CliRunner().invoke(portal, ["db", "upgrade"], env=environment)
    assert result.exit_code != 0
    assert 'CREATE ROLE "someone_new"' in result.output
    engine = create_engine(sqlalchemy_url(with_database(postgres.superuser_url, name)))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
    engine.dispose()
