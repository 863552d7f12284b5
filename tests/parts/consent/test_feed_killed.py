"""kill -9 of the feed while people decide: the checker reads the presses' log and the store's contents only."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from consent.decision import Answer
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Clock, Receiver
from tests.pure.consent.stores import CANCERLINQ_STORE

KILLS = 6
DECISIONS = 120


def losses(pressed: dict[str, list[tuple[int, str]]], store: Receiver) -> list[str]:
    """What the store has wrong: lost, doubled, out of order, or not the newest. Empty when all is well."""
    wrong = []
    for who, decisions in pressed.items():
        acted = [(version, answer) for value, version, answer in store.effects if value == who]
        if acted != sorted(set(acted)):
            wrong.append(f"{who}: doubled or out of order")
        if set(acted) != set(decisions):
            wrong.append(f"{who}: lost, or never decided")
    return wrong


def test_killed_feed_loses_nothing(world: World, tmp_path: Path) -> None:
    """SUB-07, I1, I2, I3: 6 kills -9 during 120 decisions: 0 lost, 0 doubled, 0 reordered."""
    chance = random.Random(7)
    ring = tmp_path / "keys.json"
    world.database.keyring.save(ring)
    real = world.clock = _RealClock()
    store = Receiver("cancerlinq", CANCERLINQ_STORE.secrets[0], real)
    world.receivers["cancerlinq"] = store
    people = [person(world.database, number) for number in range(8)]
    pressed: dict[str, list[tuple[int, str]]] = {}
    command = [sys.executable, "-m", "tests.parts.consent.feed_process", world.database.urls.worker, str(ring)]
    child = subprocess.Popen([*command, store.endpoint], stdout=subprocess.DEVNULL)
    try:
        for number in range(DECISIONS):
            index = chance.randrange(len(people))
            made = world.press(people[index], answer=chance.choice(list(Answer))).decisions
            pressed.setdefault(f"MRN-{index}", []).extend((d.version, d.answer.value) for d in made)
            if number % (DECISIONS // KILLS) == DECISIONS // KILLS - 1:
                time.sleep(chance.random() * 0.6)
                child.kill()
                child.wait()
                child = subprocess.Popen([*command, store.endpoint], stdout=subprocess.DEVNULL)
        pressed = {who: decisions for who, decisions in pressed.items() if decisions}
        deadline = time.monotonic() + 120  # only a bound: a loaded machine starts a process slowly
        while losses(pressed, store) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
    assert losses(pressed, store) == []
    _planted_faults_are_found(pressed, store)


def _planted_faults_are_found(pressed: dict[str, list[tuple[int, str]]], store: Receiver) -> None:
    """The checker itself: a loss, a double and a swap are each caught."""
    good = list(store.effects)
    for bad in (good[:-1], [*good, good[0]], [good[-1], *good[:-1]]):
        store.effects = bad
        assert losses(pressed, store) or bad == good


class _RealClock(Clock):
    """The child has its own clock, so the store must live in real time."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)
