"""What may be spent on texts, and the pace of a campaign."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifications.budget import Budget, ceilings, held_by
from notifications.campaign_release import allowance

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
BUDGET = Budget(number_day=5, person_day=6, prefix_day=60, day=500, month=2_000)


def test_ten_thousand_asked_for_over_a_thousand_numbers() -> None:
    """Abuse 14: 10,000 texts to 1,000 numbers of 20 prefixes in three days: every ceiling holds, and what is essential
    always goes."""
    counted: dict[tuple[str, datetime], int] = {}
    sent: dict[str, int] = {}
    luck, essential = random.Random(14), 0
    for turn in range(10_000):
        now = NOW + timedelta(seconds=turn * 25)
        number = (
            f"+1617555{luck.randrange(1_000):04d}" if luck.random() < 0.5 else f"+12{luck.randrange(20):02d}5550100"
        )
        must = turn % 100 == 0
        checked = ceilings(BUDGET, number=number, person=number)
        keys = [(one.subject, one.ends(now)) for one in checked]
        reached = [counted.get(key, 0) + 1 for key in keys]
        held = held_by(checked, reached)
        assert held is None or held.ends(now) > now
        if held is None or must:
            essential += must
            for key, count in zip(keys, reached, strict=True):
                counted[key] = count
            sent[f"{now:%j}"] = sent.get(f"{now:%j}", 0) + 1
    assert essential == 100
    assert all(count <= BUDGET.day + 100 for (subject, _), count in counted.items() if subject == "all:day")
    assert all(count <= BUDGET.prefix_day + 100 for (subject, _), count in counted.items() if "prefix" in subject)
    assert max(counted[key] for key in counted if key[0] == "all:day") >= BUDGET.day / 20
    assert sum(sent.values()) < 2_000


@given(looks=st.lists(st.floats(0, 30), min_size=1, max_size=60), per_second=st.sampled_from([1, 2, 7, 100]))
def test_the_pace_is_never_passed(looks: list[float], per_second: int) -> None:
    """Issue 5: however often anyone looks, no more than the pace and one burst of five seconds leaves; none is lost to
    looking often."""
    paced, released, now = NOW, 0, NOW
    for wait in looks:
        now += timedelta(seconds=wait)
        count, paced = allowance(paced, now, per_second)
        assert 0 <= count <= 5 * per_second
        assert paced <= now + timedelta(microseconds=1)
        released += count
    assert released <= (now - NOW).total_seconds() * per_second + 1e-3
    if all(wait <= 4 for wait in looks):
        assert released >= (now - NOW).total_seconds() * per_second - 1 - 1e-3 * len(looks)


def test_a_clock_set_back_releases_nothing() -> None:
    """Issue 5: hours may come twice; then nothing leaves until the clock has caught up."""
    assert allowance(NOW, NOW - timedelta(hours=1), 10)[0] == 0
