"""A store that takes signed webhooks (Standard Webhooks), in the Backport or the compact form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import urljoin
from uuid import uuid4

import orjson

from consent.receipts import MAX_ANSWER_BYTES, Expected, NotBelieved, read_answer
from consent.store_config import Store, Transport
from consent.stores.adapter import Batch, BatchAnswer, NotDelivered
from consent.stores.comparable import (
    CannotCompare,
    Counts,
    Digest,
    Fact,
    Span,
    read_counts,
    read_digests,
    read_facts,
)
from consent.stores.lines import lines_message
from consent.wire import bundle, message
from consent.wire_signature import is_genuine, sign
from outbound.client import OutboundClient, OutboundResponse
from outbound.limits import Limits
from vocabulary.errors import PortalError

LIMITS = Limits(connect_seconds=5, read_seconds=20, total_seconds=30, max_bytes=MAX_ANSWER_BYTES)


class WebhookStore:
    """Delivers batches to one webhook endpoint; redirects are never followed and count as a failure."""

    def __init__(self, store: Store, http: OutboundClient, clock: Callable[[], datetime]) -> None:
        self.store = store
        self._http, self._clock = http, clock

    def deliver(self, batch: Batch) -> BatchAnswer:
        if batch.lines is not None:
            kind, body = lines_message(batch.lines)
            told = Expected(batch.lines.numbers, batch.lines.versions)
        else:
            kind, body = message(self.store, batch.events)
            told = Expected.of({event.number: event.version for event in batch.events})
        headers = {"portal-positions": f"{told.numbers[0]}-{told.numbers[-1]}", **batch.headers}
        answer = self._post(batch.message_id, kind, body, headers)
        try:
            receipts = read_answer(
                self.store, batch.message_id, told, answer.status, answer.headers, answer.body, self._clock()
            )
        except NotBelieved as error:
            raise NotDelivered(error.reason, answered=True, retry_after_seconds=_retry_after(answer.headers)) from None
        return BatchAnswer(receipts, answer.headers.get("webhook-signature", ""))

    def is_well(self) -> bool:
        return self.notify("heartbeat", 0)

    def notify(self, kind: Literal["handshake", "heartbeat"], event_number: int) -> bool:
        """Send a handshake or heartbeat (SUB-02, SUB-06); True when it is answered 200, signed, to this message."""
        message_id = f"{kind}-{uuid4()}"
        media, body = "application/x-ndjson", b""
        if self.store.transport is Transport.BACKPORT:
            media, body = "application/fhir+json", orjson.dumps(bundle(self.store, [], kind, event_number))
        headers = {"portal-notification": kind, "portal-events": str(event_number)}
        try:
            answer = self._post(message_id, media, body, headers)
        except NotDelivered:
            return False
        genuine = is_genuine(self.store.secrets, answer.headers, answer.body, self._clock(), message_id=message_id)
        return answer.status == 200 and genuine

    def counts(self, through: int) -> Counts:
        return read_counts(self._compare({"ask": "counts", "through": through}).get("counts"))

    def digests(self, through: int, spans: Sequence[Span]) -> list[Digest]:
        asked = {"ask": "digests", "through": through, "spans": [list(span) for span in spans]}
        return read_digests(self._compare(asked).get("digests"), spans)

    def facts(self, through: int, spans: Sequence[Span]) -> list[Fact]:
        asked = {"ask": "facts", "through": through, "spans": [list(span) for span in spans]}
        return read_facts(self._compare(asked).get("facts"), spans)

    def _compare(self, asked: Mapping[str, object]) -> dict[str, object]:
        """Ask at the sibling `reconcile` of the endpoint; only a signed answer to this very question counts."""
        message_id = f"reconcile-{uuid4()}"
        url = urljoin(self.store.endpoint, "reconcile")
        answer = self._post(message_id, "application/json", orjson.dumps(asked), {}, url)
        if answer.status in (404, 405, 501):
            raise CannotCompare
        if answer.status != 200:
            raise NotDelivered(f"status-{answer.status}", answered=True)
        if not is_genuine(self.store.secrets, answer.headers, answer.body, self._clock(), message_id=message_id):
            raise NotDelivered("not-signed", answered=True)
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise NotDelivered("not-json", answered=True) from None
        if not isinstance(document, dict) or document.get("store") != self.store.id:
            raise NotDelivered("names-another-store", answered=True)
        return document

    def _post(
        self, message_id: str, kind: str, body: bytes, headers: Mapping[str, str], url: str | None = None
    ) -> OutboundResponse:
        signed = sign(self.store.secrets, message_id, body, self._clock())
        url = url or self.store.endpoint
        try:
            return self._http.request(
                "POST",
                url,
                headers={**headers, **signed, "content-type": kind, "accept": "application/json"},
                body=body,
                within=url,
                limits=LIMITS,
            )
        except PortalError as error:
            wait = getattr(error, "retry_after_seconds", None)
            raise NotDelivered(error.reason, answered=False, retry_after_seconds=wait) from None


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds of a Retry-After in seconds, at most an hour; a date is left to our own pace."""
    value = headers.get("retry-after", "")
    return min(int(value), 3600) if value.isascii() and value.isdigit() and len(value) < 7 else None
