"""`portal db upgrade`: roles checked, migrations run."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import click
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from database import migrate
from database.roles import Login, login_of, missing, statements
from database.unit_of_work import sqlalchemy_url
from patient_portal.settings import read_text
from vocabulary.config_file import ConfigError

LOGINS = (("DATABASE_URL", "web"), ("DATABASE_URL_WORKER", "worker"))


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--sql", is_flag=True, help="Only print the SQL that a superuser runs once to make the roles.")
def upgrade(sql: bool) -> None:
    """Bring the database to this version, as the maintenance login (DATABASE_URL_MAINTENANCE).

    The roles and logins are checked first. Where they are missing and the maintenance login may not make them, the
    SQL for a database administrator is printed and nothing is changed.
    """
    maintenance = read_text(os.environ, "DATABASE_URL_MAINTENANCE")
    if not maintenance:
        raise ConfigError("DATABASE_URL_MAINTENANCE", "is not set", "Set it to the login that owns the tables")
    urls = ((read_text(os.environ, name), purpose) for name, purpose in LOGINS)
    logins = [login_of(url, purpose) for url, purpose in urls if url]
    logins.append(login_of(maintenance, "maintenance"))
    database = urlsplit(maintenance).path.lstrip("/")
    lines = statements(logins, database)
    if sql:
        _print(lines)
        return
    _make_roles(maintenance, logins, lines)
    click.echo(f"The database is at revision {migrate.upgrade(maintenance)}.")


def _make_roles(maintenance: str, logins: list[Login], lines: list[str]) -> None:
    engine = create_engine(sqlalchemy_url(maintenance), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            lacking = missing(connection, logins)
            if not lacking:
                return
            for line in lines:
                connection.exec_driver_sql(line)
            still = missing(connection, logins)
    except (OperationalError, ProgrammingError):
        still = ["the maintenance login may not make them, or cannot connect"]
    finally:
        engine.dispose()
    if still:
        click.echo("Ask a database administrator to run this once, then repeat:", err=True)
        _print(lines)
        raise click.ClickException("; ".join(still))


def _print(lines: list[str]) -> None:
    for line in lines:
        click.echo(f"{line};")
