"""Events sent again to a store that lost what it had; how far each store is."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from consent.decision import Answer
from consent.feed.pause import pause
from consent.feed.progress import Progress, read_progress
from consent.feed.replay import Replayed, release_parked, replay
from consent.feed.run import adapter_for
from consent.feed.sender import Step
from database.context import as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from vocabulary.errors import Conflict, Invalid


def again(world: World, first: int, last: int | None = None) -> list[Replayed]:
    adapter = adapter_for(world.stores["cancerlinq"], world.http(), world.clock)
    ring = world.database.keyring
    return list(replay(world.database.worker, ring, adapter, first, last, "dana", world.clock()))


def progress(world: World) -> Progress:
    with world.database.worker.begin(as_propagation()) as session:
        (found,) = read_progress(session, [world.stores["cancerlinq"]])
    return found


def test_a_range_is_told_again_under_its_numbers(world: World, platform: Receiver) -> None:
    """SUB-07, SUB-09: a store that lost all has it back; the cursor stays, and the sender's next number is the next."""
    rosa = person(world.database, 1)
    world.press(rosa)
    world.press(rosa, answer=Answer.YES)
    world.press(person(world.database, 2))
    world.drain("cancerlinq")
    before, told = progress(world), platform.answers()
    platform.held.clear()
    platform.heard.clear()
    assert again(world, 1)[-1] == Replayed(3, 3, 3)
    assert again(world, 2, 2)[-1] == Replayed(1, 2, 1)
    assert again(world, 9) == []
    assert [numbers for _, numbers in platform.heard] == [(1, 2, 3), (2,)]
    assert platform.answers() == told
    assert progress(world) == before
    world.press(person(world.database, 3))
    world.drain("cancerlinq")
    assert platform.heard[-1][1] == (4,)
    with pytest.raises(Invalid):
        again(world, 3, 2)


def test_a_receipt_that_says_something_new_is_kept(world: World, platform: Receiver) -> None:
    """SUB-08: what was only accepted is confirmed by a replay; what was confirmed gets no second row."""
    platform.state = "accepted"
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    platform.state = "applied"
    again(world, 1)
    again(world, 1)
    with world.database.maintenance.engine.connect() as connection:
        states = connection.execute(text("SELECT state FROM receipt WHERE event_number = 1 ORDER BY id"))
        assert list(states.scalars()) == ["accepted", "applied"]
        assert not connection.execute(text("SELECT 1 FROM unconfirmed_event")).all()


def test_parked_items_are_released_and_a_paused_store_is_left_alone(world: World, platform: Receiver) -> None:
    """SUB-07: a parked item is tried at once when an operator says so, and is not sent by a replay; pauses hold."""
    platform.misbehave = lambda _message, events, good: good if not events else (422, {}, b"")
    world.press(person(world.database, 1))
    world.sequence()
    while world.sender("cancerlinq").step() is not Step.PARKED:
        world.clock.tick(60)
    platform.misbehave = None
    assert progress(world).parked == 1
    platform.heard.clear()
    assert again(world, 1) == [Replayed(0, 1, 0)]
    assert platform.heard == []
    with world.database.worker.begin(as_propagation()) as session:
        assert release_parked(session, world.stores["cancerlinq"], 1, None, world.clock()) == 1
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-1": "no"}
    assert progress(world).parked == 0
    with world.database.worker.begin(as_propagation()) as session:
        pause(session, world.stores["cancerlinq"], "dana", "they move house", world.clock())
    assert (progress(world).state, progress(world).why_paused) == ("paused", "they move house")
    with pytest.raises(Conflict):
        again(world, 1)
