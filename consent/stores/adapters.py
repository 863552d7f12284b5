"""Which adapter speaks to a store, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from consent.store_config import Kind, Store
from consent.stores.adapter import StoreAdapter
from consent.stores.fhir_server import FhirStore
from consent.stores.kafka_stream import KafkaStore
from consent.stores.nats_stream import NatsStore
from consent.stores.warehouse import WarehouseStore
from consent.stores.webhook import WebhookStore
from database.keyring import KeyRing
from outbound.client import OutboundClient


def adapter_for(
    store: Store,
    http: OutboundClient,
    clock: Callable[[], datetime],
    ring: KeyRing | None = None,
) -> StoreAdapter:
    """The adapter of a store's kind. `ring` signs in at a FHIR server that asks for it."""
    if store.kind is Kind.SQL:
        return WarehouseStore(store)
    if store.kind is Kind.FHIR:
        return FhirStore(store, http, clock, ring)
    if store.kind is Kind.STREAM:
        return KafkaStore(store, clock) if store.endpoint.startswith("kafka:") else NatsStore(store, clock)
    return WebhookStore(store, http, clock)
