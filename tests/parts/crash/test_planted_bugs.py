"""The checker against the real product with a bug planted in it: each must be found, from logs and stores alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent import record_decision
from consent.decision import CANCERLINQ, Answer, Decision, donation_to
from consent.feed import batches, read_events
from consent.feed.read_events import Told
from consent.store_config import Store
from sandbox.store import obey, receiving
from sandbox.store.config import StoreConfig
from sandbox.store.memory import Memory
from sandbox.store.wire import Event
from tests.crash.rig import Rig, rig_of
from tests.crash.rules import check
from tests.parts.consent.people import person
from tests.support.postgres import TestDatabase

Patch = pytest.MonkeyPatch


@pytest.fixture
def rig(database: TestDatabase, tmp_path: Path) -> Iterator[Rig]:
    with rig_of(database, tmp_path) as made:
        yield made


def _telling(patch: Patch, change: Callable[[list[Told]], list[Told]]) -> None:
    """Senders whose read of the ledger is changed."""
    true = read_events.read_events
    patch.setattr(batches, "read_events", lambda *given: change(true(*given)))


def skips_one(patch: Patch) -> None:
    """As a poll by the highest id does, when a lower one commits later."""
    _telling(patch, lambda told: [item for item in told if item.decision.version != 2])


def newest_first(patch: Patch) -> None:
    _telling(patch, lambda told: list(reversed(told)))


def wrong_person(patch: Patch) -> None:
    def swap(told: list[Told]) -> list[Told]:
        names = {item.value for item in told}
        other = {name: next(iter(names - {name}), name) for name in names}
        return [replace(item, value=other[item.value]) for item in told]

    _telling(patch, swap)


def other_answer(patch: Patch) -> None:
    def turned(_store: Store, decision: Decision) -> Answer:
        return Answer.YES if decision.version == 3 else decision.answer

    patch.setattr(read_events, "told_answer", turned)


def acknowledged_before_commit(patch: Patch) -> None:
    true = record_decision.insert_decisions

    def lose_the_third(session: Any, made: Sequence[Decision], event: str) -> None:
        if made[0].version != 3:
            true(session, made, event)

    patch.setattr(record_decision, "insert_decisions", lose_the_third)


def form_forgotten(patch: Patch) -> None:
    """No look at the form's key and no rule against saying the same again: a retry is a second decision."""
    patch.setattr(record_decision, "first_result", lambda *_: ())
    patch.setattr(record_decision, "subjects_to_record", lambda asked, *_: (asked.subject,))
    true = record_decision.decision_from
    key = iter(range(10_000))

    def fresh(ring: Any, asked: Any, *more: Any) -> Decision:
        return replace(true(ring, asked, *more), idempotency_key=f"key-{next(key)}/x")

    patch.setattr(record_decision, "decision_from", fresh)


def store_forgets(patch: Patch) -> None:
    def forget(config: StoreConfig, memory: Memory, event: Event) -> dict[str, Any]:
        if event.version == 2:
            return obey._receipt(config, event, "applied")
        return obey.obey(config, memory, event)

    patch.setattr(receiving, "obey", forget)


def effect_twice(patch: Patch) -> None:
    """A store that looks at no version, and a sender that numbers and sends one batch again."""

    def again(config: StoreConfig, memory: Memory, event: Event) -> dict[str, Any]:
        obey.obey(config, memory, event)
        memory.run("DELETE FROM standing")
        return obey.obey(config, memory, event)

    patch.setattr(receiving, "obey", again)


PLANTED: dict[Callable[[Patch], None], str] = {
    skips_one: "lost",
    newest_first: "lost",
    wrong_person: "phantom",
    other_answer: "altered",
    acknowledged_before_commit: "lost",
    form_forgotten: "second-answer",
    store_forgets: "lost",
    effect_twice: "doubled",
}


def _live(rig: Rig) -> None:
    """Rosa out, in, out; Ben the same, once more, and a donation; told in two batches."""
    rosa, ben = person(rig.database, "rosa"), person(rig.database, "ben")
    for answer in (Answer.NO, Answer.YES):
        rig.press(rosa, "MRN-rosa", CANCERLINQ, answer)
        rig.press(ben, "MRN-ben", CANCERLINQ, answer)
    rig.drain()
    rig.press(rosa, "MRN-rosa", CANCERLINQ, Answer.NO)
    rig.press(ben, "MRN-ben", CANCERLINQ, Answer.NO)
    rig.press(ben, "MRN-ben", donation_to("living-well"), Answer.YES)
    rig.press(ben, "MRN-ben", CANCERLINQ, Answer.YES)
    rig.drain()
    rig.late_receipts()


def test_true_product_passes(rig: Rig) -> None:
    """I1 to I5: the same life without a planted bug, and nothing is found in 15 effects due."""
    _live(rig)
    verdict = check(rig.evidence())
    assert verdict.violations == []
    assert verdict.of["lost"] == 15


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_each_planted_bug_is_found(rig: Rig, monkeypatch: Patch, bug: Callable[[Patch], None]) -> None:
    """Threats 5 (rules for figures): a build with a guard removed fails the checker, which reads no database."""
    bug(monkeypatch)
    _live(rig)
    found = {violation.kind for violation in check(rig.evidence()).violations}
    assert PLANTED[bug] in found, found
