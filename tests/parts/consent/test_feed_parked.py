"""What costs one person at one store, and nobody else: a name that cannot be opened, an item set aside, two names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from consent.decision import Answer
from consent.feed.sender import NAME_UNREADABLE, Step
from consent.person_identity import add_alias
from consent.status import Progress
from tests.parts.consent.conftest import World
from tests.parts.consent.people import mrn, person
from tests.parts.consent.receiver import Receiver
from tests.parts.consent.test_status import status


def rows(world: World, sql: str, **bound: Any) -> list[Any]:
    with world.database.maintenance.engine.connect() as connection:
        return list(connection.execute(text(sql), bound))


def change(world: World, sql: str, **bound: Any) -> None:
    with world.database.maintenance.engine.begin() as connection:
        connection.execute(text(sql), bound)


def spoil(world: World, who: UUID) -> bytes:
    """Make the person's name unreadable; returns what it was."""
    (row,) = rows(world, "SELECT value_sealed FROM person_alias WHERE person_id = :who", who=who)
    change(world, "UPDATE person_alias SET value_sealed = '\\x00' WHERE person_id = :who", who=who)
    return bytes(row.value_sealed)


def tasks(world: World) -> list[tuple[str, bool]]:
    found = rows(world, "SELECT kind, closed_at FROM staff_task ORDER BY opened_at, kind")
    return [(row.kind, row.closed_at is not None) for row in found]


def test_a_name_that_cannot_be_opened_costs_its_person_only(world: World, platform: Receiver) -> None:
    """SUB-07, threats 29: it is parked unsent with one task and a loud log; the others go on; mended, it is told."""
    people = [person(world.database, number) for number in range(5)]
    good = spoil(world, people[2])
    for who in people:
        world.press(who)
    with structlog.testing.capture_logs() as logs:
        steps = world.drain("cancerlinq")
        world.clock.tick(5)
        world.drain("cancerlinq")
    assert Step.PARKED in steps
    assert platform.answers() == {f"MRN-{number}": "no" for number in (0, 1, 3, 4)}
    assert [numbers for _, numbers in platform.heard] == [(1, 2), (4, 5)], "it keeps its number"
    assert all(entry["log_level"] == "error" for entry in logs if entry.get("reason") == NAME_UNREADABLE)
    assert sum(entry["event"] == "feed.parked" for entry in logs) == 1
    assert tasks(world) == [("store-parked", False)]
    assert status(world, people[2])["cancerlinq"].progress is Progress.WITH_STAFF
    change(world, "UPDATE person_alias SET value_sealed = :good WHERE person_id = :who", good=good, who=people[2])
    world.clock.tick(3600)
    world.drain("cancerlinq")
    assert platform.answers()["MRN-2"] == "no"
    assert platform.heard[-1][1] == (3,)
    assert tasks(world) == [("store-parked", True)]
    assert status(world, people[2])["cancerlinq"].progress is Progress.CONFIRMED


def test_a_name_that_breaks_while_its_batch_waits(world: World, platform: Receiver) -> None:
    """SUB-07: made readable, spoilt before the next try: the batch is cut before it, and goes on after it."""
    people = [person(world.database, number) for number in range(4)]
    for who in people:
        world.press(who)
    world.sequence()
    platform.misbehave = lambda *_: (503, {}, b"")
    assert world.sender("cancerlinq").step() is Step.FAILED
    spoil(world, people[1])
    spoil(world, people[2])
    platform.misbehave = None
    world.clock.tick(5)
    assert world.drain("cancerlinq").count(Step.PARKED) == 2
    assert platform.answers() == {"MRN-0": "no", "MRN-3": "no"}
    assert platform.heard[-1][1] == (4,)
    assert rows(world, "SELECT event_number FROM store_cursor")[0][0] == 4


def test_a_task_for_a_parked_item_opens_once_and_closes(world: World, platform: Receiver) -> None:
    """Decisions (Order and position): parked, named to a human once however often it fails, closed when taken."""
    rosa, ben = person(world.database, 1), person(world.database, 2)
    platform.misbehave = lambda _, events, good: (500, {}, b"") if any(e.value == "MRN-1" for e in events) else None
    world.press(rosa)
    world.press(ben)
    for _ in range(4):
        world.drain("cancerlinq")
        world.clock.tick(300)
    assert tasks(world) == [("store-parked", False)]
    assert rows(world, "SELECT attempts FROM parked_item")[0].attempts >= 4
    platform.misbehave = None
    world.clock.tick(300)
    world.drain("cancerlinq")
    assert tasks(world) == [("store-parked", True)]


def test_two_record_numbers_at_one_store(world: World, platform: Receiver) -> None:
    """I7: confirmed only when the decision is in force under each name; the worst state stands."""
    rosa = person(world.database, 1)
    add_alias(world.database.web, world.database.keyring, rosa, mrn("second"), world.clock())

    def second_unknown(message: str, events: list[Any], good: Any) -> Any:
        if not good[0] or not events:
            return None
        receipts = [
            {"event": e.number, "version": e.version, "state": "not_found" if e.value == "MRN-second" else "applied"}
            for e in events
        ]
        return platform.answer(message, receipts)

    platform.misbehave = second_unknown
    world.press(rosa)
    world.drain("cancerlinq")
    assert [numbers for _, numbers in platform.heard] == [(1, 2)]
    assert status(world, rosa)["cancerlinq"].progress is Progress.WITH_STAFF
    assert [row.event_number for row in rows(world, "SELECT event_number FROM unconfirmed_event")] == [2]
    platform.misbehave = None
    world.press(rosa, answer=Answer.YES)
    world.drain("cancerlinq")
    assert status(world, rosa)["cancerlinq"].progress is Progress.CONFIRMED
    assert rows(world, "SELECT 1 FROM unconfirmed_event") == [], "a newer version confirmed ends the wait for the old"
