"""Bring a database to the newest revision, and say which one it is at."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from database.unit_of_work import sqlalchemy_url

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_302_001


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """The revision this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def present_revision(connection: Connection) -> str | None:
    """The revision a database is at; None when it has never been upgraded."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(maintenance_url: str, revision: str = "head") -> str | None:
    """Upgrade as the owning login, one process at a time; returns the revision reached.

    Lock and statement limits keep an upgrade from stopping a service that is in use: it fails and can be repeated.
    """
    engine = create_engine(sqlalchemy_url(maintenance_url))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": UPGRADE_LOCK})
            connection.execute(text("SET lock_timeout = '10s'"))
            connection.commit()
            command.upgrade(_config(connection), revision)
            reached = present_revision(connection)
            connection.commit()
            return reached
    finally:
        engine.dispose()
