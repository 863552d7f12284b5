"""A store behind NATS JetStream: one message per event on its subject, receipts back on `<subject>.receipts`.

The operator makes both streams; the service only publishes to one and reads the other by a durable consumer. A message
counts as delivered when the stream has acknowledged it; the store's own word comes back later, signed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

try:
    import nats
    import nats.aio.client
    import nats.errors
    import nats.js.errors
except ImportError:  # the extra `streams`; stores.toml is refused without it
    nats = None  # type: ignore[assignment,unused-ignore]  # the client may not be installed

from consent.receipts import MAX_ANSWER_BYTES, StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import Batch, BatchAnswer, NotDelivered
from consent.stores.checked_host import CheckedHost, checked_host
from consent.stores.private_loop import PrivateLoop
from consent.stores.stream_wire import RECEIPTS, Keep, Make, signed, taken, windows
from consent.wire import StoreEvent
from vocabulary.errors import Conflict, PortalError, Unavailable

CONNECT_SECONDS = 5
ACK_SECONDS = 10.0
TOTAL_SECONDS = 60.0
FETCH_SECONDS = 0.5
MOST_RECEIPTS = 100
_TOO_LARGE = 10054  # JSStreamMessageExceedsMaximumErr


class NatsStore:
    """Publishes to one subject. asyncio lives in a thread of its own; every call blocks within its limits."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.make: Make = signed
        self._clock = clock
        self._subject = urlsplit(store.endpoint).path.removeprefix("/")
        self._loop = PrivateLoop(f"nats-{store.id}")
        self._connecting = asyncio.Lock()
        self._client: Any = None
        self._receipts: Any = None

    def deliver(self, batch: Batch) -> BatchAnswer:
        receipts = self._called(self._publish_all(batch), TOTAL_SECONDS)
        return BatchAnswer(receipts, f"unsigned: {receipts[-1].reference}")

    def is_well(self) -> bool:
        """Whether the server answers a ping."""
        try:
            self._called(self._ping(), CONNECT_SECONDS + ACK_SECONDS)
        except NotDelivered:
            return False
        return True

    def take_receipts(self, keep: Keep) -> int:
        """See TakesReceipts. What may succeed later comes again; what never will is ended, and is not believed."""
        messages = self._called(self._fetch(), CONNECT_SECONDS + ACK_SECONDS)
        for each in messages:
            self._called(_done_with(each, keep), ACK_SECONDS)
        return len(messages)

    def close(self) -> None:
        """End the connection and its thread."""
        with suppress(NotDelivered):
            self._called(self._drop(), CONNECT_SECONDS)
        self._loop.close()

    def _called(self, work: Any, seconds: float) -> Any:
        try:
            return self._loop.run(work, seconds)
        except NotDelivered:
            self._forget()
            raise
        except TimeoutError:
            reason, content = "timeout", False
        except nats.errors.MaxPayloadError:
            reason, content = "message-too-large", True
        except nats.js.errors.APIError as error:
            reason, content = f"stream-{error.err_code or 'error'}", False
        except nats.errors.NoRespondersError:
            reason, content = "no-stream", False
        except (nats.errors.Error, nats.js.errors.Error, OSError, ValueError, ssl.SSLError):
            reason, content = "connection", False
        self._forget()
        raise NotDelivered(reason, answered=content) from None

    def _forget(self) -> None:
        with suppress(Exception):
            self._loop.run(self._drop(), CONNECT_SECONDS)

    async def _drop(self) -> None:
        client, self._client, self._receipts = self._client, None, None
        if client is not None:
            await _hang_up(client)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None or not self._client.is_connected:
                await self._drop()
                host = await asyncio.to_thread(checked_host, self.store)
                self._client = await _connect(self.store, host)
            return self._client

    async def _ping(self) -> None:
        await (await self._connected()).flush(timeout=ACK_SECONDS)

    async def _publish_all(self, batch: Batch) -> tuple[StoreReceipt, ...]:
        client = await self._connected()
        found: list[StoreReceipt] = []
        for window in windows(batch.events):
            found += await self._publish(client, batch, window)
        return tuple(found)

    async def _publish(self, client: Any, batch: Batch, events: Sequence[StoreEvent]) -> list[StoreReceipt]:
        """One window, acknowledged whole; nobody is in it twice. (The library's own `publish_async` never hears of
        a refusal: it waits for an answer that it has already dropped.)"""
        sent = []
        for event in events:
            name, headers, body = self.make(self.store, batch, event, self._clock())
            headers = {**headers, "Nats-Msg-Id": name}
            sent.append(client.request(self._subject, body, timeout=ACK_SECONDS, headers=headers))
        answers: list[Any] = await asyncio.gather(*sent, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [taken(event, _acknowledged(answer.data)) for event, answer in zip(events, answers, strict=True)]

    async def _fetch(self) -> list[Any]:
        client = await self._connected()
        if self._receipts is None:
            way_back = f"{self._subject}.{RECEIPTS}"
            durable = f"portal-{self.store.id}"
            self._receipts = await client.jetstream(timeout=ACK_SECONDS).pull_subscribe(way_back, durable=durable)
        try:
            found: list[Any] = await self._receipts.fetch(MOST_RECEIPTS, timeout=FETCH_SECONDS)
        except (nats.errors.TimeoutError, TimeoutError):
            return []
        return found


def _acknowledged(data: bytes) -> str:
    """`stream number` of a JetStream acknowledgement; NotDelivered when it is a refusal, or none at all."""
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = None
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        code = error.get("err_code")
        raise NotDelivered(f"stream-{code if isinstance(code, int) else 'error'}", answered=code == _TOO_LARGE)
    stream, number = (answer.get("stream"), answer.get("seq")) if isinstance(answer, dict) else (None, None)
    if not isinstance(stream, str) or not stream.isprintable() or not isinstance(number, int) or number < 1:
        raise NotDelivered("not-acknowledged", answered=False)
    return f"{stream} {number}"


async def _done_with(message: Any, keep: Keep) -> None:
    """Keep one message, in a thread since that talks to the database, and tell the stream what became of it."""
    at = message.metadata.timestamp
    headers = {name.lower(): value for name, value in (message.headers or {}).items()}
    if len(message.data) > MAX_ANSWER_BYTES:
        await message.term()
        return
    try:
        await asyncio.to_thread(keep, headers, message.data, at)
    except (Conflict, Unavailable):
        await message.nak(delay=5)
    except PortalError:
        await message.term()
    else:
        await message.ack()


async def _connect(store: Store, host: CheckedHost) -> Any:
    """Connected to a checked address. Servers that this one recommends are never called: no reconnecting."""
    secure = urlsplit(store.endpoint).scheme == "tls"
    user, _, password = (store.login or "").partition(":")
    trouble: Exception = OSError("no address answered")
    for address in host.addresses:
        place = f"[{address}]" if ":" in address else address
        client = nats.aio.client.Client()
        try:
            connecting = client.connect(
                f"{'tls' if secure else 'nats'}://{place}:{host.port}",
                tls=ssl.create_default_context() if secure else None,
                tls_hostname=host.name if secure else None,
                user=user or None,
                password=password or None,
                name="patient-portal",
                allow_reconnect=False,
                max_reconnect_attempts=1,  # 60 times two seconds otherwise, when nobody listens
                reconnect_time_wait=0.1,  # type: ignore[arg-type,unused-ignore] # it is only slept
                connect_timeout=CONNECT_SECONDS,
                error_cb=_silent,
            )
            await asyncio.wait_for(connecting, CONNECT_SECONDS + 1)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            await _hang_up(client)
            trouble = error
        except BaseException:
            await _hang_up(client)
            raise
        else:
            return client
    raise trouble


async def _hang_up(client: Any) -> None:
    """The library forgets its socket when the greeting goes wrong."""
    with suppress(Exception):
        await client.close()
    transport = getattr(client, "_transport", None)
    if transport is not None:
        transport.close()


async def _silent(_error: Exception) -> None:
    """What the library would log may name a subject; what matters comes back as an exception."""
