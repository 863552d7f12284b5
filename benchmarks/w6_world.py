"""What the arms of W6 share: a ledger, people with records of two lengths brought in by the product's own job, their
sessions, and the product's pages as `compose.yaml` serves them."""

from __future__ import annotations

import os
import pickle
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from benchmarks.harness.bare_pages import serving
from benchmarks.harness.postgres import SETTINGS, BenchDatabase, BenchServer, bench_server
from benchmarks.w1_world import World as Hospital
from benchmarks.w1_world import hospital
from benchmarks.w2_post import STORES
from benchmarks.w3_world import World as Ledger
from benchmarks.w3_world import made, receiver
from benchmarks.w6_apart import taken_apart
from benchmarks.w6_bare import PAGES
from benchmarks.w6_meanwhile import give, take_donations
from patient_portal.signing_in.web_session import SessionStore

SHORT, LONG = "300 entries", "300,000 entries"
PEOPLE = 64
"""How many are signed in and ask for pages."""
PROCESSES = 2
"""Web processes, as compose.yaml has them."""
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
    """`port` and `bare`: where the product and the bare pages are served. `people`: by length of the record, a
    signed-in person's cookie and pages. `crowd`: cookies of all who are signed in, with records of the short length."""

    port: int
    bare: int
    people: dict[str, tuple[str, dict[str, str]]]
    crowd: list[str]
    ledger: Ledger
    small: bool


@contextmanager
def world(small: bool) -> Iterator[World]:
    """A hundred thousand people's decisions, and one person with 300,000 entries; small: a hundredth of each."""
    with bench_server(SETTINGS) as server, tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        changes = 1_250 if small else 125_000
        ledger = ends.enter_context(made(server, "w6", changes, changes, ends.enter_context(receiver()), small))
        take_donations(ledger)
        people, port, short = {}, 0, UUID(int=0)
        for name, resources in ((SHORT, 300), (LONG, 3_000 if small else 300_000)):
            port = ends.enter_context(hospital(resources))
            person = _brought_in(server, ledger.database, port)
            people[name] = (_signed_in(server, ledger.database, person), _pages(ledger.database, person))
            short = person if name == SHORT else short
            if name == SHORT:
                give(ledger, person)
        crowd = [_signed_in(server, ledger.database, short) for _ in range(PEOPLE)]
        take_donations(ledger)
        with psycopg.connect(ledger.database.superuser_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        environment = _environment(server, ledger.database, folder, port)
        serves = ends.enter_context(
            serving("patient_portal.serving:application", environment, processes=PROCESSES)
        )  # fmt: skip
        cookie, pages = people[SHORT]
        file = Path(folder) / "bare.pickle"
        file.write_bytes(pickle.dumps(taken_apart(environment, cookie, list(pages.values()))))
        bare = serving("benchmarks.w6_bare:app", {**environment, PAGES: str(file)}, processes=PROCESSES)
        yield World(serves, ends.enter_context(bare), people, crowd, ledger, small)


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
        "choices": "/choices",
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
