"""Stores that are down, lie, choke or die in the middle; senders that do: nothing lost, nothing doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from consent.decision import Answer
from consent.feed.pace import Pace
from consent.feed.pause import pause
from consent.feed.read_ahead import ReadAhead
from consent.feed.sender import Step
from database.context import as_propagation
from database.unit_of_work import count_statements
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import (
    TEMPUS,
)


def rows(world: World, sql: str) -> list[Any]:
    with world.database.maintenance.engine.connect() as connection:
        return list(connection.execute(text(sql)))


def one(world: World, sql: str) -> Any:
    return rows(world, sql)[0][0]


def run(world: World, sql: str) -> None:
    with world.database.maintenance.engine.begin() as connection:
        connection.execute(text(sql))


def test_store_down_then_up(world: World, platform: Receiver) -> None:
    """SUB-07: a store that was away is told all it missed, in order, once; others are not held up meanwhile."""
    other = world.add(TEMPUS)
    people = [person(world.database, number) for number in range(5)]
    platform.misbehave = lambda *_: (503, {"retry-after": "7"}, b"")
    for who in people:
        world.press(who)
    world.sequence()
    sender = world.sender("cancerlinq")
    assert sender.step() is Step.FAILED
    assert sender.step() is Step.WAITING, "Retry-After is obeyed"
    world.drain("tempus")
    assert len(other.answers()) == 5
    assert platform.effects == []
    world.clock.tick(7 * 24 * 3600)
    platform.misbehave = None
    for who in people:
        world.press(who, answer=Answer.YES)
    world.drain("cancerlinq")
    assert set(platform.answers().values()) == {"yes"}
    assert len(platform.effects) == 10
    assert one(world, "SELECT count(*) FROM parked_item") == 0, "a store that refuses everything parks nothing"


@pytest.mark.parametrize(
    "lie",
    [
        lambda r, m, good: (500, {}, b"oops"),
        lambda r, m, good: (404, {}, b""),
        lambda r, m, good: (301, {"location": "http://localhost:1/"}, b""),
        lambda r, m, good: (200, {}, good[2]),
        lambda r, m, good: (200, good[1], b"<html>ok</html>"),
        lambda r, m, good: (200, good[1], good[2] + b" "),
        lambda r, m, good: r.answer(m, []),
        lambda r, m, good: r.answer("another-message", []),
        lambda r, m, good: r.answer(m, [{"event": 1, "version": 99, "state": "perfect"}]),
    ],
    ids=["500", "404", "redirect", "unsigned", "html", "tampered", "empty", "other-id", "unknown-state"],
)
def test_bad_answers_count_as_not_delivered(
    world: World, platform: Receiver, lie: Callable[[Receiver, str, Any], Any]
) -> None:
    """Wire, faults: after any lie the same message is sent again with the same id, and acts once."""
    tries = 0

    def misbehave(message: str, events: list[Any], good: Any) -> Any:
        nonlocal tries
        tries += bool(good[0])
        return lie(platform, message, good) if good[0] and tries == 1 else None

    platform.misbehave = misbehave
    world.press(person(world.database, 1))
    steps = world.drain("cancerlinq")
    assert Step.FAILED in steps
    assert len(platform.effects) == 1
    ids = [message for message, numbers in platform.heard if numbers]
    assert len(ids) == 2
    assert len(set(ids)) == 1, "webhook-id is constant over retries"
    assert platform.bodies[0] == platform.bodies[-1]
    stamps = [headers["webhook-timestamp"] for headers in platform.headers]
    assert stamps[0] != stamps[-1], "the timestamp is renewed"


def test_crash_between_commit_and_answer(world: World, platform: Receiver) -> None:
    """SUB-07, I2: a sender that dies after the store acted starts anew: same message, one effect."""
    world.press(person(world.database, 1))

    def die(message: str, events: list[Any], good: Any) -> Any:
        if good[0]:
            raise ConnectionError("the answer never arrives")
        return None

    platform.misbehave = die
    world.sequence()
    assert world.sender("cancerlinq").step() is Step.FAILED
    platform.misbehave = None
    world.clock.tick(5)
    assert world.sender("cancerlinq").step() is Step.SENT
    assert platform.heard[0] == platform.heard[1]
    assert len(platform.effects) == 1
    assert world.sender("cancerlinq").step() is Step.IDLE


def test_poison_is_parked_alone(world: World, platform: Receiver) -> None:
    """Threats 29, SUB-07: one decision the store chokes on is set aside; all others go on; later it is taken."""
    people = [person(world.database, number) for number in range(40)]
    for who in people:
        world.press(who)

    def choke(message: str, events: list[Any], good: Any) -> Any:
        return (500, {}, b"") if any(event.value == "MRN-23" for event in events) else None

    platform.misbehave = choke
    steps = world.drain("cancerlinq")
    assert Step.PARKED in steps
    assert len(platform.answers()) == 39
    (parked,) = rows(world, "SELECT person_id, position, event_number, reason, resolved_at FROM parked_item")
    assert (parked.person_id, parked.position, parked.event_number) == (people[23], 23, 24)
    assert parked.reason == "status-500"
    assert one(world, "SELECT count(*) FROM staff_task WHERE kind = 'store-parked'") == 1
    world.press(people[23], answer=Answer.YES)
    world.press(people[0], answer=Answer.YES)
    world.clock.tick(10)
    world.drain("cancerlinq")
    assert platform.answers()["MRN-0"] == "yes"
    platform.misbehave = None
    for _ in range(4):
        world.clock.tick(120)
        world.drain("cancerlinq")
    assert one(world, "SELECT count(*) FROM parked_item WHERE resolved_at IS NULL") == 0
    assert platform.answers()["MRN-23"] == "yes", "the newest version decides, whatever was taken last"
    numbers = {number for _, sent in platform.heard for number in sent}
    assert numbers == set(range(1, 43)), "every number is used, none twice for another event"


def test_staff_is_asked_where_a_store_cannot_tell_who(world: World, platform: Receiver) -> None:
    """Decisions (who is who): not_found and ambiguous are receipts that open a task, and block nobody."""
    platform.state = "not_found"
    rosa = person(world.database, 1)
    world.press(rosa)
    world.drain("cancerlinq")
    (task,) = rows(world, "SELECT person_id, store_id, kind, detail FROM staff_task")
    assert (task.person_id, task.store_id, task.kind) == (rosa, "cancerlinq", "store-not_found")
    assert one(world, "SELECT count(*) FROM receipt WHERE event_number = 1 AND state = 'not_found'") == 1


def test_two_senders_at_once_do_no_harm(world: World, platform: Receiver) -> None:
    """Decisions (one sender per store): even without the lease, order and single effect hold."""
    people = [person(world.database, number) for number in range(6)]
    for answer in (Answer.NO, Answer.YES, Answer.NO):
        for who in people:
            world.press(who, answer=answer)
    world.sequence()
    threads = [threading.Thread(target=lambda: [world.sender("cancerlinq").step() for _ in range(4)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.drain("cancerlinq")
    assert set(platform.answers().values()) == {"no"}
    for number in range(6):
        versions = [version for value, version, _ in platform.effects if value == f"MRN-{number}"]
        assert versions == sorted(set(versions)), "I2, I3: each version at most once, rising"


def test_the_next_batch_is_made_by_the_statement_that_settles(world: World, monkeypatch: Any) -> None:
    """SUB-07: when its run is read ahead. A transaction that fails costs neither, and a pause comes before it."""
    monkeypatch.setattr("consent.feed.sender.FRESH_SECONDS", 3600)
    receiver = world.add(TEMPUS)
    for number in range(14):
        world.press(person(world.database, number))
    world.sequence()
    said: list[str] = []
    count_statements(world.database.worker.engine, said)
    ahead = ReadAhead(world.database.worker, world.database.keyring, world.clock)
    sender = replace(world.sender("tempus"), ahead=ahead, pace=Pace(batch=2))
    try:
        assert [sender.step(onward=True) for _ in range(2)] == [Step.SENT] * 2
        ahead.wait(sender.store)
        said.clear()
        assert sender.step(onward=True) is Step.SENT
        assert [one.split()[1] for one in said if one.startswith(("WITH to_do", "WITH held"))] == ["to_do"]
        run(world, "ALTER TABLE store_batch ADD CONSTRAINT broken CHECK (first_event <> 9) NOT VALID")
        ahead.wait(sender.store)
        with pytest.raises(IntegrityError):
            sender.step(onward=True)
        run(world, "ALTER TABLE store_batch DROP CONSTRAINT broken")
        assert [sender.step(onward=True) for _ in range(2)] == [Step.SENT] * 2, "the batch before, told again"
        ahead.wait(sender.store)
        with world.database.worker.begin(as_propagation()) as session:
            pause(session, sender.store, "ops", "a test", world.clock())
        assert [sender.step(onward=True) for _ in range(2)] == [Step.SENT, Step.PAUSED], "what was under way ends"
    finally:
        ahead.close()
    assert [numbers for _, numbers in receiver.heard] == [(1, 2), (3, 4), (5, 6), (7, 8), (7, 8), (9, 10), (11, 12)]
    assert one(world, "SELECT count(*) FROM receipt") == 6
    assert one(world, "SELECT count(*) FROM store_batch") == 6
    assert one(world, "SELECT position FROM store_cursor WHERE store_id = 'tempus'") == 12
