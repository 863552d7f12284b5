"""A real PostgreSQL for tests: one embedded server a run, one prepared database to copy, one copy a test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from database.embedded import EmbeddedServer
from database.keyring import KeyRing
from database.prepare import DatabaseUrls, passwords_in, prepare, urls_for, with_database
from database.unit_of_work import Database

TEMPLATE = "portal_template"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """The run's server and its prepared template. `superuser` stays connected, outside of any transaction: a
    connection for each statement takes as long as making a database does."""

    superuser_url: str
    passwords: dict[str, str]
    superuser: psycopg.Connection[Any]


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
    with psycopg.connect(server.superuser_url, autocommit=True) as superuser:
        if int(server.version.split(".")[0]) >= 16:  # thousands of connections: their passwords need not resist anyone
            superuser.execute("ALTER SYSTEM SET scram_iterations = 1")
            superuser.execute("SELECT pg_reload_conf()")
        passwords = passwords_in(folder / "logins.json")
        prepare(server.superuser_url, TEMPLATE, passwords)
        yield Server(server.superuser_url, passwords, superuser)
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
    copy_template(postgres, name)
    urls = urls_for(postgres.superuser_url, name, postgres.passwords)
    web, worker, maintenance = (Database(url, pool_size=4) for url in (urls.web, urls.worker, urls.maintenance))
    yield TestDatabase(urls, with_database(postgres.superuser_url, name), web, worker, maintenance, keyring)
    for each in (web, worker, maintenance):
        each.close()
    postgres.superuser.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def copy_template(postgres: Server, name: str) -> None:
    """Make the database `name` by copying the template's files, which is the quickest way."""
    postgres.superuser.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}" STRATEGY FILE_COPY')
