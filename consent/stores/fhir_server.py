"""A FHIR R4 server as a store: read what stands there, then one transaction for what is news.

Read-before rather than If-Match alone, because the version that must win is ours and not the server's: what stands
there says whether an event is news, and the server's version of it goes along as If-Match so that two senders never
overwrite each other unseen. A batch told again finds nothing new and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import orjson

from consent.receipts import StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import Batch, BatchAnswer, NotDelivered
from consent.stores.backend_services import BackendClient
from consent.stores.comparable import Counts, Digest, Fact, Span
from consent.stores.fhir_compared import MOST_SEARCHES, counted, counting, found, searched, total_of
from consent.stores.fhir_resources import (
    EVENT,
    GRAIN,
    held_now,
    is_news,
    issue_code,
    question,
    receipt,
    receipts,
    rounds,
    told,
)
from consent.wire import StoreEvent
from database.keyring import KeyRing
from outbound.client import OutboundClient, OutboundResponse
from outbound.limits import Limits
from vocabulary.errors import PortalError
from vocabulary.resource import Resource

LIMITS = Limits(connect_seconds=5, read_seconds=20, total_seconds=30, max_bytes=16_000_000)
_FHIR = "application/fhir+json"


class FhirStore:
    """Delivers batches to one FHIR server. Without `client_id` (a private network) nothing signs in."""

    def __init__(
        self, store: Store, http: OutboundClient, clock: Callable[[], datetime], ring: KeyRing | None = None
    ) -> None:
        self.store = store
        self._http = http
        self._client: BackendClient | None = None
        if store.client_id is not None and store.token_url is not None:
            if ring is None:
                raise ValueError("a FHIR store with a client needs the key ring")
            self._client = BackendClient(store.client_id, store.token_url, ring, http, clock)

    def deliver(self, batch: Batch) -> BatchAnswer:
        made: dict[int, StoreReceipt] = {}
        for part in rounds(self.store.id, batch.events, self.store.max_entries):
            made |= self._tell(part)
        ordered = tuple(made[event.number] for event in batch.events)
        return BatchAnswer(ordered, f"unsigned: {ordered[-1].reference}")

    def is_well(self) -> bool:
        """Whether a search for a Consent that nobody has finds nothing, properly."""
        try:
            answer = self._call("GET", f"Consent?{urlencode({'_id': str(uuid4())})}", None)
        except NotDelivered:
            return False
        return isinstance(answer, dict) and answer.get("resourceType") == "Bundle" and answer.get("type") == "searchset"

    @property
    def grain(self) -> int:
        """Counts are to be had of runs of so many event numbers only."""
        return GRAIN

    def counts(self, through: int) -> Counts:  # noqa: ARG002 - a server cannot count up to a number
        """All Consents of ours; those beyond `through` too, so it is for information."""
        asked = urlencode({"identifier": f"{EVENT}|", "_summary": "count"})
        total = total_of(self._call("GET", f"Consent?{asked}", None))
        return Counts(total, 0, 0)

    def digests(self, through: int, spans: Sequence[Span]) -> list[Digest]:  # noqa: ARG002 - the same
        made: list[Digest] = []
        for start in range(0, len(spans), MOST_SEARCHES // 2):
            part = spans[start : start + MOST_SEARCHES // 2]
            made += counted(self._call("POST", "", counting(part)), part)
        return made

    def facts(self, through: int, spans: Sequence[Span]) -> list[Fact]:
        made = [fact for span in spans for fact in found(self._call("GET", searched(span), None), span)]
        return [fact for fact in made if fact.event <= through]

    def _tell(self, events: Sequence[StoreEvent]) -> dict[int, StoreReceipt]:
        store = self.store.id
        held = held_now(events, self._call("POST", "", question(store, events)))
        news = [event for event in events if is_news(event, held.get(event.number))]
        new = {event.number for event in news}
        made = {
            event.number: receipt(event, held[event.number].version, held[event.number].etag)
            for event in events
            if event.number not in new
        }
        if news:
            made |= receipts(news, self._call("POST", "", told(store, news, held)))
        return made

    def _call(self, method: str, path: str, body: Resource | None) -> Any:
        base = self.store.endpoint.rstrip("/")
        signed_in = self._client.headers() if self._client is not None else {}
        try:
            answer = self._http.request(
                method,
                f"{base}/{path}" if path else base,
                headers={**signed_in, "accept": _FHIR, "content-type": _FHIR, "prefer": "return=minimal"},
                body=orjson.dumps(body) if body is not None else None,
                within=base,
                limits=LIMITS,
            )
        except PortalError as error:
            wait = getattr(error, "retry_after_seconds", None)
            raise NotDelivered(error.reason, answered=False, retry_after_seconds=wait) from None
        return self._read(answer)

    def _read(self, answer: OutboundResponse) -> Any:
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            document = None
        if answer.status != 200:
            if answer.status == 401 and self._client is not None:
                self._client.forget()
            reason = f"status-{answer.status}{issue_code(document)}"
            raise NotDelivered(reason, answered=True, retry_after_seconds=_retry_after(answer))
        return document


def _retry_after(answer: OutboundResponse) -> int | None:
    value = answer.headers.get("retry-after", "")
    return min(int(value), 3600) if value.isascii() and value.isdigit() and len(value) < 7 else None
