"""The channel to a store: handshake, heartbeat, error and back, and two secrets that overlap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from consent.decision import Answer
from consent.donors import store_lags
from consent.feed.sender import Step
from consent.late_receipts import accept_late_receipts
from consent.published_heads import head_of_header
from consent.seal import Sealer, head_keys, is_genuine_head
from consent.wire_signature import sign
from database.context import as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import CANCERLINQ_STORE, OLD_SECRET, SECRET, TEMPUS
from vocabulary.errors import Refused

HOUR = CANCERLINQ_STORE.heartbeat.total_seconds()


def channel(world: World) -> Any:
    with world.database.web.engine.connect() as connection:
        return connection.execute(text("SELECT * FROM store_channel")).one()


def lags(world: World) -> bool:
    with world.database.worker.begin(as_propagation()) as session:
        return store_lags(session, "cancerlinq", world.clock(), CANCERLINQ_STORE.deadline)


def carries_the_newest_head(world: World, store_id: str, receiver: Receiver) -> None:
    """Issue 3, ledger: what goes out carries the newest signed head, and anybody with the public key can check it."""
    sealer = Sealer(world.database.worker, world.database.keyring)
    assert sealer.seal_once(world.clock()) is not None
    sender = replace(world.sender(store_id), head=sealer.header)
    while sender.step() is not Step.IDLE:
        pass
    head = head_of_header(receiver.headers[-1]["portal-tree-head"])
    assert head.size == 2
    assert is_genuine_head(head, head_keys(world.database.keyring))


@pytest.mark.parametrize("template", [CANCERLINQ_STORE, TEMPUS], ids=["backport", "ndjson"])
def test_greeted_before_the_first_event(world: World, template: Any) -> None:
    """SUB-02: requested, handshake, active; no event goes out before, and it is greeted once."""
    receiver = world.add(template)
    receiver.greets = False
    world.press(person(world.database, 1))
    world.sequence()
    assert world.sender(template.id).step() is Step.FAILED
    assert world.sender(template.id).step() is Step.WAITING, "tried again at the usual pace"
    assert (receiver.greetings, receiver.heard) == ([("handshake", 0)], [])
    assert (channel(world).state, channel(world).last_error) == ("error", "handshake-failed")
    receiver.greets = True
    world.clock.tick(5)
    world.drain(template.id)
    world.press(person(world.database, 2))
    world.sequence()
    carries_the_newest_head(world, template.id, receiver)
    assert [kind for kind, _ in receiver.greetings] == ["handshake", "handshake"]
    assert (channel(world).state, channel(world).last_error) == ("active", None)
    assert receiver.answers() == {"MRN-1": "no", "MRN-2": "no"}


def test_greeted_again_after_a_change(world: World, platform: Receiver) -> None:
    """SUB-02: another endpoint or secret is another channel; the numbers go on where they were."""
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    moved = Receiver("cancerlinq", SECRET, world.clock)
    world.receivers["moved"] = moved
    world.stores["cancerlinq"] = replace(world.stores["cancerlinq"], endpoint=moved.endpoint)
    world.press(person(world.database, 2))
    world.drain("cancerlinq")
    assert moved.greetings == [("handshake", 1)]
    assert [numbers for _, numbers in moved.heard] == [(2,)]
    world.stores["cancerlinq"] = replace(world.stores["cancerlinq"], secrets=(OLD_SECRET, SECRET))
    world.drain("cancerlinq")
    world.drain("cancerlinq")
    assert moved.greetings == [("handshake", 1), ("handshake", 2)]
    assert b"whsec" not in channel(world).greeted


def test_heartbeat_when_silent(world: World, platform: Receiver) -> None:
    """SUB-06: after a period of silence a heartbeat with the count so far; a missed one is an error, then active."""
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    world.clock.tick(HOUR - 1)
    world.drain("cancerlinq")
    assert platform.greetings == [("handshake", 0)]
    world.clock.tick(1)
    world.drain("cancerlinq")
    world.drain("cancerlinq")
    assert platform.greetings[1:] == [("heartbeat", 1)]
    platform.greets = False
    world.clock.tick(HOUR)
    assert world.sender("cancerlinq").step() is Step.FAILED
    assert world.sender("cancerlinq").step() is Step.WAITING
    assert (channel(world).state, channel(world).last_error) == ("error", "heartbeat-failed")
    assert lags(world), "SUB-10: no new release meanwhile"
    platform.greets = True
    world.clock.tick(5)
    world.drain("cancerlinq")
    assert channel(world).state == "active"
    assert not lags(world)


def test_a_store_in_error_gets_no_release(world: World, platform: Receiver) -> None:
    """SUB-10: refusing twice is an error, long before it lags; the next good answer ends it."""
    platform.misbehave = lambda *_: (503, {}, b"")
    world.press(person(world.database, 1))
    world.sequence()
    for expected in (False, True):
        assert world.sender("cancerlinq").step() is Step.FAILED
        assert lags(world) is expected
        world.clock.tick(3)
    platform.misbehave = None
    world.drain("cancerlinq")
    assert not lags(world)


def test_two_secrets_overlap_and_the_old_one_goes(world: World, platform: Receiver) -> None:
    """SUB-11: we sign with both and believe either, so each side changes when it likes; then the old is worthless."""
    store = world.stores["cancerlinq"]
    rosa = person(world.database, 1)
    world.press(rosa)
    world.drain("cancerlinq")  # both know SECRET only
    new = OLD_SECRET  # another secret, whatever its name
    world.stores["cancerlinq"] = replace(store, secrets=(new, SECRET))
    world.press(rosa, answer=Answer.YES)
    world.drain("cancerlinq")
    assert platform.headers[-1]["webhook-signature"].count("v1,") == 2
    assert platform.answers() == {"MRN-1": "yes"}, "the store still checks and signs with the old one"
    platform.secret, platform.accepted = new, (SECRET,)
    world.press(rosa)
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-1": "no"}, "now it signs with the new one"
    world.stores["cancerlinq"] = replace(store, secrets=(new,))
    platform.accepted = ()
    world.press(rosa, answer=Answer.YES)
    world.drain("cancerlinq")
    assert platform.headers[-1]["webhook-signature"].count("v1,") == 1
    assert platform.answers() == {"MRN-1": "yes"}
    body = orjson.dumps({"store": "cancerlinq", "receipts": [{"event": 1, "version": 1, "state": "refused"}]})
    headers = sign([SECRET], "late", body, world.clock())
    stores = list(world.stores.values())
    with pytest.raises(Refused):
        accept_late_receipts(world.database.web, stores, "cancerlinq", headers, body, world.clock())


def test_a_store_that_kept_the_old_secret_too_long(world: World, platform: Receiver) -> None:
    """SUB-11: with the old secret gone on our side its answers are not believed; nothing is lost meanwhile."""
    store = world.stores["cancerlinq"]
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    world.stores["cancerlinq"] = replace(store, secrets=(OLD_SECRET,))
    world.press(person(world.database, 2))
    world.sequence()
    assert world.sender("cancerlinq").step() is Step.FAILED
    assert platform.answers() == {"MRN-1": "no"}
    platform.secret = OLD_SECRET
    world.clock.tick(5)
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-1": "no", "MRN-2": "no"}
