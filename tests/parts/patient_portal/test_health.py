"""Alive, ready, counted: what operators ask, and what it must not say (threats.md abuse case 20)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from database.context import as_nobody
from database.heartbeat import beat
from database.unit_of_work import Database, sqlalchemy_url
from patient_portal.app import create_app
from patient_portal.wiring import Wiring
from sandbox.people.population import population
from tests.support.actors import ANONYMOUS, OWNER, OWNER_ID, Cast

NOWHERE = "postgresql://web:w@127.0.0.1:9/portal"
OWNER_NAME = next(person.family for person in population() if person.id == OWNER_ID)


def run(cast: Cast, statement: str) -> None:
    """As superuser, what only a test may do."""
    engine = create_engine(sqlalchemy_url(cast.portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def at_work(cast: Cast) -> Iterator[None]:
    """A worker and a feed that just said that they are there."""
    with cast.portal.database.worker.begin(as_nobody()) as session:
        for kind in ("worker", "feed"):
            beat(session, f"{kind}", datetime.now(UTC))
            session.execute(text("UPDATE process_heartbeat SET process = kind"))
    yield
    run(cast, "DELETE FROM process_heartbeat")


def ready(cast: Cast) -> tuple[int, Any]:
    answer = cast[ANONYMOUS].get("/readyz")
    return answer.status_code, answer.get_json()


def test_alive(cast: Cast) -> None:
    """Issue 2: the process answers."""
    answer = cast[ANONYMOUS].get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


@pytest.mark.usefixtures("at_work")
def test_ready_with_database_revision_worker_and_feed(cast: Cast) -> None:
    """Issue 2: 200 when all four are well."""
    checks = {"database": "ok", "migrations": "ok", "worker": "ok", "feed": "ok"}
    assert ready(cast) == (200, {"status": "ok", "checks": checks})


def test_not_ready_without_a_sign_of_life(cast: Cast) -> None:
    """Issue 2: nobody is at work, so a decision would wait."""
    status, said = ready(cast)
    assert status == 503
    assert (said["checks"]["worker"], said["checks"]["feed"]) == ("no sign of life", "no sign of life")


@pytest.mark.usefixtures("at_work")
def test_an_old_sign_of_life_is_none(cast: Cast) -> None:
    """Issue 2: half a minute is the limit."""
    run(cast, "UPDATE process_heartbeat SET seen_at = now() - interval '31 seconds' WHERE kind = 'worker'")
    status, said = ready(cast)
    assert (status, said["checks"]["worker"], said["checks"]["feed"]) == (503, "no sign of life", "ok")


@pytest.mark.usefixtures("at_work")
def test_not_ready_at_another_revision(cast: Cast) -> None:
    """Issue 2: code and tables must fit."""
    at = cast.portal.rows("SELECT version_num FROM alembic_version")[0].version_num
    run(cast, "UPDATE alembic_version SET version_num = '0000'")
    status, said = ready(cast)
    run(cast, f"UPDATE alembic_version SET version_num = '{at}'")
    assert (status, said["checks"]["migrations"]) == (503, "at 0000")


@pytest.fixture
def without_database(cast: Cast) -> Iterator[Any]:
    """The same application with a database that does not answer, and a browser that has a session's cookie."""
    wiring = cast.portal.wiring
    nowhere = Database(NOWHERE)
    app = create_app(Wiring(wiring.settings, nowhere, wiring.keyring, wiring.http))
    browser = app.test_client()
    browser.set_cookie("portal", cast[OWNER].cookie() or "", domain="127.0.0.1")
    yield browser
    nowhere.close()


def test_a_database_that_does_not_answer(cast: Cast, without_database: Any) -> None:
    """SEC-10, Issue 2: `/healthz` lives, `/readyz` says so in JSON, pages are 503 with Retry-After; no 500."""
    url = cast.portal.url
    assert without_database.get("/healthz", base_url=url).status_code == 200
    answer = without_database.get("/readyz", base_url=url)
    assert answer.status_code == 503
    assert answer.get_json()["checks"] == {"database": "does not answer"}
    assert "portal_database_up 0.0" in without_database.get("/metrics", base_url=url).text
    for path in ("/", "/record", "/choices", "/faq"):
        page = without_database.get(path, base_url=url)
        assert (page.status_code, "Retry-After" in page.headers) == (503, True), path
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "Traceback" not in page.text
        assert "<h1>" in page.text
    posted = without_database.post("/sign-out", base_url=url)
    assert posted.status_code == 503


def test_public_pages_need_no_database(cast: Cast) -> None:
    """SEC-10: who has no session can still read how to opt out by phone."""
    wiring = cast.portal.wiring
    app = create_app(
        Wiring(wiring.settings, Database("postgresql://web:w@127.0.0.1:9/portal"), wiring.keyring, wiring.http)
    )
    for path in ("/", "/faq", "/help", "/without-account", "/sign-in"):
        assert app.test_client().get(path, base_url=cast.portal.url).status_code == 200


def test_counts_carry_no_identity(cast: Cast) -> None:
    """SEC-07, abuse case 20: labels are routes, verbs and states; no id, no name, no number, no query."""
    for path in (f"/record/entry/{cast.owned['entry']}", "/callback/riverside?state=canary-state&code=canary-code",
                 "/no/such/canary-path", "/activity?before=7"):  # fmt: skip
        cast[OWNER].get(path)
    cast[OWNER].send("CANARY-VERB", "/record")
    answer = cast[ANONYMOUS].get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    said = answer.text
    assert 'endpoint="record.entry"' in said
    for canary in (*cast.owned.values(), str(cast[OWNER].person), "canary", "CANARY", "riverside", OWNER_NAME):
        assert canary not in said
    labels = set(re.findall(r'(\w+)="', said))
    assert labels <= {"endpoint", "method", "status", "le", "generation", "implementation", "major", "minor",
                      "patchlevel", "version", "kind", "state", "store", "reason"}  # fmt: skip


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/operator", "/operator/runbook"])
def test_an_internal_address_hides_them_outside(cast: Cast, path: str) -> None:
    """Issue 2: with PORTAL_INTERNAL_BIND they answer there only, and are an ordinary 404 elsewhere; life stays."""
    wiring = cast.portal.wiring
    settings = replace(wiring.settings, internal_bind="127.0.0.1:9090")
    browser = create_app(Wiring(settings, wiring.database, wiring.keyring, wiring.http)).test_client()
    assert browser.get(path, base_url="http://127.0.0.1:8000").status_code == 404
    assert browser.get(path, base_url="http://127.0.0.1:8000", headers={"Host": "127.0.0.1:9090"}).status_code == 404
    assert browser.get(path, base_url="http://127.0.0.1:9090").status_code in {200, 503}
    settings = replace(settings, trusted_proxies=1)
    proxied = create_app(Wiring(settings, wiring.database, wiring.keyring, wiring.http)).test_client()
    said = {"X-Forwarded-Host": "127.0.0.1:9090"}
    assert proxied.get(path, base_url="http://127.0.0.1:8000", headers=said).status_code == 404, "said, not reached"
    assert browser.get("/healthz", base_url="http://127.0.0.1:8000").status_code == 200
