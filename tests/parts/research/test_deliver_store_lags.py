"""A store that does not hear decisions gets no donated data; what it gets stands above all that it was told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from consent.feed import channel
from consent.feed.begin_and_end import Calendar
from consent.store_config import Store
from database.context import as_propagation
from tests.parts.research.conftest import World


def set_error(world: World, store: Store) -> None:
    with world.database.worker.begin(as_propagation()) as session:
        channel.note_error(session, store, "handshake-failed", world.clock())


def test_a_store_in_error_gets_a_no_and_nothing_else(world: World, living_well: Store) -> None:
    """SUB-10: while the channel is in error a new delivery waits with its mark, and a withdrawal is told all the
    same; once the store hears again, what waited goes."""
    first, second = world.donor(1), world.donor(2, "RV-107455")
    world.give(first)
    world.tell("living-well")
    assert world.deliver() == 1
    before = len(world.held())
    set_error(world, living_well)
    world.give(second)
    assert [world.deliver(), world.deliver()] == [0, 0]
    assert (world.rows(second), len(world.held())) == ([], before)
    world.take_back(first)
    world.tell("living-well")
    assert world.held() == []
    world.clock.tick(10)
    assert world.deliver() == 1, "the feed was answered, so the channel is active again"
    assert world.rows(second) == [("delivered",)]


def test_a_store_behind_the_ledger_waits(world: World, living_well: Store) -> None:
    """SUB-10: untold for longer than the store's deadline means nothing new; a first delivery within it goes."""
    world.stores["living-well"] = replace(living_well, deadline=timedelta(seconds=30))
    first, second = world.donor(1), world.donor(2, "RV-107455")
    world.give(first)
    assert world.deliver() == 1, "nothing was told yet, and that is not yet late"
    world.clock.tick(31)
    world.give(second)
    assert world.deliver() == 0
    world.tell("living-well")
    world.clock.tick(10)
    assert world.deliver() == 1


def test_a_delivery_carries_the_highest_version_that_the_store_knows(world: World, living_well: Store) -> None:
    """SUB-09: a yes that began by the clock is known to the store under a later version than the yes itself, and the
    delivery goes under that one; between an end and the beginning that follows it, nothing goes."""
    who, soon = world.donor(1), timedelta(seconds=20)
    world.give(who, expires_at=world.clock() + soon)
    world.give(who, starts_at=world.clock() + 2 * soon)
    world.tell("living-well")
    world.clock.tick(soon.total_seconds())
    calendar = Calendar(world.database.worker)
    assert calendar.look(world.clock()) == 1, "the first yes ran out"
    world.sequence_and_tell("living-well")
    world.clock.tick(soon.total_seconds())
    assert world.deliver() == 0, "the store was told the end, and not yet the beginning"
    assert calendar.look(world.clock()) == 1
    world.sequence_and_tell("living-well")
    world.clock.tick(10)
    assert world.deliver() == 1
    assert world.rows(who, "state, decision_version") == [("delivered", 2)]
    assert kept_version(world) == 4


def kept_version(world: World) -> Any:
    (row,) = world.running["living-well"].memory.rows("SELECT version FROM manifest")
    return row["version"]
