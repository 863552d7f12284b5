"""The storm in small: the same harness, killer and checker as `make crash`, on a smaller world."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.crash.harness import Storm, run
from tests.crash.killer import Killer, NotOurs, plan
from tests.crash.report import as_markdown
from tests.crash.stores import STORES

SMALL = Storm(
    kills=6, decisions=60, seed=48, people=3, second_devices=1, hands=4, hospitals=("riverside",), plants=False,
    stores=tuple(store for store in STORES if store.id in ("cancerlinq", "living-well")),
)  # fmt: skip


def test_small_storm_loses_nothing(tmp_path: Path) -> None:
    """I1 to I5, threats 5 (kill -9 at random): 6 kills, the postmaster among them, during 60 decisions."""
    outcome = run(SMALL, tmp_path)
    assert outcome.passed, as_markdown(outcome)
    assert sum(outcome.killed.values()) == SMALL.kills
    assert outcome.killed["postmaster"] >= 1
    assert len(outcome.killed) >= 3, "web, feed or worker, and PostgreSQL"
    assert outcome.verdict.of["lost"] >= SMALL.decisions // 2
    assert not any(status.startswith("4") for status in outcome.statuses), outcome.statuses
    assert outcome.statuses["500"] == 0, "a crash is answered with 503 or not at all"


@pytest.mark.parametrize("seed", range(20))
def test_a_tenth_of_the_kills_is_the_postmaster(seed: int) -> None:
    """Threats 5 (kill -9 at random): at least a tenth of the kills; the same seed gives the same plan."""
    victims = plan(random.Random(seed), 100)
    assert len(victims) == 100
    assert Counter(victims)["postmaster"] >= 10
    assert victims == plan(random.Random(seed), 100)


def test_killer_signals_nothing_that_it_did_not_start() -> None:
    """Threats 5 (rules for figures): a process whose command line is another is left alone."""
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        part = SimpleNamespace(pid=lambda: bystander.pid, command=[sys.executable, "-m", "patient_portal", "feed"])
        killer = Killer(cast("Any", SimpleNamespace(parts={"feed": part}, server=None)))
        with pytest.raises(NotOurs):
            killer.kill("feed")
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")
