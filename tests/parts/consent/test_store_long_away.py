"""Stores that are away for days, or misbehave for as long: nothing expires, and the others do not notice."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from sqlalchemy import text

from consent.decision import Answer
from consent.feed.begin_and_end import Calendar
from consent.feed.sender import Sender, Step
from consent.overdue import Owed
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import TEMPUS

HOURS = 3600
WEEK = 7 * 24 * HOURS
Misbehaves = Callable[[Receiver, str, Any], Any]

BOMB = gzip.compress(b"\0" * 20_000_000)
BAD: dict[str, Misbehaves] = {
    "down": lambda r, m, good: (503, {}, b""),
    "error-in-200": lambda r, m, good: (200, {"content-type": "application/json"}, b'{"error": "try later"}'),
    "truncated": lambda r, m, good: (200, {**good[1], "content-length": "99999", "connection": "close"}, good[2][:40]),
    "redirect": lambda r, m, good: (307, {"location": "http://localhost:1/"}, b""),
    "wrong-type": lambda r, m, good: (200, {**good[1], "content-type": "text/html"}, b"<html>fine</html>"),
    "gzip-bomb": lambda r, m, good: (200, {**good[1], "content-encoding": "gzip"}, BOMB),
    "hangs-up": lambda r, m, good: _hang_up(),
}


def _hang_up() -> Any:
    raise ConnectionError("the answer never arrives")


def rows(world: World, sql: str) -> list[Any]:
    with world.database.maintenance.engine.connect() as connection:
        return list(connection.execute(text(sql)))


def in_order(store: Receiver) -> bool:
    """Each person's versions rise, each has one effect, and the messages' numbers have no hole."""
    told: dict[str, list[int]] = {}
    for value, version, _ in store.effects:
        told.setdefault(value, []).append(version)
    return all(before < after for versions in told.values() for before, after in pairwise(versions))


def work(world: World, sender: Sender, most: int = 60) -> None:
    """Step as long as there is something to do now."""
    while world.sequence():
        pass
    for _ in range(most):
        if sender.step() in (Step.IDLE, Step.WAITING, Step.FAILED):
            return


def test_a_store_away_for_seven_days(world: World, platform: Receiver) -> None:
    """SUB-07, I1 to I3: seven days of silence by the clock, decisions all the while. Nothing expires and nothing is
    parked, the other store is told at once, the lag is counted; back again it is told all, in order, once."""
    other = world.add(TEMPUS)
    people = [person(world.database, number) for number in range(4)]
    stores = list(world.stores.values())
    away, near = world.sender("cancerlinq"), world.sender("tempus")
    owed, calendar = Owed(world.database.worker), Calendar(world.database.worker)
    platform.misbehave = lambda *_: _hang_up()
    answer = Answer.YES
    for _ in range(WEEK // (12 * HOURS)):
        answer = Answer.NO if answer is Answer.YES else Answer.YES
        for who in people:
            world.press(who, answer=answer)
        work(world, near)
        work(world, away)
        calendar.look(world.clock())
        world.clock.tick(12 * HOURS)
    decided = len(people) * (WEEK // (12 * HOURS))
    owed.look(stores, world.clock())
    assert len(other.effects) == decided, "the other store waited for nobody"
    assert platform.effects == []
    (late,) = rows(world, "SELECT waiting, overdue, parked FROM store_channel WHERE store_id = 'cancerlinq'")
    assert (late.waiting, late.overdue, late.parked) == (decided, decided, 0)
    platform.misbehave = None
    world.drain("cancerlinq")
    assert sorted(platform.effects) == sorted(other.effects)
    assert in_order(platform)
    assert set(platform.answers().values()) == {answer.value}
    assert rows(world, "SELECT 1 FROM parked_item") == []
    owed.look(stores, world.clock())
    assert rows(world, "SELECT 1 FROM store_channel WHERE waiting > 0") == []


def test_bad_stores_cost_the_others_nothing(world: World) -> None:
    """SUB-07, threats 29: seven stores that are down or lie in their own ways, and one that is well, which is told all
    the while; each bad one that behaves again has everything, in order, once, with nothing parked."""
    people = [person(world.database, number) for number in range(6)]
    well = world.add(replace(TEMPUS, id="well"))
    bad = {name: world.add(replace(TEMPUS, id=name)) for name in BAD}
    for name, receiver in bad.items():
        receiver.misbehave = _misbehaving(receiver, BAD[name])
    senders = {name: world.sender(name) for name in bad}
    told = world.sender("well")
    for turn in range(2):
        for who in people:
            world.press(who, answer=Answer.NO if turn % 2 == 0 else Answer.YES)
        for sender in senders.values():
            work(world, sender, most=3)
        work(world, told)
        assert len(well.effects) == (turn + 1) * len(people)
        world.clock.tick(120)
    assert rows(world, "SELECT 1 FROM parked_item") == []
    behind = rows(world, "SELECT store_id, failures FROM store_cursor WHERE store_id <> 'well' AND position = 0")
    assert {row.store_id for row in behind if row.failures >= 2} == set(BAD)
    for name, receiver in bad.items():
        receiver.misbehave = None
        world.drain(name)
        assert sorted(receiver.effects) == sorted(well.effects), name
        assert in_order(receiver)
    assert rows(world, "SELECT 1 FROM parked_item") == []


def _misbehaving(receiver: Receiver, how: Misbehaves) -> Callable[[str, Any, Any], Any]:
    def misbehave(message: str, _events: Any, good: Any) -> Any:
        return how(receiver, message, good if good[0] else receiver.answer(message, []))

    return misbehave
