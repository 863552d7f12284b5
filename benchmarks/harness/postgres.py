"""A PostgreSQL of the benchmark's own: the embedded launcher, settings for the size, databases under every login."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from database.embedded import EmbeddedServer
from database.keyring import KeyRing
from database.prepare import DatabaseUrls, passwords_in, prepare, urls_for, with_database
from database.unit_of_work import Database

# What an operator sets for a machine of this size; the rest stays as the product's launcher has it.
SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "1GB",
    "work_mem": "64MB",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "effective_cache_size": "8GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "track_io_timing": "on",
}
LOADING = {"wal_level": "minimal", "autovacuum": "off", "max_wal_size": "16GB", "synchronous_commit": "off"}


@dataclass(frozen=True)
class BenchDatabase:
    """One migrated database: its logins, and the superuser for what only a benchmark may do."""

    urls: DatabaseUrls
    superuser_url: str
    web: Database
    worker: Database

    def close(self) -> None:
        self.web.close()
        self.worker.close()


@dataclass
class BenchServer:
    """The server, its folder and the logins' passwords."""

    folder: Path
    server: EmbeddedServer
    passwords: dict[str, str]
    ring: KeyRing
    made: list[BenchDatabase] = field(default_factory=list)

    def restart(self, settings: Mapping[str, str]) -> None:
        """Put `settings` (and only these, over the launcher's) into force."""
        for database in self.made:
            database.close()
        self.made.clear()
        with psycopg.connect(self.server.superuser_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET ALL")
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.server.stop()
        self.server = EmbeddedServer.start(self.folder)

    def migrated(self, name: str) -> DatabaseUrls:
        """The database `name` at the newest revision, made where it is missing."""
        return prepare(self.server.superuser_url, name, self.passwords)

    def connect(self, name: str, pool_size: int = 12, *, by_socket: bool = False) -> BenchDatabase:
        """The database `name` under the web's and the worker's login; by TCP, or by the server's unix socket."""
        server_url = self.server.socket_url if by_socket else self.server.superuser_url
        urls = urls_for(server_url, name, self.passwords)
        database = BenchDatabase(
            urls,
            with_database(server_url, name),
            Database(urls.web, pool_size=pool_size),
            Database(urls.worker, pool_size=pool_size),
        )
        self.made.append(database)
        return database


@contextmanager
def bench_server(settings: Mapping[str, str], folder: Path | None = None) -> Iterator[BenchServer]:
    """A running server; with `folder` its data is kept for the next run, else it is deleted at the end."""
    home = folder or Path(tempfile.mkdtemp(prefix="portal-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    server = EmbeddedServer.start(home)
    ring_file = home / "keys.json"
    if not ring_file.exists():
        KeyRing.fresh(demo=True).save(ring_file)
    bench = BenchServer(home, server, passwords_in(home / "logins.json"), KeyRing.load(ring_file))
    try:
        bench.restart(settings)
        yield bench
    finally:
        for database in bench.made:
            database.close()
        if folder is None:
            bench.server.discard()
            shutil.rmtree(home, ignore_errors=True)
        else:
            bench.server.stop()
