"""The storm: people decide over HTTP while web, feed, worker and PostgreSQL are killed without warning; then checked.

`python -m tests.crash.harness --kills 100 --decisions 5000 --seed 7 --report FILE.md`. It starts and stops all that it
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
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.people import population
from sandbox.store.config import MRN_SYSTEMS
from tests.crash.browser import Browser
from tests.crash.checker import look
from tests.crash.client import CANCERLINQ, Client, Quota, Who
from tests.crash.killer import Killer, plan
from tests.crash.report import as_markdown
from tests.crash.rules import Verdict
from tests.crash.world import HOSPITALS, STORES, StorePlan, World

DRAIN_SECONDS = 300.0
STILL_LOOKS = 45


@dataclass(frozen=True)
class Storm:
    """What to do. `devices` may be more than the people: the rest are second devices of the first ones.

    `most_seconds`: a storm that takes longer is stopped and has failed.
    """

    kills: int
    decisions: int
    seed: int
    devices: int = 16
    people: int = 14
    hospitals: tuple[str, ...] = HOSPITALS
    stores: tuple[StorePlan, ...] = STORES
    most_seconds: float = 3600.0


@dataclass
class Outcome:
    """What came of it."""

    storm: Storm
    verdict: Verdict
    killed: Counter[str]
    statuses: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    acknowledged: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        wanted = self.acknowledged >= self.storm.decisions and sum(self.killed.values()) >= self.storm.kills
        return wanted and not self.verdict.violations and not self.trouble


def run(storm: Storm, folder: Path) -> Outcome:
    """Start everything in `folder`, let the storm pass, heal, drain, check, stop. Call from the main thread."""
    watch = [time.monotonic()]
    world = World.start(folder / "world", storm.stores, storm.hospitals)
    try:
        logs = folder / "logs"
        logs.mkdir()
        clients, quota = _clients(storm, world, logs)
        _prepare(clients)
        watch.append(time.monotonic())
        killer, stuck = _storm(storm, world, clients, quota)
        watch.append(time.monotonic())
        world.wait_ready()
        (folder / "stores.json").write_text(json.dumps(world.store_list()), encoding="utf-8")
        verdict = _drained(world, logs, folder / "stores.json")
        watch.append(time.monotonic())
    finally:
        world.stop()
    outcome = Outcome(storm, verdict, killer.killed, acknowledged=quota.done)
    outcome.trouble = [*stuck, *(f"{one.who.value}: {one.trouble}" for one in clients if one.trouble)]
    for one in clients:
        outcome.statuses.update(one.browser.statuses)
    names = ("start and sign-in", "storm", "heal and drain")
    outcome.seconds = {name: round(watch[i + 1] - watch[i], 1) for i, name in enumerate(names)}
    return outcome


def people_of(storm: Storm) -> list[Who]:
    found = [one for one in population() if one.hospital in storm.hospitals][: storm.people]
    return [Who(one.hospital, one.id, MRN_SYSTEMS[one.hospital], one.mrn) for one in found]


def _clients(storm: Storm, world: World, logs: Path) -> tuple[list[Client], Quota]:
    quota, people = Quota(storm.decisions), people_of(storm)
    efforts = tuple(store.subject for store in storm.stores if store.subject != CANCERLINQ)
    known = next(store.name for store in storm.stores if store.subject == CANCERLINQ)
    made = []
    for number in range(storm.devices):
        log = logs / f"device-{number:02}.jsonl"
        chance = random.Random(f"{storm.seed}/{number}")
        browser = Browser(world.web, number)
        who = people[number % len(people)]
        made.append(Client(browser, who, chance, log, efforts, known, quota.take, quota.acknowledge))
    return made, quota


def _prepare(clients: list[Client]) -> None:
    for client in clients:
        client.prepare()


def _storm(storm: Storm, world: World, clients: list[Client], quota: Quota) -> tuple[Killer, list[str]]:
    """Kills are spread over the decisions, so that each falls among people who are deciding."""
    chance, killer, stuck = random.Random(storm.seed), Killer(world), []
    victims = plan(chance, storm.kills)
    threads = [threading.Thread(target=client.run, name=client.log_file.stem, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    end, step = time.monotonic() + storm.most_seconds, storm.decisions / (storm.kills + 1)
    while any(thread.is_alive() for thread in threads):
        done = sum(killer.killed.values())
        quota.allowed = (done + 1.5) * step if victims else float("inf")
        if victims and quota.done >= (done + 0.5) * step:
            time.sleep(chance.random() * 0.3)
            if killer.kill(victims[-1]):
                victims.pop()
                time.sleep(chance.random() * 0.2)
        world.revive()
        time.sleep(0.05)
        if time.monotonic() > end:
            stuck.append(f"stopped after {storm.most_seconds:.0f} s with {quota.done} decisions")
            quota.stop()
            end += storm.most_seconds
    return killer, stuck


def _drained(world: World, logs: Path, stores: Path) -> Verdict:
    """Look until the checker finds nothing, or nothing changes any more; its last word counts."""
    end = time.monotonic() + DRAIN_SECONDS
    still, before = 0, [0]
    while True:
        world.revive()
        evidence, verdict = look(logs, stores)
        seen = [len(store.effects) for store in evidence.stores]
        still, before = (still + 1 if seen == before else 0), seen
        if not verdict.violations or still > STILL_LOOKS or time.monotonic() > end:
            return verdict
        time.sleep(1)


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m tests.crash.harness", description=__doc__)
    given.add_argument("--kills", type=int, default=100)
    given.add_argument("--decisions", type=int, default=5_000)
    given.add_argument("--seed", type=int, default=7)
    given.add_argument("--devices", type=int, default=16)
    given.add_argument("--people", type=int, default=14)
    given.add_argument("--report", type=Path)
    given.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    chosen = given.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="portal-storm-"))
    outcome = run(Storm(chosen.kills, chosen.decisions, chosen.seed, chosen.devices, chosen.people), folder)
    text = as_markdown(outcome)
    sys.stdout.write(text)
    if chosen.report:
        chosen.report.write_text(text, encoding="utf-8")
    if chosen.keep or not outcome.passed:
        sys.stderr.write(f"kept: {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
