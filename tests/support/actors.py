"""Everybody who may knock at the front door, each with a browser, and what they own: for the guard tests.

They are gathered once a run, since signing people in and bringing a record in takes seconds. A test may use the
front door as it likes, but signs nobody out whom others need: `Cast.another_patient` is for that.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import requests
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import sqlalchemy_url
from fhir_bridge.export import jobs
from fhir_bridge.record_copy import EVERYTHING
from patient_portal.wiring import now
from tests.support import portal as portal_support
from tests.support import postgres as postgres_support
from tests.support import staff_at_work
from tests.support.portal import Outside, Portal, signed_in_client
from tests.support.postgres import Server

fresh_database = contextmanager(inspect.unwrap(postgres_support.database))
front_door = contextmanager(inspect.unwrap(portal_support.portal))

ANONYMOUS, OWNER, OTHER, STAFF, PROXY, HELPER = "anonymous", "owner", "other", "staff", "proxy", "helper"
WORKER, LEAD = "cancerlinq-staff", "cancerlinq-lead"
ACTORS = (ANONYMOUS, OWNER, OTHER, STAFF, PROXY, HELPER, WORKER, LEAD)
# Researchers cannot sign in yet; they join with the pages that let them in.

OWNER_ID, OTHER_ID = "rv-p01", "rv-p05"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
# Each request comes from an address of its own, so that the limits per address (SEC-09) do not answer instead.
_addresses = (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(256), repeat=3))


@dataclass
class Visitor:
    """One browser and who sits before it."""

    portal: Portal
    name: str
    browser: Any
    person: UUID | None = None

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """One request as it is, nothing added; redirects are not followed."""
        options.setdefault("base_url", self.portal.url)
        options.setdefault("environ_overrides", {"REMOTE_ADDR": next(_addresses)})
        response = self.browser.open(path, method=method, buffered=True, **options)
        assert isinstance(response, TestResponse)
        return response

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.send("GET", path, **options)

    def post(self, path: str, form: dict[str, Any], **options: Any) -> TestResponse:
        """A form with this browser's own token."""
        whole = form if "csrf_token" in form else {"csrf_token": self.token()} | form
        return self.send("POST", path, data=whole, **options)

    def token(self) -> str:
        """This browser's form token, from a page that everyone may see."""
        page = self.get("/sign-in/riverside").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, "no form on the sign-in page"
        return found.group(1)

    def cookie(self) -> str | None:
        kept = self.browser.get_cookie("portal", domain=urlsplit(self.portal.url).hostname)
        return str(kept.value) if kept else None


@dataclass
class Cast:
    """Who there is, and what the owner has: object ids by the name they have in a path."""

    portal: Portal
    visitors: dict[str, Visitor]
    owned: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Visitor:
        return self.visitors[name]

    def newcomer(self) -> Visitor:
        """A browser of somebody who has never been here."""
        return Visitor(self.portal, ANONYMOUS, self.portal.app.test_client())

    def another_patient(self, patient: str = "rv-p02") -> Visitor:
        """Somebody newly signed in, whose session a test may end."""
        return _patient(self.portal, patient, patient, record=False)

    def snapshot(self, *, without: frozenset[str] = frozenset()) -> dict[str, str]:
        """A hash of the rows of every table, so that any change of state can be seen."""
        names = [row.tablename for row in self.portal.rows(_TABLES) if row.tablename not in without]
        hashed = " UNION ALL ".join(
            f"SELECT '{name}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash"
            f' FROM "{name}" t'
            for name in names
        )
        return {row.name: row.hash for row in self.portal.rows(hashed)}


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


@pytest.fixture(scope="session")
def gathered(
    outside: Outside, postgres: Server, keyring: KeyRing, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cast]:
    """Everybody signed in, over a database of their own."""
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database(postgres, keyring))
        portal = stack.enter_context(front_door(outside, database, tmp_path_factory.mktemp("cast")))
        yield gather(portal)


@pytest.fixture
def cast(gathered: Cast, outside: Outside) -> Iterator[Cast]:
    """Everybody, with their application answering at the portal's address and the hospitals well."""
    before = list(outside.serve)
    outside.serve[:] = [gathered.portal.app]
    for visitor in gathered.visitors.values():
        visitor.browser.delete_cookie("language", domain="127.0.0.1")
    stay_signed_in(gathered.portal)
    yield gathered
    outside.serve[:] = before
    for one in outside.hospitals.values():
        one.hospital.faults.set({})


def stay_signed_in(portal: Portal) -> None:
    """As if everybody had come in just now: a long test run must not sign people out in its middle (SEC-02)."""
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE web_session SET seen_at = now(), created_at = now() WHERE ended_at IS NULL"))
    engine.dispose()


def gather(portal: Portal) -> Cast:
    """Sign everybody in; the owner gets a record, an opt-out and a donation."""
    owner = _patient(portal, OWNER, OWNER_ID, record=True)
    found = Cast(portal, {OWNER: owner, OTHER: _patient(portal, OTHER, OTHER_ID, record=False)})
    found.visitors[ANONYMOUS] = found.newcomer()
    found.visitors[STAFF] = Visitor(portal, STAFF, portal.app.test_client())
    open_chart(found[STAFF], OWNER_ID)
    found.visitors[PROXY] = _mother_of_other(portal)
    found.visitors[HELPER], helper = _helper_of(owner)
    for name, who in ((WORKER, staff_at_work.WORKER), (LEAD, staff_at_work.LEAD)):
        found.visitors[name] = Visitor(portal, name, staff_at_work.at_work(portal, who).browser)
    found.owned = _things_of(owner) | {"helper_id": helper}
    return found


def _mother_of_other(portal: Portal) -> Visitor:
    """The one representative of the sandbox: she acts for the other patient, and has said so."""
    mother = Visitor(portal, PROXY, portal.app.test_client())
    back = allow(portal, begin(mother), "RelatedPerson/rv-p05-mother")
    assert mother.get("/callback/riverside", query_string=answer_of(back)).status_code == 303
    stated = {"relation": "parent", "name": "Hoa Tran", "document": "birth certificate", "reach": "617 555 0150",
              "form": "the-mothers-form"}  # fmt: skip
    assert mother.post("/acting", stated).status_code == 303
    return mother


def _helper_of(owner: Visitor) -> tuple[Visitor, str]:
    """Somebody whom the owner invited, and their id."""
    made = owner.post("/family/helpers", {"name": "Ana", "lasts": "week"}).text
    link, code = re.search(r"/helping/([\w-]+)", made), re.search(r'class="number">(\d{4}) (\d{4})<', made)
    assert link
    assert code
    helper = Visitor(owner.portal, HELPER, owner.portal.app.test_client())
    assert helper.post(f"/helping/{link.group(1)}", {"passcode": "".join(code.groups())}).status_code == 303
    (row,) = owner.portal.rows("SELECT id FROM helper WHERE person_id = :p", p=owner.person)
    return helper, str(row.id)


def _patient(portal: Portal, name: str, patient: str, *, record: bool) -> Visitor:
    client = signed_in_client(portal, patient, record=record)
    return Visitor(portal, name, client.browser, client.person)


def open_chart(nurse: Visitor, patient: str, hospital: str = "riverside") -> TestResponse:
    """A nurse presses the button in the hospital's chart; the browser ends at our care-team page."""
    running = nurse.portal.hospitals[hospital]
    session = requests.Session()
    clinician = running.hospital.records.people("clinician")[0].id
    session.post(f"{running.url}/chart/sign-in", {"login": clinician}, timeout=10)
    pressed = session.post(f"{running.url}/chart/{patient}/launch", allow_redirects=False, timeout=10)
    sent = nurse.get("/launch", query_string=urlsplit(pressed.headers["Location"]).query)
    assert sent.status_code == 302, sent.text
    landed = come_back(nurse, hospital, requests.get(sent.headers["Location"], allow_redirects=False, timeout=10))
    assert landed.headers.get("Location") == "/care-team", landed.text
    return landed


def begin(visitor: Visitor, hospital: str = "riverside", **form: str) -> str:
    """Press the button of one hospital; returns the address at the hospital to which the browser is sent."""
    sent = visitor.post(f"/sign-in/{hospital}", form)
    assert sent.status_code == 303, sent.text
    return str(sent.headers["Location"])


def allow(portal: Portal, where: str, patient: str, hospital: str = "riverside", decision: str = "allow") -> Any:
    """Decide on the hospital's own screen; returns its answer, which sends the browser back to us."""
    login = patient if "/" in patient else f"Patient/{patient}"
    base = f"{portal.hospitals[hospital].url}/oauth"
    query = urlsplit(where).query
    page = requests.post(f"{base}/consent?{query}", {"login": login}, timeout=10).text
    groups = re.findall(r'name="group" value="([^"]+)"', page)
    decided = {"login": login, "decision": decision, "group": groups, "offline": "yes", "patient": OWNER_ID}
    return requests.post(f"{base}/decision?{query}", decided, allow_redirects=False, timeout=10)


def answer_of(back: Any) -> dict[str, str]:
    """The parameters with which a hospital sends the browser back."""
    return {key: values[0] for key, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}


def come_back(visitor: Visitor, hospital: str, back: Any, **changed: str) -> TestResponse:
    return visitor.get(f"/callback/{hospital}", query_string=answer_of(back) | changed)


def _things_of(owner: Visitor) -> dict[str, str]:
    out = owner.post("/choices/cancerlinq", {"answer": "no", "form": "the-owners-no-1"})
    given = {
        "answer": "yes", "form": "the-owners-yes-1", "categories": ["general", "clinical"], "signed_name": "Own Name",
        "read": "yes",
    }  # fmt: skip
    donated = owner.post("/choices/efforts/living-well", given)
    assert (out.status_code, donated.status_code) == (303, 303), donated.text
    notes = owner.portal.rows(
        "SELECT id FROM record_entry WHERE person_id = :p AND type = 'DocumentReference' ORDER BY id", p=owner.person
    )
    asked = {"name": "Own Name", "born": "1961", "clinic": "Hill Clinic", "scope": "all", "form": "pdf"}
    letter = owner.post("/access/new", asked | {"key": "the-owners-letter-1"})
    added = owner.post("/record/added", {"file": (BytesIO(b"A scan as text"), "scan.txt")})
    assert (letter.status_code, added.status_code) == (303, 303), added.text
    (file,) = owner.portal.rows("SELECT id FROM added_file WHERE person_id = :p", p=owner.person)
    shared = owner.post("/record/share", {"what": "ips", "lasts": "week", "open": "yes"})
    connection = owner.portal.rows("SELECT id FROM connection WHERE person_id = :p ORDER BY created_at", p=owner.person)
    return {
        "entry": next(str(row.id) for row in notes if _has_a_file(owner, row.id)),
        "document": next(str(row.id) for row in notes if _has_a_file(owner, row.id, "1/read")),
        "decision_id": out.headers["Location"].rsplit("/", 1)[1],
        "donation_id": donated.headers["Location"].rsplit("/", 1)[1],
        "connection_id": str(connection[0].id),
        "copy_id": str(_copy_asked_for(owner)),
        "link_id": shared.headers["Location"].rsplit("/", 1)[1],
        "request_id": letter.headers["Location"].rsplit("/", 1)[1],
        "file_id": str(file.id),
    }


def _has_a_file(owner: Visitor, entry: UUID, which: str = "0") -> bool:
    return owner.get(f"/record/entry/{entry}/file/{which}").status_code == 200


def _copy_asked_for(owner: Visitor) -> UUID:
    """A copy that no worker makes here."""
    assert owner.person is not None
    with owner.portal.wiring.database.begin(as_persons(owner.person)) as session:
        return jobs.ask(
            session, person=owner.person, persons=(owner.person,), form="pdf", language="en", wanted=EVERYTHING,
            total=1, now=now(),
        )  # fmt: skip
