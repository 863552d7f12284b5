"""A store that is down, lies or forgets; a person who changes their mind at the worst moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from consent.decision import Answer
from consent.feed.pace import Pace
from consent.store_config import Store
from outbound.client import OutboundClient, OutboundResponse
from research import delivery_rows
from research.deliver import deliver_to
from research.due import catch_up, record_changed
from tests.parts.research.conftest import BY_MRN, MARIA, World, few


def test_a_store_that_is_down_catches_up(world: World, living_well: Store) -> None:
    """X-08: nothing is lost while a store is down, the try is seen, and it is not called again before its time."""
    who = world.donor(1)
    world.give(who)
    port = world.stop_store("living-well")
    assert world.deliver() == 0
    assert world.rows(who, "state, attempts") == [("waiting", 1)]
    assert world.deliver() == 0
    assert world.rows(who, "attempts") == [(1,)]
    world.open_store(living_well, port)
    world.clock.tick(120)
    assert world.deliver() == 1
    assert world.rows(who, "state, attempts") == [("delivered", 2)]
    assert len(world.held()) == world.rows(who, "resource_count")[0][0]


@pytest.mark.parametrize("kind", ["down", "lie", "truncate", "redirect", "wrong-type", "unsigned", "lost-answer"])
def test_an_answer_that_cannot_be_believed_is_no_delivery(world: World, living_well: Store, kind: str) -> None:
    """HIP-20: 500, garbage and unsigned answers count as not delivered, and the retry has no second effect."""
    who = world.donor(1)
    world.give(who)
    world.misbehave(kind)
    assert world.deliver() == (1 if kind == "wrong-type" else 0)
    world.behave()
    world.clock.tick(120)
    assert world.deliver() == (0 if kind == "wrong-type" else 1)
    assert len(world.held()) == world.rows(who, "resource_count")[0][0]
    assert len(world.subjects()) == 1


def test_what_is_refused_again_and_again_is_parked_in_sight(world: World, living_well: Store) -> None:
    """X-08: a delivery that a store does not take is set aside alone, named, and still tried; others go on."""
    first, second = world.donor(1), world.donor(2, "RV-107455")
    world.give(first)
    world.misbehave("down", status=500)
    for _ in range(8):
        world.deliver(pace=Pace(1, 2))
        world.clock.tick(3)
    assert world.rows(first, "state, answer ->> 'reason'") == [("parked", "status-500")]
    world.behave()
    world.give(second)
    assert world.deliver() == 2
    assert world.rows(first) == world.rows(second) == [("delivered",)]


class CountingWayOut:
    """The way out, and how often it was taken."""

    def __init__(self, world: World) -> None:
        self._inner, self.sent = world.http(), 0

    def request(self, *arguments: Any, **named: Any) -> OutboundResponse:
        self.sent += 1
        return self._inner.request(*arguments, **named)


def test_a_no_between_build_and_send_stops_it(
    world: World, living_well: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X-08: who withdraws between building and sending is absent: nothing at all is sent."""
    who = world.donor(1)
    world.give(who)
    noted = delivery_rows.note_sending

    def and_then_the_person_says_no(*arguments: Any, **named: Any) -> None:
        noted(*arguments, **named)
        world.take_back(who)

    monkeypatch.setattr(delivery_rows, "note_sending", and_then_the_person_says_no)
    way_out = CountingWayOut(world)
    courier = replace(world.courier(), http=cast(OutboundClient, way_out))
    assert deliver_to(courier, living_well) == 0
    assert deliver_to(courier, living_well) == 0
    assert way_out.sent == 0
    assert world.rows(who) == [("stopped",)]
    assert world.held() == []


def test_a_no_empties_the_store_and_a_late_delivery_is_refused(world: World, living_well: Store) -> None:
    """HIP-13: a withdrawal stops sending and the store removes what it holds; a new yes sends again, same code."""
    who = world.donor(1)
    world.give(who)
    world.deliver()
    before = world.subjects()
    world.take_back(who)
    world.tell("living-well")
    assert world.held() == []
    assert world.deliver() == 0
    world.give(who)
    world.tell("living-well")
    assert world.deliver() == 1
    assert world.held()
    assert world.subjects() == before


def test_an_opt_out_stops_an_effort_fed_by_cancerlinq(world: World, early_signs: Store) -> None:
    """X-05: while the CancerLinQ opt-out stands, nothing goes to an effort fed by it, and a yes does not lift it."""
    who = world.donor(1)
    world.give(who, "early-signs")
    world.press(who)
    assert world.deliver("early-signs") == 0
    assert world.rows(who) == []
    world.press(who, answer=Answer.YES)
    record_changed(world.database.worker, who, world.clock())
    assert world.deliver("early-signs") == 0
    world.give(who, "early-signs")
    assert world.deliver("early-signs") == 1


def test_a_changed_record_is_delivered_anew(world: World, living_well: Store) -> None:
    """X-08: after a retrieval with changed content the whole goes again under the same code; unchanged, nothing."""
    who = world.donor(1)
    world.give(who)
    world.deliver()
    subject, count = world.subjects(), len(world.held())
    resources = few(BY_MRN[MARIA].resources())
    world.clock.tick(60)
    world.bring_record(who, resources)
    assert record_changed(world.database.worker, who, world.clock()) == 1
    assert world.deliver() == 0
    world.clock.tick(60)
    allergy = next(one for one in resources if one["resourceType"] == "AllergyIntolerance")
    world.bring_record(who, [*resources, {**allergy, "id": "new-allergy"}])
    assert catch_up(world.database.worker, world.clock()) == 1
    assert world.deliver() == 1
    assert world.subjects() == subject
    assert len(world.held()) == count + 1
    assert world.rows(who) == [("delivered",), ("delivered",)]


def test_a_newer_yes_is_sent_under_its_own_version(world: World, living_well: Store) -> None:
    """X-08: each delivery names the version of the yes that allows it."""
    who = world.donor(1)
    world.give(who)
    world.take_back(who)
    world.give(who)
    assert world.deliver() == 1
    assert world.rows(who, "decision_version") == [(3,)]
