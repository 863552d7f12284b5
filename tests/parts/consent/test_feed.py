"""From the ledger to the stores: nothing lost, nothing doubled, nothing out of order, whatever the stores do."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from consent.decision import Answer, donation_to
from consent.feed.run import run_feed
from consent.feed.sender import Step
from consent.leaf import leaf_of
from consent.ledger_hashes import inclusion_path
from consent.merkle import root_hash, verify_inclusion
from consent.record_decision import insert_decisions
from consent.seal import Sealer, head_keys, is_genuine_head
from consent.sequencer import sequence_once
from database.context import as_persons, as_propagation
from database.keyring import KeyRing
from tests.parts.consent.conftest import World
from tests.parts.consent.people import NOW, asked, later, person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.decisions import decided
from tests.pure.consent.stores import (
    CANCERLINQ_STORE,
    EARLY_SIGNS_STORE,
    LIVING_WELL_STORE,
    OLD_SECRET,
    REGISTRY,
    TEMPUS,
)


def rows(world: World, sql: str) -> list[Any]:
    with world.database.maintenance.engine.connect() as connection:
        return list(connection.execute(text(sql)))


def one(world: World, sql: str) -> Any:
    return rows(world, sql)[0][0]


@pytest.mark.parametrize("template", [CANCERLINQ_STORE, TEMPUS], ids=["backport", "ndjson"])
def test_told_and_confirmed(world: World, template: Any) -> None:
    """SUB-07, SUB-08, SUB-11: signed, numbered from 1, receipts kept; the cursor is where the ledger is."""
    receiver = world.add(template)
    rosa, ben = person(world.database, 1), person(world.database, 2)
    for who, answer in ((rosa, Answer.NO), (ben, Answer.NO), (rosa, Answer.YES)):
        world.press(who, answer=answer)
    world.drain(template.id)
    assert receiver.answers() == {"MRN-1": "yes", "MRN-2": "no"}
    assert [numbers for _, numbers in receiver.heard] == [(1, 2, 3)]
    assert receiver.headers[0]["portal-positions"] == "1-3"
    assert one(world, "SELECT position FROM store_cursor") == 3
    (receipt,) = rows(world, "SELECT state, removed, detail, signature FROM receipt")
    assert (receipt.state, receipt.removed) == ("applied", 21)
    assert receipt.detail["each"]["reference"] == "REF-1"
    assert receipt.signature.startswith("v1,")
    assert world.drain(template.id) == [Step.IDLE]


def test_only_those_concerned_are_told(world: World, platform: Receiver) -> None:
    """Decisions: a person whom the store's feed cannot contain is never named to it; a registry is never told."""
    registry = world.add(REGISTRY)
    elsewhere = person(world.database, 5, "hilltop")
    world.press(elsewhere)
    world.press(person(world.database, 6))
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-6": "no"}
    assert one(world, "SELECT count(*) FROM store_cursor WHERE store_id = 'registry'") == 0
    assert registry.heard == []


def test_efforts_know_a_random_code(world: World) -> None:
    """Decisions, HIP-22, X-05: a code made for one store; an opt-out tells the effort fed by CancerLinQ no."""
    direct, via = world.add(LIVING_WELL_STORE), world.add(EARLY_SIGNS_STORE)
    rosa, ben = person(world.database, 1), person(world.database, 2)
    for effort in ("living-well", "early-signs"):
        world.press(rosa, donation_to(effort), Answer.YES)
    world.press(rosa)
    world.press(rosa, answer=Answer.YES)
    world.press(ben)
    for store in ("living-well", "early-signs"):
        world.drain(store)
    assert list(direct.answers().values()) == ["yes"]
    assert [answer for _, _, answer in via.effects] == ["yes", "no"], "the lift is not told: Rosa is asked again"
    codes = {value for receiver in (direct, via) for value, _, _ in receiver.effects}
    assert len(codes) == 2, "two efforts cannot join what they hold"
    assert not any("MRN" in code for code in codes)
    assert b"MRN" not in b"".join(direct.bodies + via.bodies)


def test_late_committer_is_not_skipped(world: World, platform: Receiver) -> None:
    """Decisions (position), order trap: a transaction that began first and commits last still gets told."""
    rosa, ben = person(world.database, 1), person(world.database, 2)
    held, release = threading.Event(), threading.Event()

    def slow() -> None:
        with world.database.web.begin(as_persons(rosa)) as session:
            insert_decisions(session, [decided(1, person=rosa)], "decision.recorded")
            held.set()
            release.wait(5)

    thread = threading.Thread(target=slow)
    thread.start()
    assert held.wait(5)
    world.press(ben)
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-2": "no"}
    release.set()
    thread.join()
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-1": "no", "MRN-2": "no"}
    assert [row.position for row in rows(world, "SELECT position FROM position ORDER BY 1")] == [0, 1]


def test_a_stalled_foreign_writer_holds_nobody_up(world: World, platform: Receiver) -> None:
    """Decisions (position): a writer elsewhere on the server that never commits does not stall the feed."""
    stranger = world.database.maintenance.engine.connect()
    stranger.exec_driver_sql("CREATE TABLE foreign_work (n int)")
    stranger.exec_driver_sql("INSERT INTO foreign_work VALUES (1)")
    try:
        world.press(person(world.database, 1))
        world.drain("cancerlinq")
        assert platform.answers() == {"MRN-1": "no"}
    finally:
        stranger.rollback()
        stranger.close()


def test_two_sequencers_stay_dense(world: World) -> None:
    """Decisions (one sequencer): many at once give each decision one position, dense, in id order per person."""
    people = [person(world.database, number) for number in range(4)]

    def write(who: Any) -> None:
        for number in range(12):
            world.press(who, answer=Answer.NO if number % 2 == 0 else Answer.YES)

    def order() -> None:
        for _ in range(40):
            sequence_once(world.database.worker, NOW, most=3)

    threads = [threading.Thread(target=write, args=(who,)) for who in people]
    threads += [threading.Thread(target=order) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while world.sequence():
        pass
    found = rows(world, "SELECT position, person_id, version FROM position ORDER BY position")
    assert [row.position for row in found] == list(range(48))
    for who in people:
        assert [row.version for row in found if row.person_id == who] == list(range(1, 13))


def test_secrets_overlap(world: World, platform: Receiver) -> None:
    """Wire: while two secrets overlap a store may know either."""
    store = world.stores["cancerlinq"]
    world.stores["cancerlinq"] = replace(store, secrets=(OLD_SECRET, *store.secrets))
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    assert len(platform.headers[0]["webhook-signature"].split(" ")) == 2


def test_sealed_heads(world: World) -> None:
    """I6, threats section 6: heads are signed, grow consistently, and prove each decision; edits are found."""
    worker, ring = world.database.worker, world.database.keyring
    sealer = Sealer(worker, ring)
    assert sealer.seal_once(NOW) is None
    made = [world.press(person(world.database, number)).decisions[0] for number in range(5)]
    world.sequence()
    head = sealer.seal_once(NOW)
    assert head is not None
    assert head.size == 5
    assert is_genuine_head(head, head_keys(ring))
    assert not is_genuine_head(head, head_keys(KeyRing.fresh()))
    assert head.root == root_hash([leaf_of(decision) for decision in made])
    for position, decision in enumerate(made):
        with worker.begin(as_propagation()) as session:
            proof = inclusion_path(session, position, head.size)
        assert verify_inclusion(leaf_of(decision), position, head.size, proof, head.root)
    assert sealer.seal_once(later(1)) is None, "nothing new, nothing signed"
    world.press(person(world.database, 9))
    world.sequence()
    assert Sealer(worker, ring).seal_once(later(2)) is not None, "a new process goes on from the ledger"
    assert sealer.seal_once(later(3)) is None
    assert sealer.header().startswith("6:")


def test_history_cannot_be_edited(world: World) -> None:
    """Threats 18: no login of the service can change or delete a decision, and the owner meets a trigger."""
    rosa = person(world.database, 1)
    world.press(rosa)
    for database, context in (
        (world.database.web, as_persons(rosa)),
        (world.database.worker, as_propagation()),
        (world.database.maintenance, as_persons(rosa)),
    ):
        for statement in ("UPDATE decision SET answer = 'yes'", "DELETE FROM decision"):
            with pytest.raises(Exception, match=r"permission denied|append-only"), database.begin(context) as session:
                session.execute(text(statement))


def test_the_feed_process(world: World, platform: Receiver, curator: Receiver) -> None:
    """SUB-08: the whole process: told within seconds of the press, head in the header, stops when asked."""
    world.clock.tick(0)
    stop = threading.Event()
    arguments = (world.database.worker, world.database.keyring, list(world.stores.values()), world.http(), stop)
    thread = threading.Thread(target=run_feed, args=arguments, kwargs={"clock": world.clock})
    thread.start()
    try:
        for number in range(3):
            world.record(asked(person(world.database, number)))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (len(platform.answers()) < 3 or len(curator.answers()) < 3):
            time.sleep(0.02)
        assert len(platform.answers()) == len(curator.answers()) == 3
        assert one(world, "SELECT count(*) FROM process_heartbeat WHERE kind = 'feed'") == 1
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
