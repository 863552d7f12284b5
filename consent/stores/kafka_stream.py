"""A store behind Kafka: one message per event on its topic, keyed by person, receipts back on `<topic>.receipts`.

The producer is idempotent and waits for all replicas; nobody has two messages under way at once. A cluster names its
own members: they are checked by the rules of `outbound` before anything is published, but its addresses are the
cluster's word, so a Kafka store is for a cluster that the site runs or trusts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

try:
    import confluent_kafka as kafka
except ImportError:  # the extra `streams`; stores.toml is refused without it
    kafka = None  # type: ignore[assignment,unused-ignore]  # the client may not be installed

from consent.receipts import MAX_ANSWER_BYTES, StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import Batch, BatchAnswer, NotDelivered
from consent.stores.checked_host import CheckedHost, check_announced, checked_host
from consent.stores.stream_wire import RECEIPTS, Keep, Make, person_key, signed, taken, windows
from consent.wire import StoreEvent
from vocabulary.errors import Conflict, PortalError, Unavailable

CONNECT_SECONDS = 5.0
ACK_SECONDS = 10.0
FETCH_SECONDS = 0.5
MOST_RECEIPTS = 100


class KafkaStore:
    """Publishes to one topic; the client keeps its own threads, and every call blocks within its limits."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.make: Make = signed
        self._clock = clock
        self._topic = urlsplit(store.endpoint).path.removeprefix("/")
        self._producer: Any = None
        self._consumer: Any = None

    def deliver(self, batch: Batch) -> BatchAnswer:
        receipts: list[StoreReceipt] = []
        try:
            producer = self._connected()
            for window in windows(batch.events):
                receipts += self._publish(producer, batch, window)
        except NotDelivered:
            self._forget()
            raise
        except (kafka.KafkaException, BufferError) as error:
            self._forget()
            raise _failed(error) from None
        return BatchAnswer(tuple(receipts), f"unsigned: {receipts[-1].reference}")

    def is_well(self) -> bool:
        """Whether the cluster knows the topic."""
        try:
            self._check(self._connected())
        except (NotDelivered, kafka.KafkaException):
            self._forget()
            return False
        return True

    def take_receipts(self, keep: Keep) -> int:
        """See TakesReceipts. What may succeed later is read again; what never will is passed by."""
        try:
            if self._consumer is None:
                self._consumer = self._listening()
            messages = self._consumer.consume(MOST_RECEIPTS, FETCH_SECONDS)
            for number, message in enumerate(messages):
                if message.error() is None and not _done_with(message, keep):
                    self._read_again(messages[number:])
                    break
                if message.error() is None:
                    self._consumer.store_offsets(message=message)
        except kafka.KafkaException as error:
            raise _failed(error) from None
        return sum(message.error() is None for message in messages)

    def close(self) -> None:
        """End both clients; what was read is marked as read."""
        self._forget()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(kafka.KafkaException):
                consumer.close()

    def _connected(self) -> Any:
        if self._producer is None:
            producer = kafka.Producer(_settings(self.store, checked_host(self.store)) | _SAFE)
            self._check(producer)
            self._producer = producer
        return self._producer

    def _check(self, producer: Any) -> None:
        """The cluster answers, its members live where they may, and the topic is there."""
        cluster = producer.list_topics(self._topic, timeout=CONNECT_SECONDS)
        check_announced(self.store, [(member.host, member.port) for member in cluster.brokers.values()])
        topic = cluster.topics.get(self._topic)
        if topic is None or topic.error is not None or not topic.partitions:
            raise NotDelivered("no-topic", answered=False)

    def _publish(self, producer: Any, batch: Batch, events: Sequence[StoreEvent]) -> list[StoreReceipt]:
        """One window, acknowledged whole by every replica."""
        came: dict[int, Any] = {}
        for event in events:
            _, headers, body = self.make(self.store, batch, event, self._clock())

            def noted(error: Any, message: Any, number: int = event.number) -> None:
                came[number] = error or message

            named = [(name, value.encode()) for name, value in headers.items()]
            key = person_key(event).encode()
            producer.produce(self._topic, body, key, headers=named, on_delivery=noted)
        producer.flush(ACK_SECONDS + 1)
        for event in events:
            answer = came.get(event.number)
            if answer is None:
                raise NotDelivered("timeout", answered=False)
            if isinstance(answer, kafka.KafkaError):
                raise _failed(kafka.KafkaException(answer))
        return [taken(event, f"{self._topic}/{_place(came[event.number])}") for event in events]

    def _listening(self) -> Any:
        settings = _settings(self.store, checked_host(self.store)) | {
            "group.id": f"portal-{self.store.id}",
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,
            "auto.commit.interval.ms": 500,
        }
        consumer = kafka.Consumer(settings)
        consumer.subscribe([f"{self._topic}.{RECEIPTS}"])
        return consumer

    def _read_again(self, messages: Sequence[Any]) -> None:
        """From the first of each partition, next time."""
        first: dict[int, Any] = {}
        for message in messages:
            if message.error() is None:
                first.setdefault(message.partition(), message)
        for message in first.values():
            self._consumer.seek(kafka.TopicPartition(message.topic(), message.partition(), message.offset()))

    def _forget(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(kafka.KafkaException):
                producer.purge()


_SAFE = {
    "enable.idempotence": True,
    "acks": "all",
    "message.timeout.ms": int(ACK_SECONDS * 1000),
    "request.timeout.ms": 5_000,
    "linger.ms": 2,
}


def _settings(store: Store, host: CheckedHost) -> dict[str, Any]:
    """To a checked address; by name over TLS, since the certificate must be for the name."""
    private = store.network == "private"
    user, _, password = (store.login or "").partition(":")
    names = host.addresses if private else (host.name,)
    places = [f"[{name}]:{host.port}" if ":" in name else f"{name}:{host.port}" for name in names]
    settings: dict[str, Any] = {
        "bootstrap.servers": ",".join(places),
        "security.protocol": ("SASL_" if user else "") + ("PLAINTEXT" if private else "SSL"),
        "ssl.endpoint.identification.algorithm": "https",
        "socket.connection.setup.timeout.ms": int(CONNECT_SECONDS * 1000),
        "socket.timeout.ms": int(ACK_SECONDS * 1000),
        "allow.auto.create.topics": False,
        "client.id": "patient-portal",
        "log_level": 0,
        "error_cb": lambda _error: None,  # what matters comes back from the call itself
    }
    if user:
        settings |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user, "sasl.password": password}
    return settings


def _place(message: Any) -> str:
    return f"{message.partition()} offset {message.offset()}"


def _failed(error: Exception) -> NotDelivered:
    """By the client's own name of the error. Only a message too large is the event's fault."""
    code = error.args[0] if error.args and isinstance(error.args[0], kafka.KafkaError) else None
    name = code.name().strip("_").lower().replace("_", "-") if code is not None else "queue-full"
    too_large = code is not None and code.code() == kafka.KafkaError.MSG_SIZE_TOO_LARGE
    return NotDelivered(f"kafka-{name}", answered=too_large)


def _done_with(message: Any, keep: Keep) -> bool:
    """Keep one message; False when it must come again."""
    named = [(str(name).lower(), value) for name, value in message.headers() or () if value is not None]
    headers = {name: value.decode("ascii", "replace") for name, value in named}
    body = message.value() or b""
    if len(body) > MAX_ANSWER_BYTES:
        return True
    try:
        keep(headers, body, datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC))
    except (Conflict, Unavailable):
        return False
    except PortalError:
        return True
    return True
