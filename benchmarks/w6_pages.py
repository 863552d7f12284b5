"""W6: a long record's pages beside a short one's (G6.3), on the product's own web server, signed in.

Both records are brought in by the product's own job from a hospital of records of that length, into one database.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg

from benchmarks.harness.arms import Arm, Benchmark, Goal, Outcome
from benchmarks.harness.bare_pages import serving
from benchmarks.harness.postgres import SETTINGS, BenchDatabase, BenchServer, bench_server
from benchmarks.w1_world import World as Hospital
from benchmarks.w1_world import hospital
from benchmarks.w2_post import STORES
from patient_portal.signing_in.web_session import SessionStore

SHORT, LONG = "300 entries", "300,000 entries"
LOOKS = 40
PROVIDERS = (
    '[[provider]]\nid = "w1"\nname = "W1"\nstate = "MA"\nfhir_base_url = "{base}"\nclient_id = "portal"\n'
    'client_auth = "public"\nnetwork = "private"\nscopes = "openid fhirUser launch/patient patient/*.rs"\n'
)
_MIDDLE = (
    "SELECT id FROM record_entry WHERE person_id = %s AND kind = 'test-results' ORDER BY clinical_date DESC, id OFFSET"
    " (SELECT count(*) / 2 FROM record_entry WHERE person_id = %s AND kind = 'test-results') LIMIT 1"
)


@dataclass
class World:
    """`port`: where the product serves pages. `people`: by arm, a signed-in person's cookie and pages."""

    port: int
    people: dict[str, tuple[str, dict[str, str]]]
    looks: int


def pages_of(name: str) -> Any:
    """Each page of a record `looks` times, one after the other: the median of each in ms, and the largest in kB."""

    def run(world: World, _turn: int) -> Outcome:
        cookie, pages = world.people[name]
        connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=60)
        figures, largest = {}, 0
        for page, path in pages.items():
            took = []
            for _ in range(world.looks):
                began = time.perf_counter()
                connection.request("GET", path, headers={"cookie": cookie})
                answer = connection.getresponse()
                body = answer.read()
                took.append(time.perf_counter() - began)
                assert answer.status == 200, (path, answer.status)
            figures[f"{page}_ms"], largest = median(took) * 1000, max(largest, len(body))
        connection.close()
        seen = hashlib.sha256(",".join(pages).encode()).hexdigest()
        return Outcome(len(pages), seen, {**figures, "html_kb": largest / 1000})

    return run


@contextmanager
def _world(small: bool) -> Iterator[World]:
    with bench_server(SETTINGS) as server, tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        server.migrated("w6")
        database = server.connect("w6", 40)
        people, port = {}, 0
        for name, resources in ((SHORT, 300), (LONG, 3_000 if small else 300_000)):
            port = ends.enter_context(hospital(resources))
            person = _brought_in(server, database, port)
            people[name] = (_signed_in(server, database, person), _pages(database, person))
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        serves = ends.enter_context(
            serving("patient_portal.serving:application", _environment(server, database, folder, port))
        )
        yield World(serves, people, 3 if small else LOOKS)


def _brought_in(server: BenchServer, database: BenchDatabase, port: int) -> UUID:
    world = Hospital(database, server.ring, server.folder / "keys.json", port, False)
    world.manner(latency_ms=0, page=500)
    try:
        return world.fetched(known=True)[0]
    finally:
        world.http.close()


def _signed_in(server: BenchServer, database: BenchDatabase, person: UUID) -> str:
    """The cookie of a session that is signed in as this person."""
    store, sid = SessionStore(database.web, server.ring, secure=False), secrets.token_urlsafe(32)
    content = {
        "kind": "patient", "account": str(uuid4()), "person": str(person), "persons": [str(person)],
        "provider": "w1", "csrf_token": secrets.token_hex(20), "language": "en",
    }  # fmt: skip
    store._write(sid, content)
    return f"{store.cookie_name}={sid}"


def _pages(database: BenchDatabase, person: UUID) -> dict[str, str]:
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute(_MIDDLE.encode(), [person, person]).fetchone()
    assert row is not None
    return {
        "overview": "/record",
        "list": "/record/kind/test-results",
        "middle_of_list": f"/record/kind/test-results?older_than={row[0]}",
        "entry": f"/record/entry/{row[0]}",
        "download": "/record/download",
    }


def _environment(server: BenchServer, database: BenchDatabase, folder: str, port: int) -> dict[str, str]:
    providers, stores = Path(folder) / "providers.toml", Path(folder) / "stores.toml"
    providers.write_text(PROVIDERS.format(base=f"http://127.0.0.1:{port}/fhir"))
    stores.write_text(STORES)
    return {
        **os.environ,
        "DATABASE_URL": database.urls.web,
        "DATABASE_URL_WORKER": database.urls.worker,
        "PORTAL_KEYS": str(server.folder / "keys.json"),
        "PORTAL_SECRET_KEY": secrets.token_urlsafe(48),
        "PORTAL_PROVIDERS": str(providers),
        "PORTAL_STORES": str(stores),
        "PORTAL_LOG_LEVEL": "warning",
        "STORE_SECRET": "whsec_" + "QUFB" * 11 + "QUE=",
        "OPERATOR_ROLE": "covered-entity",
    }


def _goal(page: str) -> Goal:
    return Goal(f"G6.3 {page}", LONG, f"{page}_ms", 1.2, over=SHORT, at_most=True)


BENCHMARK = Benchmark(
    "w6",
    (Arm(SHORT, pages_of(SHORT)), Arm(LONG, pages_of(LONG))),
    (
        *(_goal(page) for page in ("overview", "list", "middle_of_list", "entry", "download")),
        Goal("G6.3 HTML", LONG, "html_kb", 100, at_most=True),
    ),
    _world,
)
