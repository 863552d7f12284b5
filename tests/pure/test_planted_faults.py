"""The checker against faults planted into the records of a storm, here of an invented one."""

from __future__ import annotations

import random

import pytest

from tests.crash.evidence import Answered, Effect, Evidence, Form, Holding, Name, StoreSeen, Told
from tests.crash.planted import PLANTED, found_of
from tests.crash.rules import KINDS, check

EFFORT = "living-well"
PEOPLE, DECISIONS = 15, 24


def _told(name: Name, chance: random.Random) -> Told:
    told = Told(name, listed=[])
    stands: dict[str, str] = {}
    for version in range(1, DECISIONS + 1):
        subject = EFFORT if version in (2, 9) or chance.random() < 0.2 else "cancerlinq"
        answer = "no" if stands.get(subject, "no" if subject == EFFORT else "yes") == "yes" else "yes"
        stands[subject] = answer
        key = f"{name[1]}/{version}"
        told.forms[key] = Form(key, subject, answer)
        told.answered.append(Answered(key, f"decision-{key}", version, subject, answer))
    told.listed = [one.decision for one in told.answered]
    return told


def _store(store: str, subject: str, people: dict[Name, Told], chance: random.Random) -> StoreSeen:
    """Everybody's decisions in an order that keeps each person's own."""
    queues = [[(name, one) for one in told.answered if one.subject == subject] for name, told in people.items()]
    effects: list[Effect] = []
    holdings: dict[Name, list[Effect]] = {}
    while queues := [queue for queue in queues if queue]:
        name, one = chance.choice(queues).pop(0)
        effects.append(Effect(len(effects) + 1, f"code of {name[1]}", one.version, one.answer))
        holdings.setdefault(name, []).append(effects[-1])
    if subject == EFFORT:
        given = sum(done[-1].answer == "yes" for done in holdings.values())
        return StoreSeen(store, subject, tuple(effects), held=given)
    held = {
        name: Holding(0 if done[-1].answer == "no" else 7, done[-1].answer == "no", _last(done), tuple(done))
        for name, done in holdings.items()
    }
    return StoreSeen(store, subject, tuple(effects), held)


def _last(done: list[Effect]) -> tuple[int, str]:
    return done[-1].version, done[-1].answer


def storm(seed: int) -> Evidence:
    chance = random.Random(seed)
    people = {name: _told(name, chance) for number in range(PEOPLE) if (name := ("urn:oid:1", f"MRN-{number}"))}
    stores = {"cancerlinq": "cancerlinq", "discovery": "cancerlinq", EFFORT: EFFORT}
    return Evidence(people, tuple(_store(store, about, people, chance) for store, about in stores.items()))


@pytest.mark.parametrize("seed", range(5))
def test_every_planted_fault_is_named(seed: int) -> None:
    """Threats 5 (rules for figures): each of over thirty faults, planted alone into a true record, is named."""
    evidence = storm(seed)
    assert check(evidence).violations == []
    found = found_of(evidence, random.Random(seed))
    assert [name for name, was in found.items() if not was] == []
    assert len(PLANTED) >= 30


def test_every_kind_of_finding_is_planted() -> None:
    """Threats 5 (rules for figures): no rule of the checker is without a fault that it finds."""
    assert set(PLANTED.values()) == set(KINDS)


def test_a_study_hears_nothing_of_who_never_gave() -> None:
    """I1: a no to a study that never had anything from a person is nobody's business there; after a yes it is."""
    name = ("urn:oid:1", "MRN-1")
    told, key = Told(name), "MRN-1/1"
    told.forms[key] = Form(key, EFFORT, "no")
    told.answered.append(Answered(key, "decision-1", 1, EFFORT, "no"))
    told.listed = ["decision-1"]
    nobody = StoreSeen(EFFORT, EFFORT, (), held=0)
    assert check(Evidence({name: told}, (nobody,))).violations == []
    for version, answer in ((2, "yes"), (3, "no")):
        told.forms[f"MRN-1/{version}"] = Form(f"MRN-1/{version}", EFFORT, answer)
        told.answered.append(Answered(f"MRN-1/{version}", f"decision-{version}", version, EFFORT, answer))
        told.listed.append(f"decision-{version}")
    found = {(each.kind, each.detail) for each in check(Evidence({name: told}, (nobody,))).violations}
    assert {("lost", "version 2"), ("lost", "version 3")} <= found
