"""Donating, composed: the loop that delivers, and the call that says a record came in anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog

from consent.feed.lease import Leases
from consent.store_config import Store
from patient_portal.wiring import Wiring, now
from research.deliver import Courier, deliver_to
from research.due import catch_up, record_changed, takes_donations
from vocabulary.errors import Unavailable

log = structlog.get_logger()

LOOK_EVERY = 1.0
CATCH_UP_EVERY = 300.0


def run_deliveries(wiring: Wiring, stop_event: threading.Event) -> None:
    """Deliver donated data until `stop_event` is set; `wiring` has the worker's login.

    One thread for each effort's store, so that a slow store holds up no other; among any number of processes one
    works for a store at a time.
    """
    leases = Leases(wiring.database)
    stores = [store for store in wiring.settings.stores if takes_donations(store)]
    loops: list[tuple[str, Callable[[], int], float]] = [
        (store.id, partial(_deliver, wiring, leases, store), LOOK_EVERY) for store in stores
    ]
    loops.append(("catch-up", lambda: catch_up(wiring.database, now()), CATCH_UP_EVERY))
    threads = [threading.Thread(target=_loop, args=(*loop, stop_event), name=f"donations-{loop[0]}") for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leases.close()


def start_deliveries(wiring: Wiring, stop_event: threading.Event) -> threading.Thread:
    """`run_deliveries` beside something else; join the thread after setting `stop_event`."""
    thread = threading.Thread(target=run_deliveries, args=(wiring, stop_event), name="donations")
    thread.start()
    return thread


def record_came_in(wiring: Wiring, person: UUID) -> None:
    """Called after a retrieval finished: what changed goes to the efforts that the person shares with."""
    record_changed(wiring.database, person, now())


def _deliver(wiring: Wiring, leases: Leases, store: Store) -> int:
    if not leases.hold(f"donations/{store.id}"):
        return 0
    return deliver_to(Courier(wiring.database, wiring.keyring, wiring.http, now), store)


def _loop(name: str, work: Callable[[], int], rest_seconds: float, stop: threading.Event) -> None:
    """Call `work` again and again; an error is logged, never the end."""
    while not stop.is_set():
        try:
            work()
        except Unavailable:
            log.warning("donations.database-unavailable", loop=name)
        except Exception as error:  # noqa: BLE001 - a loop that dies silently would lose every later donation
            log.error("donations.loop-failed", loop=name, error=type(error).__name__)  # noqa: TRY400 - traces name people
        stop.wait(rest_seconds)
