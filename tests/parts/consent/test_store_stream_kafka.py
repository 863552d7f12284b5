"""A store behind Kafka, on the brokers that come with the client library (`test.mock.num.brokers`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import confluent_kafka as kafka
import orjson
import pytest

from consent.decision import Answer
from consent.feed.run import note_stores
from consent.receipts import State
from consent.store_config import Kind, Store, Transport
from consent.stores import kafka_stream
from consent.stores.adapter import Batch, NotDelivered
from consent.stores.kafka_stream import KafkaStore
from consent.wire_signature import is_genuine
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Clock
from tests.pure.consent.stores import SECRET, TEMPUS
from tests.support.native_stores import SilentServer, event, kill_between_store_and_settle
from vocabulary.errors import Conflict, Refused

TOPIC = "portal-tempus"


@dataclass
class Cluster:
    """The mock brokers live as long as the client that made them."""

    owner: Any
    address: str

    def publish(self, topic: str, body: bytes, **headers: str) -> None:
        self.owner.produce(topic, body, headers=[(name, value.encode()) for name, value in headers.items()])
        assert self.owner.flush(10) == 0

    def reader(self) -> Any:
        """Reads the topic from its beginning, in no group: to join one takes seconds."""
        made = kafka.Consumer({"bootstrap.servers": self.address, "group.id": "unused", "enable.auto.commit": False})
        parts = self.owner.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        made.assign([kafka.TopicPartition(TOPIC, part, kafka.OFFSET_BEGINNING) for part in parts])
        return made

    def messages(self, count: int) -> list[Any]:
        """At least `count` messages of the topic, and whatever else is there."""
        reader = self.reader()
        found: list[Any] = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            found += [each for each in reader.consume(100, 0.2) if each.error() is None]
        found += [each for each in reader.consume(100, 0.3) if each.error() is None]
        reader.close()
        return found


@pytest.fixture
def cluster() -> Cluster:
    owner = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x", "log_level": 0})
    (broker,) = owner.list_topics(timeout=10).brokers.values()
    made = Cluster(owner, f"127.0.0.1:{broker.port}")
    for topic in (TOPIC, f"{TOPIC}.receipts"):
        owner.list_topics(topic, timeout=10)  # the mock makes a topic that is asked for
    return made


@pytest.fixture
def store(cluster: Cluster) -> Store:
    endpoint = f"kafka://{cluster.address}/{TOPIC}"
    return replace(TEMPUS, kind=Kind.STREAM, transport=Transport.NDJSON, endpoint=endpoint)


@pytest.fixture
def adapter(store: Store) -> Iterator[KafkaStore]:
    made = KafkaStore(store, Clock())
    yield made
    made.close()


def heard(messages: list[Any], who: str) -> list[int]:
    read = [orjson.loads(message.value()) for message in messages]
    return [line["version"] for line in read if line["subject"]["value"] == who]


def test_each_person_s_decisions_in_order(cluster: Cluster, adapter: KafkaStore) -> None:
    """SUB-07, SUB-09, SUB-11: keyed by person, so one person's stay in one partition and in order; signed."""
    events = [event(number, number, who=number % 3) for number in range(1, 31)]
    answer = adapter.deliver(Batch("m-1", events, {"portal-tree-head": "h"}))
    assert [(r.event, r.state) for r in answer.receipts] == [(n, State.ACCEPTED) for n in range(1, 31)]
    found = cluster.messages(30)
    assert len(found) == 30
    for who in range(3):
        versions = heard(found, f"MRN-{who}")
        assert versions == sorted(versions)
        assert len({m.partition() for m in found if m.key().endswith(f"MRN-{who}".encode())}) == 1
    headers = {name: value.decode() for name, value in found[0].headers()}
    assert is_genuine([SECRET], headers, found[0].value(), adapter._clock())
    assert headers["portal-tree-head"] == "h"
    assert adapter.is_well()


def test_killed_before_settling_ends_the_same(world: World, cluster: Cluster, store: Store, tmp_path: Path) -> None:
    """SUB-07, SUB-09: kill -9 between Kafka's word and our commit: told again, with the same id and version, so that
    a reader by the version rule ends the same."""
    world.stores["tempus"] = store
    note_stores(world.database.worker, [store], world.clock())
    who = person(world.database, 0)
    for answer in (Answer.NO, Answer.YES, Answer.NO):
        world.press(who, answer=answer)
    while world.sequence():
        pass
    kill_between_store_and_settle(store, world.database.urls.worker, world.database.keyring, tmp_path)
    world.drain("tempus")
    found = cluster.messages(6)
    assert heard(found, "MRN-0") == [1, 2, 3, 1, 2, 3]
    names = [dict(message.headers())["webhook-id"] for message in found]
    assert names[:3] == names[3:]


def test_receipts_come_back_once_or_again(cluster: Cluster, adapter: KafkaStore) -> None:
    """SUB-08: what is too early comes again, what is not believed is passed by, what is kept is done with."""
    seen: list[bytes] = []

    def keep(headers: Any, body: bytes, at: datetime) -> None:
        seen.append(body)
        assert headers["webhook-id"] == "r"
        if body == b"early" and seen.count(body) == 1:
            raise Conflict("answer-first")
        if body == b"forged":
            raise Refused("not-signed")

    for body in (b"forged", b"early", b"last"):
        cluster.publish(f"{TOPIC}.receipts", body, **{"webhook-id": "r"})
    deadline = time.monotonic() + 30
    while b"last" not in seen and time.monotonic() < deadline:
        adapter.take_receipts(keep)
    assert sorted(set(seen)) == [b"early", b"forged", b"last"]
    assert seen.count(b"early") == 2
    assert seen.count(b"forged") == 1


def test_down_silent_and_too_large(store: Store, adapter: KafkaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-05, SEC-10: a cluster that is away costs its own turn; only a message too large is the event's fault."""
    with pytest.raises(NotDelivered, match="too-large") as large:
        adapter.deliver(Batch("m-1", [event(1, 1, who="x" * 1_100_000)]))
    assert large.value.answered
    monkeypatch.setattr(kafka_stream, "CONNECT_SECONDS", 0.5)
    silent = SilentServer()
    away = KafkaStore(replace(store, endpoint=f"kafka://127.0.0.1:{silent.port}/{TOPIC}"), Clock())
    with pytest.raises(NotDelivered) as error:
        away.deliver(Batch("m-1", [event(1, 1)]))
    assert not error.value.answered
    silent.close()
    assert not away.is_well()
    with pytest.raises(NotDelivered, match="address-not-public"):
        KafkaStore(replace(store, network="public"), Clock()).deliver(Batch("m-1", [event(1, 1)]))
