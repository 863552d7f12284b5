"""The loop that delivers, as the feed process runs it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from consent.store_config import Store
from patient_portal.choices.donating import record_came_in, start_deliveries
from tests.parts.research.conftest import World
from tests.support.portal import Portal


def test_the_loop_delivers_and_stops_when_told(portal: Portal, world: World, living_well: Store) -> None:
    """X-08: a yes is on its way by itself, and the loop ends when told."""
    settings = replace(portal.worker.settings, stores=(living_well,))
    wiring = replace(portal.worker, settings=settings, http=world.http())
    stop = threading.Event()
    thread = start_deliveries(wiring, stop)
    try:
        who = world.donor(1)
        world.give(who)
        ends = time.monotonic() + 30
        while world.rows(who, "state") != [("delivered",)] and time.monotonic() < ends:
            time.sleep(0.1)
        record_came_in(wiring, who)
        assert world.rows(who, "state, resource_count") == [("delivered", len(world.held()))]
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
