"""A store behind a real NATS server: what its stream holds, and receipts that come back over another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from consent.decision import Answer
from consent.feed.run import note_stores
from consent.feed.sender import Step
from consent.receipts import State
from consent.store_config import Kind, Store, Transport
from consent.stores import nats_stream
from consent.stores.adapter import Batch, NotDelivered
from consent.stores.nats_stream import NatsStore
from consent.stream_receipts import take_stream_receipts
from consent.wire_signature import is_genuine, sign
from database.context import as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Clock
from tests.pure.consent.stores import SECRET, TEMPUS
from tests.support.native_stores import SilentServer, event, kill_between_store_and_settle
from tests.support.nats_server import NatsServer, nats_running

SUBJECT = "portal.tempus"
Connect = Callable[..., NatsStore]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_running(tmp_path / "nats") as running:
        running.stream("DECISIONS", SUBJECT)
        running.stream("RECEIPTS", f"{SUBJECT}.receipts")
        yield running


@pytest.fixture
def store(server: NatsServer) -> Store:
    return replace(TEMPUS, kind=Kind.STREAM, transport=Transport.NDJSON, endpoint=f"{server.url}/{SUBJECT}")


@pytest.fixture
def connect() -> Iterator[Connect]:
    made: list[NatsStore] = []

    def adapter(store: Store, clock: Callable[[], datetime] | None = None) -> NatsStore:
        made.append(NatsStore(store, clock or Clock()))
        return made[-1]

    yield adapter
    for each in made:
        each.close()


def lines(server: NatsServer) -> list[tuple[str, int, str]]:
    """(who, version, answer) of every message, in the stream's order."""
    read = [orjson.loads(message.data) for message in server.messages("DECISIONS")]
    return [(line["subject"]["value"], line["version"], line["answer"]) for line in read]


def drain(world: World, store: Store, adapter: NatsStore) -> list[Step]:
    world.stores[store.id] = store
    return world.drain(store.id, adapter)


def states(world: World) -> list[tuple[Any, ...]]:
    with world.database.worker.begin(as_propagation()) as session:
        rows = session.execute(text("SELECT event_number, state FROM receipt WHERE event_number > 0 ORDER BY id"))
        return [tuple(row) for row in rows]


def answer_from_store(server: NatsServer, event_number: int, version: int, now: datetime, secret: str = SECRET) -> None:
    """What the store behind the stream sends back when it has obeyed."""
    receipt = {"event": event_number, "version": version, "state": "applied", "removed": 3}
    body = orjson.dumps({"store": "tempus", "receipts": [receipt]})
    server.publish(f"{SUBJECT}.receipts", body, sign([secret], f"r-{event_number}", body, now))


def test_decisions_go_out_and_receipts_come_back(
    world: World, server: NatsServer, store: Store, connect: Connect
) -> None:
    """SUB-08, SUB-11: signed messages in order; "accepted" until the store's own signed word, kept once."""
    world.clock.now = datetime.now(UTC)
    note_stores(world.database.worker, [store], world.clock())
    people = [person(world.database, number) for number in range(2)]
    for who, answer in ((people[0], Answer.NO), (people[1], Answer.NO), (people[0], Answer.YES)):
        world.press(who, answer=answer)
    adapter = connect(store, world.clock)
    assert Step.SENT in drain(world, store, adapter)
    assert lines(server) == [("MRN-0", 1, "no"), ("MRN-1", 1, "no"), ("MRN-0", 2, "yes")]
    first = server.messages("DECISIONS")[0]
    assert is_genuine([SECRET], first.headers, first.data, world.clock())
    assert states(world) == [(1, "accepted"), (2, "accepted"), (3, "accepted")]
    assert take_stream_receipts(world.database.worker, store, adapter) == 0
    answer_from_store(server, 2, 1, world.clock())
    answer_from_store(server, 3, 2, world.clock(), secret="whsec_" + "Q0ND" * 8)
    assert take_stream_receipts(world.database.worker, store, adapter) == 2
    assert states(world)[3:] == [(2, "applied")], "the forged one is not believed"
    assert take_stream_receipts(world.database.worker, store, adapter) == 0, "each is taken once"


def test_told_twice_is_kept_once(server: NatsServer, store: Store, connect: Connect) -> None:
    """SUB-07: the same events again, even in another batch, are dropped by the stream; another event at that number
    is not."""
    adapter = connect(store)
    adapter.deliver(Batch("m-1", [event(1, 1), event(2, 2, Answer.YES)]))
    again = connect(store).deliver(Batch("m-2", [event(1, 1), event(2, 2, Answer.YES), event(3, 1, who=2)]))
    adapter.deliver(Batch("m-3", [event(3, 1, who=9)]))
    assert lines(server) == [("MRN-1", 1, "no"), ("MRN-1", 2, "yes"), ("MRN-2", 1, "no"), ("MRN-9", 1, "no")]
    assert {r.state for r in again.receipts} == {State.ACCEPTED}
    assert again.receipts[2].reference == "DECISIONS 3"
    assert again.signature.startswith("unsigned: ")


def test_killed_before_settling_ends_the_same(
    world: World, server: NatsServer, store: Store, connect: Connect, tmp_path: Path
) -> None:
    """SUB-07, I2: kill -9 between the stream's word and our commit: nothing is in the stream twice."""
    note_stores(world.database.worker, [store], world.clock())
    who = person(world.database, 0)
    for answer in (Answer.NO, Answer.YES, Answer.NO):
        world.press(who, answer=answer)
    while world.sequence():
        pass
    kill_between_store_and_settle(store, world.database.urls.worker, world.database.keyring, tmp_path)
    before = lines(server)
    assert [version for _, version, _ in before] == [1, 2, 3]
    drain(world, store, connect(store, world.clock))
    assert lines(server) == before
    assert len(states(world)) == 3


def test_a_killed_server_is_waited_for(server: NatsServer, store: Store, connect: Connect) -> None:
    """SUB-07: kill -9 of nats-server: what it acknowledged is there after it starts again, and the rest follows."""
    adapter = connect(store)
    adapter.deliver(Batch("m-1", [event(1, 1)]))
    server.kill()
    with pytest.raises(NotDelivered, match=r"connection|timeout") as error:
        adapter.deliver(Batch("m-2", [event(2, 2, Answer.YES)]))
    assert not error.value.answered
    assert not adapter.is_well()
    server.start()
    adapter.deliver(Batch("m-2", [event(2, 2, Answer.YES)]))
    assert adapter.is_well()
    assert lines(server) == [("MRN-1", 1, "no"), ("MRN-1", 2, "yes")]


def test_no_stream_full_stream_and_too_large(server: NatsServer, store: Store, connect: Connect) -> None:
    """SUB-07: without a stream nothing counts as delivered; only a message too large is the event's own fault."""
    nobody = connect(replace(store, endpoint=f"{server.url}/portal.nobody"))
    with pytest.raises(NotDelivered, match="no-stream") as missing:
        nobody.deliver(Batch("m-1", [event(1, 1)]))
    server.stream("FULL", "portal.full", max_msgs=1, discard="new")
    full = connect(replace(store, endpoint=f"{server.url}/portal.full"))
    with pytest.raises(NotDelivered, match="stream-10077") as refused:
        full.deliver(Batch("m-1", [event(1, 1), event(2, 1, who=2)]))
    server.stream("SMALL", "portal.small", max_msg_size=50)
    small = connect(replace(store, endpoint=f"{server.url}/portal.small"))
    with pytest.raises(NotDelivered, match="stream-10054") as large:
        small.deliver(Batch("m-1", [event(1, 1)]))
    with pytest.raises(NotDelivered, match="message-too-large") as huge:
        connect(store).deliver(Batch("m-1", [event(1, 1, who="x" * 1_100_000)]))
    blamed = [missing.value.answered, refused.value.answered, large.value.answered, huge.value.answered]
    assert blamed == [False, False, True, True]


def test_a_server_that_hangs_or_lies_is_left(store: Store, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-05, SEC-10: silence, nonsense and a public address that is none cost the time that we allow."""
    monkeypatch.setattr(nats_stream, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(nats_stream, "ACK_SECONDS", 0.5)
    greeting = b'INFO {"server_id":"x","headers":true,"jetstream":true,"max_payload":1048576}\r\n'
    for said in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", greeting):
        odd = SilentServer(said)
        with pytest.raises(NotDelivered) as error:
            connect(replace(store, endpoint=f"nats://127.0.0.1:{odd.port}/{SUBJECT}")).deliver(
                Batch("m-1", [event(1, 1)])
            )
        assert not error.value.answered
        odd.close()
    public = connect(replace(store, network="public", endpoint=store.endpoint.replace("nats:", "tls:")))
    with pytest.raises(NotDelivered, match="address-not-public"):
        public.deliver(Batch("m-1", [event(1, 1)]))
