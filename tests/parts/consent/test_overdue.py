"""What each store owes, in counts: for the operator's page and the mails to its contact."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from consent.decision import Answer, donation_to
from consent.late_receipts import accept_late_receipts
from consent.overdue import Owed, StoreStanding, store_standings
from consent.store_digests import Digest, claim_digests, take_digest
from consent.wire_signature import sign
from database.context import as_nobody, as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import DISCOVERY, LIVING_WELL_STORE, SECRET

LATE = 15 * 60 + 1


def standings(world: World, owed: Owed | None = None) -> dict[str, StoreStanding]:
    (owed or Owed(world.database.worker)).look(list(world.stores.values()), world.clock())
    with world.database.web.begin(as_nobody()) as session:
        return {found.store_id: found for found in store_standings(session)}


def counts(found: StoreStanding) -> tuple[int, int, int]:
    return found.waiting, found.overdue, found.parked


def claim(world: World) -> list[str]:
    with world.database.worker.begin(as_propagation()) as session:
        return list(claim_digests(session, world.clock()))


def take(world: World) -> Digest | None:
    with world.database.worker.begin(as_propagation()) as session:
        return take_digest(session, world.clock())


def test_waiting_then_overdue_then_settled(world: World, platform: Receiver) -> None:
    """SUB-08: what a silent store was not told counts, and only its own people do; an answer settles it."""
    effort = world.add(LIVING_WELL_STORE)
    began = world.clock()
    people = [person(world.database, number) for number in range(3)]
    for who in people:
        world.press(who)
    world.press(person(world.database, 9, "hilltop"))
    world.sequence()
    found = standings(world)
    assert counts(found["cancerlinq"]) == (3, 0, 0)
    assert counts(found["living-well"]) == (0, 0, 0)
    world.clock.tick(LATE)
    world.press(people[0], answer=Answer.YES)
    world.press(people[1], donation_to("living-well"), Answer.YES)
    world.sequence()
    found = standings(world)
    assert counts(found["cancerlinq"]) == (4, 3, 0)
    assert found["cancerlinq"].oldest_due_at == began + world.stores["cancerlinq"].deadline
    assert counts(found["living-well"]) == (1, 0, 0)
    assert list(found) == ["cancerlinq", "living-well"], "the longest overdue comes first"
    for store in world.stores:
        world.drain(store)
    found = standings(world)
    assert {counts(one) for one in found.values()} == {(0, 0, 0)}
    assert found["cancerlinq"].oldest_due_at is None
    assert (found["cancerlinq"].state, found["cancerlinq"].heard_at) == ("active", world.clock())
    assert effort.answers()


def test_a_promise_is_owed_until_it_is_kept(world: World) -> None:
    """SUB-08: `accepted` counts until the store's own later receipt, which the next look finds."""
    store = world.add(DISCOVERY)
    store.state = "accepted"
    for number in range(2):
        world.press(person(world.database, number))
    world.drain("discovery")
    world.clock.tick(LATE)
    owed = Owed(world.database.worker)
    assert counts(standings(world, owed)["discovery"]) == (2, 2, 0)
    for event in (1, 2):
        body = orjson.dumps(
            {"store": "discovery", "receipts": [{"event": event, "version": 1, "state": "applied", "removed": 0}]}
        )
        headers = sign([SECRET], f"late-{event}", body, world.clock())
        stores = list(world.stores.values())
        accept_late_receipts(world.database.web, stores, "discovery", headers, body, world.clock())
        assert counts(standings(world, owed)["discovery"])[0] == 2 - event


def test_parked_and_refused_are_owed(world: World, platform: Receiver) -> None:
    """SUB-08: what was set aside and what a store could not place is not confirmed, and counts."""

    def choke(message: str, events: list[Any], good: Any) -> Any:
        if any(event.value == "MRN-0" for event in events):
            return (500, {}, b"")
        if good[0] and any(event.value == "MRN-1" for event in events):
            return platform.answer(
                message, [{"event": e.number, "version": e.version, "state": "not_found"} for e in events]
            )
        return None

    platform.misbehave = choke
    for number in range(2):
        world.press(person(world.database, number))
    world.drain("cancerlinq")
    world.clock.tick(LATE)
    assert counts(standings(world)["cancerlinq"]) == (2, 2, 1)
    platform.misbehave = None
    world.drain("cancerlinq")
    assert counts(standings(world)["cancerlinq"]) == (1, 1, 0)


def test_a_mail_is_claimed_once_and_says_which_events(world: World, platform: Receiver) -> None:
    """SUB-08: one mail waits for a store; event numbers as runs; over once everything is confirmed."""
    for number in range(4):
        world.press(person(world.database, number))
    world.sequence()
    standings(world)
    assert claim(world) == [], "nothing is overdue"
    platform.misbehave = lambda message, events, good: platform.answer(
        message,
        [
            {"event": e.number, "version": e.version, "state": "accepted" if e.number != 2 else "applied"}
            for e in events
        ],
    )
    world.drain("cancerlinq")
    platform.misbehave = lambda *_: (503, {}, b"")
    world.press(person(world.database, 8))
    world.sequence()
    world.sender("cancerlinq").step()  # a batch is made and not answered
    world.press(person(world.database, 9))
    world.sequence()
    world.clock.tick(LATE)
    standings(world)
    assert (claim(world), claim(world)) == (["cancerlinq"], [])
    digest = take(world)
    assert digest is not None
    assert (digest.step, digest.tries, digest.overdue, digest.waiting) == (1, 1, 5, 5)
    assert (digest.runs, digest.left_out, digest.numbered, digest.last_event) == (((1, 1), (3, 5)), 0, 4, 4)
    assert take(world) is None, "another worker passes over it"
    world.clock.tick(600)
    again = take(world)
    assert again is not None
    assert (again.id, again.tries) == (digest.id, 2), "who took it died: once more, counted"
    platform.misbehave = None
    world.drain("cancerlinq")
    with world.database.worker.begin(as_propagation()) as session:
        session.execute(text("DELETE FROM unconfirmed_event"))
    standings(world)
    assert claim(world) == []
    world.clock.tick(600)
    assert take(world) is None, "it is over"


def test_counts_name_nobody(world: World, platform: Receiver) -> None:
    """House rule 6: what the operator and the contact read has no field in which a person could be."""
    rosa = person(world.database, 1)
    world.press(rosa)
    world.sequence()
    found = standings(world)["cancerlinq"]
    assert not any(isinstance(value, UUID) for value in vars(found).values())
    assert "MRN" not in repr(found)
