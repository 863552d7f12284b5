"""Nothing of anybody in a log, a cookie or, unsealed, in the database (SEC-06, SEC-07, LIB-03, abuse cases 19, 20).

One person's whole way, with everything that can fail on it, is walked at DEBUG with every library speaking.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import structlog

from consent.feed.run import run_feed
from database.context import as_persons
from fhir_bridge.connections import held_tokens
from fhir_bridge.keep_record import FILE_KIND
from fhir_bridge.login_attempts import state_index
from fhir_bridge.person_ciphers import cipher_of
from patient_portal.app import create_app
from patient_portal.gates import Gate, gate
from patient_portal.logs import configure_logs
from patient_portal.wiring import Wiring
from sandbox.people.person import SyntheticPerson
from sandbox.people.population import population
from tests.support.actors import STAFF, Cast, Visitor, allow, answer_of, begin, come_back, open_chart
from tests.support.portal import Portal

PATIENT = "rv-p01"
SHORTEST = 5  # shorter texts are found by chance


@dataclass
class Walk:
    """One walk, and every secret that came up on it."""

    portal: Portal
    person: SyntheticPerson
    canaries: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, value: object) -> None:
        if value and len(str(value)) >= SHORTEST:
            self.canaries[name] = str(value)

    @property
    def cast(self) -> Cast:
        return Cast(self.portal, {})


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is written to standard error while the product logs in its own way, at its loudest."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs("debug")
    for name in ("urllib3", "authlib", "fhirclient", "werkzeug", "sqlalchemy.engine", "procrastinate", "psycopg"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("urllib3", "authlib", "fhirclient", "werkzeug", "sqlalchemy.engine", "procrastinate", "psycopg"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def hits(text: str, canaries: dict[str, str]) -> list[str]:
    """Which canaries stand in a text, as they are or in hexadecimal as PostgreSQL prints bytes."""
    folded = text.lower()
    return sorted(
        name
        for name, value in canaries.items()
        if value.lower() in folded or value.encode().hex() in folded
    )  # fmt: skip


def test_a_whole_way_leaves_nobody_in_logs_tables_or_cookies(
    portal: Portal, heard: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """SEC-07, SEC-06, LIB-03: sign-in, record, choices, staff, stores and every failure; 0 hits in all output."""
    walk = Walk(portal, next(one for one in population() if one.id == PATIENT))
    about_the_person(walk)
    visitor = sign_in(walk)
    portal.bring_in_all()
    tokens_of(walk, visitor)
    look_and_choose(walk, visitor)
    fail_in_every_way(walk, visitor)
    tell_the_stores(walk)
    dumped = dump(portal)
    visitor.post("/sign-out", {"everywhere": "yes"})
    out, below = capfd.readouterr()
    err = heard.getvalue()
    assert '"event":"library-log"' in err, "the libraries were not heard"
    assert '"event":"refused"' in err, "the failures were not logged"
    assert len(walk.canaries) > 30
    assert hits(err, walk.canaries) == []
    assert hits(out + below, walk.canaries) == []
    in_tables = hits(dumped, walk.canaries)
    assert in_tables == []


def about_the_person(walk: Walk) -> None:
    person = walk.person
    for name in ("mrn", "given", "family", "phone"):
        walk.note(name, getattr(person, name))
    walk.note("birth date", person.birth_date)
    walk.note("street", person.address[0])
    for resource in person.resources():
        if resource["resourceType"] in {"Condition", "MedicationRequest"}:
            code = resource.get("code") or resource.get("medicationCodeableConcept") or {}
            for coding in [{"display": code.get("text")}, *code.get("coding", [])]:
                walk.note(f"{resource['resourceType']}/{resource['id']}/{coding.get('system')}", coding.get("display"))


def sign_in(walk: Walk) -> Visitor:
    """With each value of the OAuth dance noted."""
    visitor = walk.cast.newcomer()
    where = begin(visitor, offline="yes")
    asked = parse_qs(urlsplit(where).query)
    for name in ("state", "nonce", "code_challenge"):
        walk.note(name, asked[name][0])
    ring = walk.portal.wiring.keyring
    index = state_index(ring, asked["state"][0])
    (row,) = walk.portal.rows("SELECT * FROM login_attempt WHERE state_index = :i", i=index)
    stored = orjson.loads(ring.open(bytes(row.content_sealed), f"login_attempt:content:{index.hex()}"))
    walk.note("code_verifier", stored["request"]["code_verifier"])
    walk.note("cookie before", visitor.cookie())
    back = allow(walk.portal, where, PATIENT)
    walk.note("code", answer_of(back)["code"])
    assert come_back(visitor, "riverside", back).status_code == 303
    walk.note("cookie", visitor.cookie())
    walk.note("form token", visitor.token())
    return visitor


def tokens_of(walk: Walk, visitor: Visitor) -> None:
    portal = walk.portal
    (row,) = portal.rows("SELECT id, person_id FROM connection")
    with portal.database.worker.begin(as_persons(row.person_id)) as session:
        held = held_tokens(session, cipher_of(session, portal.wiring.keyring, row.person_id), row.id)
    assert held is not None
    assert held.refresh
    walk.note("access token", held.access)
    walk.note("refresh token", held.refresh)
    kept = visitor.cookie() or ""
    assert hits(kept, {name: value for name, value in walk.canaries.items() if not name.startswith("cookie")}) == []


def look_and_choose(walk: Walk, visitor: Visitor) -> None:
    person = walk.person
    entries = walk.portal.rows("SELECT id FROM record_entry WHERE kind <> :file ORDER BY id LIMIT 25", file=FILE_KIND)
    pages = ["/record", "/record/progress", "/record/kind/medicines", "/choices", "/activity", "/connection",
             "/notifications", f"/faq?q={person.family}", *(f"/record/entry/{row.id}" for row in entries)]  # fmt: skip
    for page in pages:
        assert visitor.get(page).status_code == 200, page
    assert visitor.post("/record/download", {}).status_code == 200
    signed = {"answer": "yes", "form": "walk-form-1", "categories": ["general"],
              "signed_name": f"{person.given} {person.family}"}  # fmt: skip
    assert visitor.post("/choices/efforts/living-well", signed).status_code == 303
    assert visitor.post("/choices/cancerlinq", {"answer": "no", "form": "walk-form-2"}).status_code == 303
    visitor.post("/notifications/number", {"number": person.phone, "zone": "America/New_York", "language": "en"})
    nurse = Visitor(walk.portal, STAFF, walk.portal.app.test_client())
    open_chart(nurse, PATIENT)
    assert nurse.get("/care-team").status_code == 200
    nurse.get("/record")


def fail_in_every_way(walk: Walk, visitor: Visitor) -> None:
    portal, person = walk.portal, walk.person
    hospital = portal.hospitals["riverside"].hospital
    broken = {"Condition": "garbage", "Observation": "html", "Patient": "truncated", "MedicationRequest": "status"}
    hospital.faults.set({"types": {name: {"do": what, "status": 500} for name, what in broken.items()}})
    visitor.post("/record/again", {})
    portal.bring_in_all()
    for wanted in ({"token": "500"}, {"token": "garbage"}, {"id_token": "aud"}, {"token": "no_patient"}):
        hospital.faults.set(wanted)
        stranger = walk.cast.newcomer()
        back = allow(portal, begin(stranger), PATIENT)
        walk.note(f"code {wanted}", answer_of(back)["code"])
        assert come_back(stranger, "riverside", back).status_code >= 400
    hospital.faults.set({})
    known = {"state": walk.canaries["state"], "code": walk.canaries["code"], "iss": person.mrn}
    assert visitor.get("/callback/riverside", query_string=known).status_code == 400
    assert visitor.get(f"/no/such/{person.mrn}/{person.family}").status_code == 404
    assert visitor.get(f"/record/kind/{person.family}").status_code == 404
    assert (
        visitor.get("/launch", query_string={"iss": f"https://{person.family}.example", "launch": "x"}).status_code
        == 403
    )
    for form in ({"answer": person.family}, {"answer": "no", "form": person.mrn + "\x00" * 9}):
        assert visitor.post("/choices/cancerlinq", form).status_code in {400, 422, 303}
    _break_the_application(walk, visitor)


def _break_the_application(walk: Walk, visitor: Visitor) -> None:
    """An error nobody foresaw, with a name in it, and one of the database with its parameters."""
    name, wiring = walk.person.family, walk.portal.wiring
    app = create_app(Wiring(wiring.settings, wiring.database, wiring.keyring, wiring.http))

    @gate(Gate.PUBLIC)
    def broken() -> str:
        raise RuntimeError(f"{name} has {walk.person.mrn}")

    app.view_functions["public.home"] = broken
    answer = app.test_client().get("/", base_url=walk.portal.url)
    assert answer.status_code == 500
    assert hits(answer.text, walk.canaries) == []
    visitor.get("/activity?before=99999999999999999999999")


def tell_the_stores(walk: Walk) -> None:
    """The feed, to stores that do not answer."""
    stop = threading.Event()
    worker = walk.portal.worker
    feed = threading.Thread(
        target=run_feed, args=(worker.database, worker.keyring, worker.settings.stores, worker.http, stop)
    )
    feed.start()
    threading.Event().wait(1.5)
    stop.set()
    feed.join(20)
    assert not feed.is_alive()


def dump(portal: Portal) -> str:
    """Every row of every table as text, as a superuser's dump would have it."""
    tables = portal.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [row.line for each in tables for row in portal.rows(f'SELECT t::text AS line FROM "{each.tablename}" t')]
    assert len(rows) > 100
    return "\n".join(rows)


def test_the_check_finds_what_it_looks_for(capfd: pytest.CaptureFixture[str]) -> None:
    """SEC-07: a log without the allow-list, and a column without a seal, are caught."""
    canaries = {"family": "Canaryfamily", "token": "tok-canary"}
    plain = logging.StreamHandler(sys.stderr)
    logger = logging.Logger("planted")
    logger.addHandler(plain)
    logger.warning("GET /x?token=%s for %s", "tok-canary", "CANARYFAMILY")
    _out, err = capfd.readouterr()
    assert hits(err, canaries) == ["family", "token"]
    assert hits("(1,\\x" + b"tok-canary".hex() + ")", canaries) == ["token"]
    assert hits("nothing", canaries) == []
