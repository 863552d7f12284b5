"""Reconciliation with the sandbox's own stores over HTTP: planted drift is found by range and repaired one way only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import text
from werkzeug import Request, Response

from consent.backfill.begin import Order
from consent.decision import Answer, donation_to
from consent.feed.run import adapter_for, note_stores
from consent.reconcile.run import Run, reconcile
from consent.store_config import Transport
from consent.stores import webhook
from consent.wire_signature import sign
from database.context import as_propagation
from outbound.limits import Limits
from sandbox.store.config import StoreConfig
from sandbox.store.hospital_feed import FedPerson, take_in
from sandbox.store.server import RunningStore, start
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.pure.consent.stores import CANCERLINQ_STORE, LIVING_WELL_STORE, SECRET
from tests.support.native_stores import SilentServer

PEOPLE = 12
HELD = "SELECT answer, count(*) FROM standing GROUP BY answer"


def fed() -> list[FedPerson]:
    entries = tuple({"resourceType": "Condition", "id": f"c-{number}"} for number in range(3))
    return [FedPerson("riverside", RIVERSIDE, f"MRN-{number}", f"Person {number}", entries) for number in range(PEOPLE)]


class Site:
    """One store of the sandbox and the ledger that tells it."""

    def __init__(self, world: World, folder: Path, template: Any, **values: Any) -> None:
        self.world, self.id = world, template.id
        config = StoreConfig(id=template.id, name=template.name, secrets=(SECRET,), state_dir=folder, **values)
        self.store: RunningStore = start(config, fed)
        world.stores[template.id] = replace(template, endpoint=self.store.endpoint)
        note_stores(world.database.worker, [world.stores[template.id]], world.clock())

    def reconcile(self) -> Run:
        adapter = adapter_for(self.world.stores[self.id], self.world.http(), self.world.clock)
        return reconcile(self.world.database.worker, adapter, self.world.clock)

    def plant(self, statement: str, *values: Any) -> None:
        with self.store.memory.change():
            assert self.store.memory.run(statement, *values) > 0

    def code(self, number: int) -> str:
        return self.store.memory.code_of(RIVERSIDE, f"MRN-{number}")

    def is_out(self, number: int) -> bool:
        return self.store.memory.is_suppressed(self.code(number)) and not self.store.memory.entries_of(
            self.code(number)
        )

    def tasks(self) -> list[tuple[UUID | None, Any]]:
        with self.world.database.worker.begin(as_propagation()) as session:
            found = (
                "SELECT person_id, detail ->> 'why' FROM staff_task WHERE kind = 'store-drift' AND closed_at IS NULL"
            )
            return [(row[0], row[1]) for row in session.execute(text(found))]


@pytest.fixture(params=list(Transport)[:2])
def platform(world: World, tmp_path: Path, request: Any) -> Iterator[Site]:
    site = Site(world, tmp_path, replace(CANCERLINQ_STORE, transport=request.param), role="holder")
    yield site
    site.store.stop()


def test_planted_drift_is_found_and_repaired_one_way(world: World, platform: Site) -> None:
    """SUB-08, decisions (reconciliation; re-ingest rule): less sharing by itself, more sharing by a person only."""
    people = [person(world.database, number) for number in range(PEOPLE)]
    for who in people:
        world.press(who)
    world.press(people[5], answer=Answer.YES)
    world.drain("cancerlinq")
    first = platform.reconcile()
    assert (first.outcome, first.counted, first.theirs, first.requests, first.fetched) == ("agrees", 12, 12, 2, 0)

    platform.plant("DELETE FROM suppressed WHERE code = ?", platform.code(1))
    platform.plant("INSERT INTO entry VALUES (?, 'feed', 0, 'Condition', '{}')", platform.code(2))
    platform.plant("DELETE FROM standing WHERE code = ?", platform.code(3))
    platform.plant("DELETE FROM suppressed WHERE code = ?", platform.code(3))
    platform.plant("INSERT INTO suppressed VALUES (?, 'now')", platform.code(5))
    found = platform.reconcile()
    assert (found.outcome, found.differing, found.repaired, found.to_people) == ("drift", 4, 3, 1)
    assert (found.requests, found.fetched) == (3, 4), "only what differs is fetched, one number each"
    assert platform.tasks() == [(people[5], "keeps-out")]
    assert not platform.is_out(1), "nothing is repaired but by the feed"

    world.drain("cancerlinq")
    assert all(platform.is_out(number) for number in range(PEOPLE)), "5 too: more sharing is for a person to settle"
    again = platform.reconcile()
    assert (again.differing, again.repaired, again.to_people) == (1, 0, 1)
    assert len(platform.tasks()) == 1, "one task, however often it is found"

    platform.plant("DELETE FROM suppressed WHERE code = ?", platform.code(5))
    assert platform.reconcile().outcome == "agrees"
    assert platform.tasks() == []
    _re_fed_people_stay_out(platform)


def _re_fed_people_stay_out(platform: Site) -> None:
    report = take_in(platform.store.config, platform.store.memory, fed(), "feed")
    assert (report.taken, report.suppressed) == (1, PEOPLE - 1)


def test_an_unasked_suppression_is_for_people(world: World, platform: Site) -> None:
    """Decisions: a person kept out there without a word of ours is a task, not a repair."""
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    platform.plant("INSERT INTO suppressed VALUES ('nobody-we-know', 'now')")
    run = platform.reconcile()
    assert (run.outcome, run.differing, run.stray, run.repaired) == ("drift", 0, 1, 0)
    assert platform.tasks() == [(None, "kept-out-unasked")]


def test_a_restored_backup_loses_no_opt_out(world: World, platform: Site) -> None:
    """SUB-08: a store set back to an older state has its older answers; each lost no is told again, no yes is."""
    people = [person(world.database, number) for number in range(4)]
    for who, answers in zip(people, ([Answer.NO], [Answer.NO], [Answer.NO], [Answer.NO, Answer.YES]), strict=True):
        for answer in answers:
            world.press(who, answer=answer)
            world.drain("cancerlinq")
    before = platform.store.memory.rows("SELECT * FROM standing")
    world.press(people[0], answer=Answer.YES)
    world.press(people[0], answer=Answer.NO)
    world.press(people[3], answer=Answer.NO)
    world.press(people[2], answer=Answer.YES)
    world.drain("cancerlinq")
    with platform.store.memory.change():
        platform.store.memory.run("DELETE FROM standing")
        platform.store.memory.run("DELETE FROM suppressed WHERE code IN (?, ?)", platform.code(0), platform.code(3))
        platform.store.memory.run("INSERT OR IGNORE INTO suppressed VALUES (?, 'then')", platform.code(2))
        platform.store.memory.many("INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?)", [tuple(row) for row in before])
    run = platform.reconcile()
    assert (run.repaired, run.to_people) == (2, 1)
    world.drain("cancerlinq")
    assert [platform.is_out(number) for number in range(4)] == [True, True, True, True]


def test_a_donor_s_no_is_told_again_and_a_yes_is_not(world: World, tmp_path: Path) -> None:
    """CON-06: an effort that still goes by a yes after the no is repaired; one that lost the yes is not given it."""
    site = Site(world, tmp_path, LIVING_WELL_STORE, role="effort", effort="living-well", hospitals=())
    rosa, ben = person(world.database, 1), person(world.database, 2)
    for who in (rosa, ben):
        world.press(who, donation_to("living-well"), Answer.YES)
    world.press(rosa, donation_to("living-well"), Answer.NO)
    world.drain("living-well")
    assert site.reconcile().outcome == "agrees"
    site.plant("UPDATE standing SET answer = 'yes' WHERE answer = 'no'")
    site.plant("DELETE FROM standing WHERE version = 1")
    run = site.reconcile()
    assert (run.repaired, run.to_people) == (1, 1)
    world.drain("living-well")
    assert [tuple(row) for row in site.store.memory.rows(HELD)] == [("no", 1)]
    site.store.stop()


def signed(body: bytes) -> Callable[[Request], Response]:
    """An answer signed with the store's own secret, to this very question."""

    def answer(request: Request) -> Response:
        return Response(body, headers=sign([SECRET], request.headers["webhook-id"], body, datetime.now(UTC)))

    return answer


def test_a_store_that_hangs_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threats: one that takes the question and says nothing costs the limits of outbound, and changes nothing."""
    world.add(CANCERLINQ_STORE)
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    silent = SilentServer()
    store = replace(world.stores["cancerlinq"], endpoint=f"http://localhost:{silent.port}/notifications")
    world.stores["cancerlinq"] = store
    monkeypatch.setattr(webhook, "LIMITS", Limits(connect_seconds=0.2, read_seconds=0.2, total_seconds=0.4))
    order = Order("rosa", "asked")
    made = reconcile(world.database.worker, adapter_for(store, world.http(), world.clock), world.clock, order)
    silent.close()
    assert (made.outcome, made.theirs, made.repaired, made.to_people) == ("no-answer", None, 0, 0)
    with world.database.maintenance.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM store_retelling")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM staff_task")).scalar() == 0
        lines = text("SELECT event, actor_reference, detail FROM audit_event WHERE event LIKE 'store.%'")
        assert [*connection.execute(lines)] == [("store.compared", "rosa", {"store": "cancerlinq", "why": "asked"})]


COUNTS = b'{"store":"cancerlinq","counts":{"total":9,"nos":9,"stray":0}%s}'
HOSTILE: list[tuple[str, Any]] = [
    ("status-302", Response(status=302, headers={"location": "http://localhost:1/"})),
    ("not-signed", Response(b"{}")),
    ("declared-size", Response(b"x" * 5_000_000)),
    ("status-500", Response(status=500)),
    ("not-json", signed(b"<html>")),
    ("not-a-count", signed(COUNTS.replace(b'"nos":9', b'"nos":-9') % b"")),
    ("names-another-store", signed(b'{"store":"tempus"}')),
    ("not-digests", signed(COUNTS % b"")),
    ("impossible-counts", signed(COUNTS % (b',"digests":[[9,9,"' + b"0" * 64 + b'"]]'))),
    ("not-facts", signed(COUNTS % (b',"digests":[[1,1,"' + b"0" * 64 + b'"]],"facts":[[1,1]]'))),
    ("facts-not-asked-for", signed(COUNTS % (b',"digests":[[1,1,"' + b"0" * 64 + b'"]],"facts":[[2,1,"no"]]'))),
]


def test_a_hostile_store_changes_nothing(world: World, httpserver: HTTPServer) -> None:
    """Threats: a redirect, garbage, a forged, impossible or huge answer, and no such door: reported, nothing done."""
    world.add(CANCERLINQ_STORE)
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    store = world.stores["cancerlinq"] = replace(
        world.stores["cancerlinq"], endpoint=httpserver.url_for("/notifications").replace("127.0.0.1", "localhost")
    )
    adapter = adapter_for(store, world.http(), world.clock)

    def run() -> Run:
        return reconcile(world.database.worker, adapter, world.clock)

    for reason, answer in HOSTILE:
        httpserver.clear()
        handler = answer if callable(answer) and not isinstance(answer, Response) else lambda _, one=answer: one
        httpserver.expect_request("/reconcile").respond_with_handler(handler)
        made = run()
        assert (made.outcome, made.reason, made.repaired, made.to_people) == ("no-answer", reason, 0, 0)
    httpserver.clear()
    httpserver.expect_request("/reconcile").respond_with_data("", status=404)
    assert (run().outcome, run().reason) == ("cannot", "not-offered")
    with world.database.worker.begin(as_propagation()) as session:
        assert session.execute(text("SELECT count(*) FROM store_retelling")).scalar() == 0
        assert session.execute(text("SELECT count(*) FROM staff_task")).scalar() == 0
