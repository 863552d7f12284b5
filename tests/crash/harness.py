"""The storm: people decide over HTTP while web, feed, worker and PostgreSQL are killed without warning; then checked.

`python -m tests.crash.harness --size full --report FILE.md` (or quick, medium). It starts and stops all that it
needs, in a folder of its own. Exit status 0 only when the checker, which reads the people's logs and the stores'
contents and nothing else, finds nothing wrong. Linux only: it reads /proc, and people come from 127.0.0.0/8.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from tests.crash.browser import Browser, Line
from tests.crash.checker import look
from tests.crash.client import CANCERLINQ, Device, Quota, Room
from tests.crash.evidence import Evidence
from tests.crash.killer import Killer, end_what_is_left, plan
from tests.crash.people import Who, people_of
from tests.crash.planted import found_of
from tests.crash.report import as_markdown
from tests.crash.rules import Verdict
from tests.crash.stores import STORES, StorePlan
from tests.crash.world import HOSPITALS, World

DRAIN_SECONDS = 900.0
STILL_LOOKS = 45


@dataclass(frozen=True)
class Storm:
    """What to do. `second_devices`: how many of the people have two devices, in different hands; `hands`: how many
    press at the same time. `most_seconds`: a storm that takes longer is stopped and has failed. `plants`: whether
    faults are planted into its records afterwards.
    """

    kills: int
    decisions: int
    seed: int
    people: int = 14
    second_devices: int = 2
    hands: int = 12
    hospitals: tuple[str, ...] = HOSPITALS
    stores: tuple[StorePlan, ...] = STORES
    most_seconds: float = 3600.0
    plants: bool = True


@dataclass
class Outcome:
    """What came of it. `still`: seconds from each kill until the next decision was acknowledged. `planted`: faults
    planted into this storm's own records afterwards, and whether the checker named each."""

    storm: Storm
    verdict: Verdict
    killed: Counter[str]
    statuses: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    acknowledged: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    still: dict[str, list[float]] = field(default_factory=dict)
    planted: dict[str, bool] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        wanted = self.acknowledged >= self.storm.decisions and sum(self.killed.values()) >= self.storm.kills
        return wanted and not self.verdict.violations and not self.trouble and all(self.planted.values())


def run(storm: Storm, folder: Path) -> Outcome:
    """Start everything in `folder`, let the storm pass, heal, drain, check, stop. Call from the main thread."""
    watch = [time.monotonic()]
    people = people_of(storm.hospitals, storm.people, folder / "charts")
    world = World.start(folder / "world", folder / "charts", storm.stores, storm.hospitals)
    try:
        logs = folder / "logs"
        logs.mkdir()
        quota = Quota(storm.decisions)
        rooms = _rooms(storm, world, people, quota, logs)
        _prepare(storm, world, rooms)
        watch.append(time.monotonic())
        gusts = _Gusts(storm, world, quota)
        gusts.blow(rooms)
        watch.append(time.monotonic())
        world.wait_ready()
        for room in rooms:
            room.end()
        (folder / "stores.json").write_text(json.dumps(world.store_list()), encoding="utf-8")
        evidence, verdict = _drained(world, logs, folder / "stores.json")
        watch.append(time.monotonic())
    finally:
        world.stop()
        left = end_what_is_left(folder)
    outcome = Outcome(storm, verdict, gusts.killer.killed, acknowledged=quota.done, still=gusts.still)
    outcome.planted = found_of(evidence, random.Random(storm.seed)) if storm.plants else {}
    outcome.trouble = [
        *(f"left running: {line}" for line in left),
        *gusts.trouble,
        *(room.trouble for room in rooms if room.trouble),
    ]
    for room in rooms:
        outcome.statuses.update(room.line.statuses)
    names = ("start and sign-in", "storm", "heal, drain and check")
    outcome.seconds = {name: round(watch[i + 1] - watch[i], 1) for i, name in enumerate(names)}
    return outcome


def _rooms(storm: Storm, world: World, people: list[Who], quota: Quota, logs: Path) -> list[Room]:
    """Each person's device in some hand; the second devices in the hand after it, so that both may press at once."""
    efforts = tuple(store.subject for store in storm.stores if store.subject != CANCERLINQ)
    hands = min(storm.hands, len(people))
    twice = {who.patient for who in people[: storm.second_devices]}
    held: list[list[Who]] = [people[number::hands] for number in range(hands)]
    for number, who in enumerate(people[: storm.second_devices]):
        held[(number + 1) % hands].append(who)
    rooms = []
    for number, owners in enumerate(held):
        line = Line(world.web, number)
        devices = []
        for which, who in enumerate(owners):
            log, chance = logs / f"device-{number:02}-{which:03}.jsonl", random.Random(f"{storm.seed}/{number}/{which}")
            devices.append(Device(Browser(line), who, chance, log, efforts, who.patient not in twice))
        rooms.append(Room(line, devices, random.Random(f"{storm.seed}/{number}"), quota))
    return rooms


def _prepare(storm: Storm, world: World, rooms: list[Room]) -> None:
    known = next(store.name for store in storm.stores if store.subject == CANCERLINQ)
    threads = [threading.Thread(target=room.prepare, args=(known,)) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trouble = [room.trouble for room in rooms if room.trouble]
    assert not trouble, f"{trouble}; see {world.folder.path / 'logs'}"


class _Gusts:
    """Kills spread over the decisions, so that each falls among people who are deciding."""

    def __init__(self, storm: Storm, world: World, quota: Quota) -> None:
        self._storm, self._world, self._quota = storm, world, quota
        self._chance, self.killer = random.Random(storm.seed), Killer(world)
        self._victims = plan(self._chance, storm.kills)
        self._step = storm.decisions / (storm.kills + 1)
        self._last: tuple[str, float, int] | None = None
        self.trouble: list[str] = []
        self.still: dict[str, list[float]] = {}

    def blow(self, rooms: list[Room]) -> None:
        """Until everybody has decided enough, or the time is over."""
        threads = [threading.Thread(target=room.run, daemon=True) for room in rooms]
        for thread in threads:
            thread.start()
        end = time.monotonic() + self._storm.most_seconds
        while any(thread.is_alive() for thread in threads):
            self._kill()
            self._world.revive()
            self._note_next()
            time.sleep(0.02)
            if time.monotonic() > end and not self.trouble:
                self.trouble.append(f"stopped after {self._storm.most_seconds:.0f} s, {self._quota.done} decisions")
                self._quota.stop()

    def _kill(self) -> None:
        done, quota = sum(self.killer.killed.values()), self._quota
        quota.allowed = (done + 1.5) * self._step if self._victims else float("inf")
        if not self._victims or quota.done < (done + 0.5) * self._step:
            return
        time.sleep(self._chance.random() * 0.1)
        if self.killer.kill(self._victims[-1]):
            self._last = (self._victims.pop(), time.monotonic(), quota.done)
            time.sleep(self._chance.random() * 0.1)

    def _note_next(self) -> None:
        if self._last is not None and self._quota.done > self._last[2]:
            victim, at, _ = self._last
            self.still.setdefault(victim, []).append(time.monotonic() - at)
            self._last = None


def _drained(world: World, logs: Path, stores: Path) -> tuple[Evidence, Verdict]:
    """Look until the checker finds nothing, or nothing changes any more; its last word counts."""
    end = time.monotonic() + DRAIN_SECONDS
    still, before = 0, [0]
    while True:
        world.revive()
        began = time.monotonic()
        evidence, verdict = look(logs, stores)
        seen = [len(store.effects) for store in evidence.stores]
        still, before = (still + 1 if seen == before else 0), seen
        if not verdict.violations or still > STILL_LOOKS or time.monotonic() > end:
            return evidence, verdict
        time.sleep(max(1.0, time.monotonic() - began))


SIZES = {
    "quick": Storm(kills=100, decisions=5_000, seed=7, people=60, second_devices=6),
    "medium": Storm(kills=100, decisions=10_000, seed=7, people=120, second_devices=12),
    "full": Storm(kills=1_000, decisions=100_000, seed=7, people=600, second_devices=60, most_seconds=7_200),
}


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m tests.crash.harness", description=__doc__)
    given.add_argument("--size", choices=SIZES, default="quick")
    for name in ("kills", "decisions", "seed", "people", "second-devices", "hands"):
        given.add_argument(f"--{name}", type=int, help="another number than the size's")
    given.add_argument("--most-seconds", type=float, help="stop a storm that takes longer, as failed")
    given.add_argument("--report", type=Path)
    given.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    chosen = vars(given.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="portal-storm-"))
    other = {each.name: chosen[each.name] for each in fields(Storm) if chosen.get(each.name) is not None}
    outcome = run(replace(SIZES[chosen["size"]], **other), folder)
    text = as_markdown(outcome)
    sys.stdout.write(text)
    if chosen["report"]:
        chosen["report"].write_text(text, encoding="utf-8")
    if chosen["keep"] or not outcome.passed:
        sys.stderr.write(f"kept: {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
