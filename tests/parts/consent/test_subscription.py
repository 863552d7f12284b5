"""A store that missed something asks: `$status` and `$events`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from consent.check_consent import check_consent
from consent.feed.sender import Step
from consent.feed.subscription import read_asked, subscription_events, subscription_status
from consent.person_identity import add_alias
from consent.wire import subscription_id
from database.context import as_nobody, as_propagation
from sandbox.store.wire import read_events
from tests.parts.consent.conftest import World
from tests.parts.consent.people import mrn, person
from tests.parts.consent.receiver import Receiver
from tests.parts.consent.test_feed_parked import spoil
from tests.pure.consent.stores import TEMPUS
from vocabulary.errors import Invalid


def events(world: World, query: Mapping[str, str], most: int = 500) -> dict[str, Any]:
    with world.database.worker.begin(as_propagation()) as session:
        store = world.stores["cancerlinq"]
        return subscription_events(session, world.database.keyring, store, read_asked(query), world.clock(), most)


def status(world: World, **narrow: Any) -> dict[str, Any]:
    with world.database.web.begin(as_nobody()) as session:
        return subscription_status(session, list(world.stores.values()), **narrow)


def parameters(resource: dict[str, Any]) -> dict[str, Any]:
    return {p["name"]: next((v for k, v in p.items() if k != "name"), None) for p in resource["parameter"]}


def numbers(bundle: dict[str, Any]) -> list[int]:
    told = [p["part"] for p in bundle["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
    return [int(parts[0]["valueString"]) for parts in told]


def tell(world: World, *batches: int) -> None:
    """Batches of as many people each."""
    count = 0
    for size in batches:
        for _ in range(size):
            count += 1
            world.press(person(world.database, count))
        world.drain("cancerlinq")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"eventsSinceNumber": "2", "eventsUntilNumber": "5"}, [2, 3, 4, 5]),
        ({"eventsSinceNumber": "3", "eventsUntilNumber": "3"}, [3]),
        ({"eventsSinceNumber": "0"}, [1, 2, 3, 4, 5, 6]),
        ({"eventsUntilNumber": "999999999999999999"}, [1, 2, 3, 4, 5, 6]),
        ({"eventsSinceNumber": "7"}, []),
    ],
)
def test_a_range_inclusive_and_dense(
    world: World, platform: Receiver, query: dict[str, str], expected: list[int]
) -> None:
    """SUB-05: inclusive bounds over any batches; the count so far; the same resources as were sent."""
    tell(world, 3, 1, 2)
    bundle = events(world, query)
    assert (bundle["type"], numbers(bundle)) == ("history", expected)
    said = parameters(bundle["entry"][0]["resource"])
    assert (said["type"], said["events-since-subscription-start"]) == ("query-event", "6")
    assert all("request" in entry and "response" in entry for entry in bundle["entry"])
    assert all(check_consent(entry["resource"]) == [] for entry in bundle["entry"][1:])
    again = read_events("application/fhir+json", orjson.dumps(bundle))
    sent = [e for body in platform.bodies for e in read_events("application/fhir+json", body)]
    assert again == [event for event in sent if event.number in expected]


def test_content_levels(world: World, platform: Receiver) -> None:
    """SUB-04: `empty` has no focus and no other entry, `id-only` a focus and no resource."""
    tell(world, 2)
    for content, has_focus in (("empty", False), ("id-only", True)):
        bundle = events(world, {"content": content})
        assert numbers(bundle) == [1, 2]
        assert len(bundle["entry"]) == 1
        assert ("focus" in str(bundle)) is has_focus
        assert "MRN" not in str(bundle)


def test_at_most_so_many_in_one_answer(world: World, platform: Receiver) -> None:
    """SUB-05: a long range is answered from its beginning; asking on from the last gets all, each once."""
    tell(world, 4, 4)
    found: list[int] = []
    while page := numbers(events(world, {"eventsSinceNumber": str(len(found) + 1)}, most=3)):
        assert len(page) <= 3
        found += page
    assert found == list(range(1, 9))


def test_as_told_then_whatever_was_learnt_since(world: World, platform: Receiver) -> None:
    """SUB-05: a name learnt later, or one that cannot be opened now, moves no number."""
    tell(world, 3)
    rosa, ben = person(world.database, 1), person(world.database, 2)
    add_alias(world.database.web, world.database.keyring, rosa, mrn("new"), world.clock())
    world.drain("cancerlinq")
    spoil(world, ben)
    told = {(e.number, e.value) for body in platform.bodies for e in read_events("application/fhir+json", body)}
    bundle = events(world, {})
    assert numbers(bundle) == [1, 2, 3, 4, 5]
    found = {
        (number, entry["resource"]["patient"]["identifier"]["value"])
        for number, entry in zip([1, 3, 4, 5], bundle["entry"][1:], strict=True)
    }
    assert found == {pair for pair in told if pair[0] != 2}


def test_a_parked_event_can_be_fetched(world: World, platform: Receiver) -> None:
    """SUB-05, SUB-07: the gap that a parked item leaves is filled when the store asks."""
    platform.misbehave = lambda _, sent, good: (500, {}, b"") if any(e.value == "MRN-1" for e in sent) else None
    tell(world, 2)
    assert platform.answers() == {"MRN-2": "no"}
    bundle = events(world, {"eventsSinceNumber": "1", "eventsUntilNumber": "1"})
    assert [e.value for e in read_events("application/fhir+json", orjson.dumps(bundle))] == ["MRN-1"]


@pytest.mark.parametrize(
    "query",
    [
        {"eventsSinceNumber": "-1"},
        {"eventsSinceNumber": "one"},
        {"eventsUntilNumber": "9" * 30},
        {"eventsSinceNumber": "5", "eventsUntilNumber": "4"},
        {"content": "everything"},
        {"since": "1"},
        {"eventsSinceNumber": "٣"},
    ],
)
def test_bad_ranges(query: dict[str, str]) -> None:
    """SUB-05: a typed error, never a crash."""
    with pytest.raises(Invalid):
        read_asked(query)


def test_status_of_own_subscriptions(world: World, platform: Receiver) -> None:
    """SUB-06: searchset Bundle; state, count and error as they are; narrowed by id and status."""
    other = world.add(TEMPUS)
    other.greets = False
    tell(world, 2)
    assert world.sender("tempus").step() is Step.FAILED
    bundle = status(world)
    assert (bundle["type"], bundle["total"]) == ("searchset", 2)
    said = [parameters(entry["resource"]) for entry in bundle["entry"]]
    assert [(one["type"], one["status"]) for one in said] == [("query-status", "active"), ("query-status", "error")]
    assert [one["events-since-subscription-start"] for one in said] == ["2", "0"]
    assert said[1]["error"] == {"text": "handshake-failed"}
    assert status(world, ids=[subscription_id("tempus")])["entry"] == [bundle["entry"][1]]
    assert status(world, states=["active"])["entry"] == [bundle["entry"][0]]
    assert status(world, ids=["none"])["total"] == 0
    with pytest.raises(Invalid):
        status(world, states=["off"])


def test_status_before_anything(world: World, platform: Receiver) -> None:
    """SUB-02: a store never spoken to is `requested`."""
    (entry,) = status(world)["entry"]
    assert parameters(entry["resource"])["status"] == "requested"
