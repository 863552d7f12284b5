"""The whole front door for tests: a real application over a fresh database, and two sandbox hospitals over real HTTP.

`portal` is the fixture. `signed_in_client(portal, "rv-p01")` walks through the hospital's own screens as that person
and, unless told otherwise, brings their record in; it returns a client that follows no redirect and knows the form
token. Hospitals live as long as the test run and are healed after each test.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import requests
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from joserfc.jwk import ECKey
from sqlalchemy import create_engine, text
from werkzeug.routing import Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from database.unit_of_work import sqlalchemy_url
from fhir_bridge.bring_in import bring_in
from outbound.client import OutboundClient
from patient_portal.app import create_app
from patient_portal.demo.outside import STORES
from patient_portal.jobs import JOBS, parts_of
from patient_portal.settings import read_settings
from patient_portal.wiring import Wiring, allow_list
from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.records import Chart
from sandbox.hospital.server import RunningHospital, start
from sandbox.staff_identity.server import RunningStaffIdentity
from sandbox.staff_identity.server import start as start_staff_identity
from tests.support.portal_files import identity_table, provider_table, store_table
from tests.support.postgres import TestDatabase

LAKESIDE_SECRET = "lakeside-secret/with:signs"
STORE_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class _Compiled(BytecodeCache):
    """Templates compiled once a run: each test has an application of its own, and compiling took most of its time."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key, bucket.checksum] = bucket.code


COMPILED = _Compiled()


class _KnownRule(Rule):
    """A route whose way of building its address is compiled once a run, too: each application has some two hundred."""

    _builders: ClassVar[dict[tuple[Any, ...], Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (self.rule, tuple(self._trace), tuple((self.defaults or {}).items()), append_unknown)
        if key not in self._builders:
            self._builders[key] = super()._compile_builder(append_unknown)
        return self._builders[key]


Flask.url_rule_class = _KnownRule


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: addresses carry codes."""


@dataclass
class Outside:
    """What stays for the whole run: the portal's address, the hospitals and the configuration files."""

    folder: Path
    address: str
    hospitals: dict[str, RunningHospital]
    serve: list[Flask]  # the application that answers at `address` now, at most one
    staff: RunningStaffIdentity


@dataclass
class Portal:
    """One test's application. `wiring` is the web's, `worker` the worker's."""

    app: Flask
    url: str
    wiring: Wiring
    worker: Wiring
    database: TestDatabase
    hospitals: dict[str, RunningHospital]
    staff: RunningStaffIdentity
    changed: list[tuple[str, str]] = field(default_factory=list)

    def rows(self, query: str, **values: Any) -> list[Any]:
        """What really stands in the database, past row security (as superuser)."""
        engine = create_engine(sqlalchemy_url(self.database.superuser_url))
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query), values))
        finally:
            engine.dispose()

    def chart(self, patient: str) -> Chart:
        """What the hospital holds about `patient`; a test may change it, and it is as before in the next test."""
        name = "riverside" if patient.startswith("rv-") else "lakeside"
        found = self.hospitals[name].hospital.records.chart(patient)
        assert found is not None
        self.changed.append((name, patient))
        return found

    def bring_in_all(self) -> list[str]:
        """Do every retrieval that waits, as the worker's job does; returns their final states."""
        parts = parts_of(self.worker)
        waiting = self.rows("SELECT * FROM retrieval WHERE state = 'waiting' ORDER BY started_at")
        return [
            bring_in(parts, self.worker.provider(one.provider_id), person=one.person_id, retrieval=one.id)
            for one in waiting
        ]


@dataclass
class Client:
    """A browser without scripts: keeps cookies, follows nothing, adds the form token to what it posts."""

    portal: Portal
    person: UUID
    browser: Any

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._checked(self.browser.get(path, base_url=self.portal.url, **options))

    def post(self, path: str, form: dict[str, Any] | None = None, *, page: str = "/record/download") -> TestResponse:
        """Post with the token of the form on `page`."""
        return self._checked(
            self.browser.post(path, data=(form or {}) | {"csrf_token": self.token(page)}, base_url=self.portal.url)
        )

    def token(self, page: str) -> str:
        return token_in(self.get(page).text)

    @staticmethod
    def _checked(response: Any) -> TestResponse:
        assert isinstance(response, TestResponse)
        return response


def token_in(page: str) -> str:
    """The form token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "no form on this page"
    return found.group(1)


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """The world outside, started once a run."""
    folder = tmp_path_factory.mktemp("portal")
    serving: list[Flask] = []
    door = make_server(
        "127.0.0.1", 0, lambda env, answer: serving[0](env, answer), threaded=True, request_handler=_Quiet
    )
    threading.Thread(target=door.serve_forever, name="portal", daemon=True).start()
    address = f"http://127.0.0.1:{door.server_port}"
    key = ECKey.generate_key("P-384", {"kid": "riverside-1", "use": "sig", "alg": "ES384"}, private=True)
    (folder / "riverside.json").write_text(json.dumps(key.as_dict(private=True)))
    (folder / "lakeside-secret").write_text(LAKESIDE_SECRET)
    (folder / "staff-secret").write_text(LAKESIDE_SECRET)
    (folder / "store-secret").write_text(STORE_SECRET)
    hospitals = {
        name: start(HospitalConfig(id=name, state_dir=folder / name, portal=address, client_secret=secret))
        for name, secret in (("riverside", None), ("lakeside", LAKESIDE_SECRET))
    }
    staff = start_staff_identity(folder / "staff-identity", portal=address, client_secret=LAKESIDE_SECRET)
    tables = [provider_table(name, one) for name, one in hospitals.items()]
    (folder / "providers.toml").write_text("".join([*tables, identity_table(staff)]))
    (folder / "stores.toml").write_text("".join(store_table(row) for row in STORES))
    yield Outside(folder, address, hospitals, serving, staff)
    staff.stop()
    for one in hospitals.values():
        one.stop()
    door.shutdown()
    door.server_close()


@pytest.fixture
def portal(outside: Outside, database: TestDatabase, tmp_path: Path) -> Iterator[Portal]:
    """The application under test, answering at `portal.url` too."""
    with opened(outside, database, tmp_path) as made:
        yield made


@contextmanager
def opened(outside: Outside, database: TestDatabase, folder: Path) -> Iterator[Portal]:
    """An application over `database` with its key ring in `folder`; the hospitals are healed at the end."""
    database.keyring.save(folder / "ring.json")
    settings = read_settings({
        "DATABASE_URL": database.urls.web, "DATABASE_URL_WORKER": database.urls.worker,
        "PORTAL_BASE_URL": outside.address, "PORTAL_KEYS": str(folder / "ring.json"),
        "PORTAL_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz", "PORTAL_LANGUAGES": "en,es,ar",
        "PORTAL_PROVIDERS": str(outside.folder / "providers.toml"),
        "PORTAL_STORES": str(outside.folder / "stores.toml"),
    })  # fmt: skip
    http = OutboundClient(allow_list(settings))
    web = Wiring(settings, database.web, database.keyring, http)
    tasks, names = dict(JOBS.tasks), {task: task.name for task in JOBS.tasks.values()}
    app = create_app(web)
    app.testing = False
    app.jinja_env.bytecode_cache = COMPILED
    outside.serve[:] = [app]
    worker = Wiring(settings, database.worker, database.keyring, http)
    made = Portal(app, outside.address, web, worker, database, outside.hospitals, outside.staff)
    yield made
    outside.serve.clear()
    JOBS.tasks = tasks  # each new application puts its namespace before the names; a process has one only
    for task, kept in names.items():
        task.name = kept
    for name, patient in made.changed:
        outside.hospitals[name].hospital.records._open.pop(patient, None)
    for one in outside.hospitals.values():
        one.hospital.faults.set({})


def signed_in_client(portal: Portal, patient: str, *, groups: list[str] | None = None, record: bool = True) -> Client:
    """Sign in as `patient` (an id such as rv-p01) at their hospital, sharing all or only `groups`, and bring it in."""
    name = "riverside" if patient.startswith("rv-") else "lakeside"
    browser = portal.app.test_client()
    form = {"csrf_token": token_in(browser.get(f"/sign-in/{name}", base_url=portal.url).text), "offline": "yes"}
    sent = browser.post(f"/sign-in/{name}", data=form, base_url=portal.url)
    assert sent.status_code == 303, sent.text
    query, login = urlsplit(sent.headers["Location"]).query, f"Patient/{patient}"
    hospital = portal.hospitals[name].url
    page = requests.post(f"{hospital}/oauth/consent?{query}", {"login": login}, timeout=10)
    assert page.status_code == 200, page.text
    shared = re.findall(r'name="group" value="([^"]+)"', page.text) if groups is None else groups
    decided = {"login": login, "decision": "allow", "group": shared, "offline": "yes"}
    back = requests.post(f"{hospital}/oauth/decision?{query}", decided, allow_redirects=False, timeout=10)
    answer = {key: values[0] for key, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}
    landed = browser.get(f"/callback/{name}", query_string=answer, base_url=portal.url)
    assert landed.status_code == 303, landed.text
    newest = portal.rows("SELECT person_id FROM retrieval ORDER BY started_at DESC LIMIT 1")
    if record:
        assert portal.bring_in_all() == ["finished"]
    return Client(portal, newest[0].person_id, browser)
