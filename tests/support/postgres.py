"""A real PostgreSQL for tests: one embedded server a run, one prepared database to copy, one copy a test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from database.embedded import EmbeddedServer
from database.keyring import KeyRing
from database.prepare import DatabaseUrls, create_database, passwords_in, prepare, urls_for, with_database
from database.unit_of_work import Database, sqlalchemy_url

TEMPLATE = "portal_template"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """The run's server and its prepared template."""

    superuser_url: str
    passwords: dict[str, str]


@dataclass(frozen=True)
class TestDatabase:
    """One test's own database under the three logins, and as superuser for what only a test may do."""

    __test__ = False
    urls: DatabaseUrls
    superuser_url: str
    web: Database
    worker: Database
    maintenance: Database
    keyring: KeyRing


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server; `PORTAL_TEST_BINARIES` chooses its binaries (CI runs on two versions)."""
    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    binaries = os.environ.get("PORTAL_TEST_BINARIES")
    server = EmbeddedServer.start(folder, binaries=Path(binaries) if binaries else None)
    passwords = passwords_in(folder / "logins.json")
    prepare(server.superuser_url, TEMPLATE, passwords)
    yield Server(server.superuser_url, passwords)
    server.discard()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def keyring() -> KeyRing:
    """One throw-away ring for the run."""
    return KeyRing.fresh(demo=True)


@pytest.fixture
def database(postgres: Server, keyring: KeyRing) -> Iterator[TestDatabase]:
    """A fresh copy of the prepared database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    create_database(postgres.superuser_url, name, TEMPLATE)
    urls = urls_for(postgres.superuser_url, name, postgres.passwords)
    web, worker, maintenance = (Database(url, pool_size=4) for url in (urls.web, urls.worker, urls.maintenance))
    yield TestDatabase(urls, with_database(postgres.superuser_url, name), web, worker, maintenance, keyring)
    for each in (web, worker, maintenance):
        each.close()
    engine = create_engine(sqlalchemy_url(postgres.superuser_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    engine.dispose()
