"""The feed against the sandbox's own stores, which share no code with it: they obey, and keep removed people out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent.decision import Answer, donation_to
from consent.feed.run import note_stores
from consent.store_config import Store, Transport
from sandbox.store.config import StoreConfig
from sandbox.store.hospital_feed import FedPerson
from sandbox.store.server import RunningStore, start
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.pure.consent.stores import CANCERLINQ_STORE, EARLY_SIGNS_STORE, SECRET

Start = Callable[..., RunningStore]


def fed() -> list[FedPerson]:
    entries = tuple({"resourceType": "Condition", "id": f"c-{number}"} for number in range(3))
    return [FedPerson("riverside", RIVERSIDE, f"MRN-{number}", f"Person {number}", entries) for number in (1, 2)]


@pytest.fixture
def sandbox(world: World, tmp_path: Path) -> Iterator[Start]:
    running = []

    def run(template: Store, **values: Any) -> RunningStore:
        config = StoreConfig(id=template.id, name=template.name, secrets=(SECRET,), state_dir=tmp_path, **values)
        made = start(config, fed)
        running.append(made)
        world.stores[template.id] = replace(template, endpoint=made.endpoint)
        note_stores(world.database.worker, [world.stores[template.id]], world.clock())
        return made

    yield run
    for made in running:
        made.stop()


@pytest.mark.parametrize("transport", list(Transport))
def test_platform_removes_and_keeps_out(world: World, sandbox: Start, transport: Transport) -> None:
    """I1, decisions (re-ingest rule): what the store holds is gone for the one who opted out, and for no other."""
    store = sandbox(replace(CANCERLINQ_STORE, transport=transport), role="holder")
    rosa, ben = person(world.database, 1), person(world.database, 2)
    world.press(rosa)
    world.drain("cancerlinq")
    receipt = _kept(world)
    assert (receipt["state"], receipt["removed"], receipt["keeps"]) == ("applied", 3, "suppression-key")
    assert len(store.memory.rows("SELECT * FROM suppressed")) == 1
    world.press(rosa, answer=Answer.YES)
    world.press(ben)
    world.drain("cancerlinq")
    assert len(store.memory.rows("SELECT * FROM suppressed")) == 1, "Rosa may come back, Ben is out"


@pytest.mark.parametrize("transport", list(Transport))
def test_effort_obeys_yes_and_the_opt_out(world: World, sandbox: Start, transport: Transport) -> None:
    """X-05, CON-06: a donation with sensitive classes off is a yes there; the CancerLinQ opt-out ends it."""
    store = sandbox(replace(EARLY_SIGNS_STORE, transport=transport), role="effort", effort="early-signs", hospitals=())
    rosa = person(world.database, 1)
    world.press(rosa, donation_to("early-signs"), Answer.YES)
    world.press(rosa)
    world.drain("early-signs")
    answers = [row["answer"] for row in store.memory.rows("SELECT answer FROM effect ORDER BY event")]
    assert answers == ["yes", "no"]


def _kept(world: World) -> dict[str, Any]:
    """What the one batch's receipts all say."""
    with world.database.maintenance.engine.connect() as connection:
        (row,) = connection.exec_driver_sql("SELECT detail FROM receipt").all()
    found: dict[str, Any] = row.detail["each"]
    return found
