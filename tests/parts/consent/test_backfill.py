"""A backfill: what stands is told once, beside the stream; a kill costs at most one batch, told under its numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from consent.backfill.begin import Backfill, Order, begin_backfill, read_backfill
from consent.backfill.run import backfill
from consent.decision import Answer, donation_to
from consent.feed.lease import Leases
from consent.feed.pace import Pace
from consent.feed.run import adapter_for, note_stores
from consent.feed.sender import Step
from database.context import as_nobody
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Answer as Answered
from tests.pure.consent.stores import CANCERLINQ_STORE, LIVING_WELL_STORE, TEMPUS
from tests.support.native_stores import kill_between_store_and_settle
from vocabulary.errors import Conflict, Invalid

SMALL = Pace(first_seconds=1, longest_seconds=60, split_after=2, batch=50, backfill=4)
NEW = replace(TEMPUS, id="new-store")


def fill(world: World, store_id: str, **more: Any) -> Any:
    adapter = adapter_for(world.stores[store_id], world.http(), world.clock)
    return backfill(world.database.worker, world.database.keyring, adapter, world.clock, SMALL, **more)


def decide(world: World) -> dict[str, UUID]:
    """Ten people: MRN-0 to 6 are out, 7 is back in, 8 went out twice, 9 is at another hospital and out."""
    people = {str(number): person(world.database, number) for number in range(9)}
    people["9"] = person(world.database, 9, "lakeside")
    for number in range(10):
        world.press(people[str(number)])
    for number, answer in ((7, Answer.YES), (8, Answer.YES), (8, Answer.NO)):
        world.press(people[str(number)], answer=answer)
    while world.sequence():
        pass
    return people


@pytest.mark.parametrize("template", [NEW, replace(CANCERLINQ_STORE, id="new-store")], ids=["ndjson", "backport"])
def test_a_new_store_hears_of_those_to_keep_out(world: World, template: Any) -> None:
    """Decisions, order and position: suppression only, for people its feed can contain, each once, by dense numbers."""
    decide(world)
    receiver = world.add(replace(template, practices=frozenset({"riverside-main"})))
    done = fill(world, "new-store")
    assert (done.is_done, done.only_no, done.told) == (True, True, 8)
    assert receiver.answers() == {f"MRN-{number}": "no" for number in (0, 1, 2, 3, 4, 5, 6, 8)}
    told = [number for _, numbers in receiver.heard for number in numbers]
    assert told == list(range(1, 9)), "each once, no gap"
    assert max(len(numbers) for _, numbers in receiver.heard) <= 4
    assert world.drain("new-store")[-1] is Step.IDLE
    assert len(receiver.effects) == 8, "and nothing of it again by the stream"


def test_a_decision_does_not_wait_for_a_backfill(world: World) -> None:
    """I1: what is decided while a backfill runs goes out before the rest of it, and stands in the end."""
    people = decide(world)
    receiver = world.add(NEW)
    order = Order("rosa", "it is new")
    begin_backfill(world.database.worker, world.stores["new-store"], world.clock(), order)
    with pytest.raises(Invalid):
        Order("rosa\n").line("store.compared")
    with world.database.maintenance.engine.connect() as connection:
        line = connection.execute(text("SELECT actor_reference, detail FROM audit_event WHERE event LIKE 'store.%'"))
        assert line.one() == ("rosa", {"store": "new-store", "last": 13, "why": "it is new"})
    sender = replace(world.sender("new-store"), pace=SMALL)
    assert sender.step() is Step.SENT
    world.press(people["6"], answer=Answer.YES)
    world.sequence()
    assert sender.step() is Step.SENT
    assert receiver.effects[-1] == ("MRN-6", 2, "yes"), "the stream goes first"
    world.drain("new-store")
    assert receiver.answers()["MRN-6"] == "yes", "the older no of the backfill changes nothing"
    assert sorted(receiver.answers()) == [
        "MRN-0",
        "MRN-1",
        "MRN-2",
        "MRN-3",
        "MRN-4",
        "MRN-5",
        "MRN-6",
        "MRN-8",
        "MRN-9",
    ]


def test_killed_anywhere_it_goes_on(world: World, tmp_path: Path, monkeypatch: Any) -> None:
    """G3.9: killed by -9 after the store took a batch, cut off after and between batches: nothing is lost, doubled or
    given another number."""
    monkeypatch.setattr("consent.backfill.run.LOOK_SECONDS", 0)
    decide(world)
    receiver = world.add(NEW)
    begin_backfill(world.database.worker, world.stores["new-store"], world.clock())
    kill_between_store_and_settle(
        world.stores["new-store"], world.database.urls.worker, world.database.keyring, tmp_path, SMALL
    )

    class Killed(BaseException):
        pass

    def die(found: Backfill) -> None:
        if not found.is_done:
            raise Killed

    def hang_up(_: str, __: object, answer: Answered) -> Answered:
        if answer[0]:
            raise ConnectionError  # it took the batch, and we never hear of it
        return answer

    for kill in range(20):
        receiver.misbehave = hang_up if kill % 2 else None
        try:
            done = fill(world, "new-store", progress=die)
        except Killed:
            done = None
        world.clock.tick(3600)
        if done is not None and done.is_done:
            break
    told: dict[int, set[str]] = {}
    for message, numbers in receiver.heard:
        for number in numbers:
            told.setdefault(number, set()).add(message)
    assert sorted(told) == list(range(1, 10))
    assert all(len(messages) == 1 for messages in told.values()), "a retry is the same message"
    assert len(receiver.heard) > len(set(receiver.heard)), "some were told twice indeed"
    assert len(receiver.effects) == 9 == len(set(receiver.effects))


def test_a_store_that_lost_all_hears_it_again(world: World) -> None:
    """Restored from nothing: backfilled anew it holds what stands, the yes of a donor too, under new numbers."""
    receiver = world.add(LIVING_WELL_STORE)
    rosa, ben = person(world.database, 1), person(world.database, 2)
    for who in (rosa, ben):
        world.press(who, donation_to("living-well"), Answer.YES)
    world.press(ben, donation_to("living-well"), Answer.NO)
    world.drain("living-well")
    before = receiver.answers()
    receiver.held.clear()
    done = fill(world, "living-well")
    assert (done.is_done, done.only_no, done.told) == (True, False, 2)
    assert receiver.answers() == before
    assert sorted(before.values()) == ["no", "yes"]
    assert [numbers for _, numbers in receiver.heard][-1] == (4, 5)


def test_it_is_for_one_at_a_time(world: World) -> None:
    """While a feed process sends to the store it alone does it; a store that stops answering keeps what is left."""
    decide(world)
    receiver = world.add(NEW)
    note_stores(world.database.worker, [world.stores["new-store"]], world.clock())
    leases = Leases(world.database.worker)
    assert leases.hold("new-store")
    with pytest.raises(Conflict):
        fill(world, "new-store")
    leases.close()
    receiver.misbehave = lambda *_: (503, {}, b"")
    assert not fill(world, "new-store").is_done
    with world.database.web.begin(as_nobody()) as session:
        found = read_backfill(session, "new-store")
    assert found is not None
    assert not found.is_done
