"""Make a database ready on a server where we are superuser: the logins, the database, the newest revision."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from sqlalchemy import create_engine, text

from database import migrate
from database.roles import Login, statements
from database.unit_of_work import sqlalchemy_url

PURPOSES = ("web", "worker", "maintenance")


@dataclass(frozen=True)
class DatabaseUrls:
    """The three ways in (decisions, Database roles and row security)."""

    web: str
    worker: str
    maintenance: str


def passwords_in(path: Path) -> dict[str, str]:
    """The logins' passwords, made at random the first time and kept in `path`, mode 0600."""
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    made = {purpose: secrets.token_urlsafe(24) for purpose in PURPOSES}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file)
    return made


def prepare(superuser_url: str, database: str, passwords: dict[str, str]) -> DatabaseUrls:
    """Create what is missing and upgrade; safe to repeat."""
    create_database(superuser_url, database)
    urls = urls_for(superuser_url, database, passwords)
    logins = [Login(f"portal_{purpose}_login", purpose, passwords[purpose]) for purpose in PURPOSES]
    _run(with_database(superuser_url, database), statements(logins, database))
    migrate.upgrade(urls.maintenance)
    return urls


def urls_for(superuser_url: str, database: str, passwords: dict[str, str]) -> DatabaseUrls:
    """The logins' URLs for a database of that server."""
    host = urlsplit(superuser_url).netloc.rpartition("@")[2]
    query = urlsplit(superuser_url).query
    made = {
        purpose: urlunsplit(
            ("postgresql", f"portal_{purpose}_login:{quote(passwords[purpose])}@{host}", f"/{database}", query, "")
        )
        for purpose in PURPOSES
    }
    return DatabaseUrls(**made)


def create_database(superuser_url: str, database: str, template: str = "template0") -> None:
    """`CREATE DATABASE` unless it is there; `template` may be a prepared database to copy."""
    engine = create_engine(sqlalchemy_url(superuser_url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            known = connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": database})
            if not known:
                connection.exec_driver_sql(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
    finally:
        engine.dispose()


def with_database(url: str, database: str) -> str:
    """The same URL, naming another database."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))


def _run(url: str, lines: list[str]) -> None:
    engine = create_engine(sqlalchemy_url(url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for line in lines:
                connection.exec_driver_sql(line)
    finally:
        engine.dispose()
