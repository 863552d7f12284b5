"""A store paused by hand: nothing is sent, nothing is lost, no release meanwhile, and who did it stays."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from consent.donors import store_lags
from consent.feed.pause import open_pause, pause, resume
from consent.feed.sender import Step
from database.context import as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import CANCERLINQ_STORE
from vocabulary.errors import Conflict


def lags(world: World) -> bool:
    with world.database.worker.begin(as_propagation()) as session:
        return store_lags(session, "cancerlinq", world.clock(), CANCERLINQ_STORE.deadline)


def test_a_paused_store_waits_and_catches_up(world: World, platform: Receiver) -> None:
    """SUB-07, SUB-10: no message and no release while it is paused; after it all in order, and two audit lines."""
    store = world.stores["cancerlinq"]
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    with world.database.worker.begin(as_propagation()) as session:
        pause(session, store, "dana", "they move house", world.clock())
    world.press(person(world.database, 2))
    world.sequence()
    assert [world.sender("cancerlinq").step() for _ in range(2)] == [Step.PAUSED, Step.PAUSED]
    assert platform.answers() == {"MRN-1": "no"}
    assert lags(world)
    with world.database.worker.begin(as_propagation()) as session:
        assert open_pause(session, "cancerlinq").who == "dana"  # type: ignore[union-attr]  # None would fail here
        with pytest.raises(Conflict):
            pause(session, store, "eve", "again", world.clock())
        resume(session, store, "sam", world.clock())
        with pytest.raises(Conflict):
            resume(session, store, "sam", world.clock())
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-1": "no", "MRN-2": "no"}
    assert not lags(world)
    with world.database.maintenance.engine.connect() as connection:
        rows = connection.execute(text("SELECT event, actor_reference FROM audit_event WHERE event LIKE 'store.%'"))
        assert [tuple(row) for row in rows] == [("store.paused", "dana"), ("store.resumed", "sam")]


def test_nothing_to_tell_after_a_pause_still_ends_the_error(world: World, platform: Receiver) -> None:
    """SUB-10: a heartbeat follows a pause at once, so that a release need not wait an hour for it."""
    world.drain("cancerlinq")
    with world.database.worker.begin(as_propagation()) as session:
        pause(session, world.stores["cancerlinq"], "dana", "they move house", world.clock())
        resume(session, world.stores["cancerlinq"], "dana", world.clock())
    assert lags(world)
    world.drain("cancerlinq")
    assert platform.greetings[-1][0] == "heartbeat"
    assert not lags(world)
