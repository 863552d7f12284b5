"""What is counted, in Prometheus' text form: answers by route and status, and how stores and ledger stand.

Labels come from the route map and the configuration only: never an identity (SEC-07). What the processes count
themselves adds up over them; how the service stands is read from the database at each scrape, a row per store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from consent.operations import Operations, StoreNow
from consent.store_record import EDGES, Times
from patient_portal.operating.operator_reading import Reading

ANSWERS = Counter("portal_answers_total", "Answers by route and status", ["endpoint", "method", "status"])
SECONDS = Histogram("portal_answer_seconds", "Time to answer by route", ["endpoint"])
METHODS = {"GET", "POST", "HEAD", "OPTIONS"}
CHANNEL_STATES = ("requested", "active", "error")
CONFIRM_EDGES = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800, 2_592_000)
STORE = ["store"]


def watch(app: Flask) -> None:
    """Count every request of the application."""

    @app.before_request
    def start() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        method = request.method if request.method in METHODS else "other"
        ANSWERS.labels(endpoint, method, str(response.status_code)).inc()
        SECONDS.labels(endpoint).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return response


def exposition(reading: Reading | None) -> bytes:
    """All samples, of all web processes when `PROMETHEUS_MULTIPROC_DIR` is set; `reading` None: no database answers."""
    standing = CollectorRegistry()
    standing.register(_Standing(reading))
    return _of_the_processes() + generate_latest(standing)


def _of_the_processes() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library is untyped
    return generate_latest(registry)


class _Standing(Collector):
    """Samples of one reading."""

    def __init__(self, reading: Reading | None) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("portal_database_up", "Whether the database answers", value=self._reading is not None)
        if self._reading is not None:
            yield from samples(self._reading)


def samples(reading: Reading) -> Iterator[Metric]:
    """How the service stands. Ages are seconds at the time of the reading, 0 when there is nothing to be old."""
    operations, now = reading.operations, reading.now
    yield _by("portal_processes", "Processes at work", ["kind"], reading.at_work().items())
    yield from _jobs(reading)
    yield from _ledger(operations, now)
    tasks = operations.named("task")
    yield _by("portal_tasks", "Open tasks for staff", ["kind"], [(kind, one.value) for kind, one in tasks])
    ages = [(kind, _age(one.oldest_at, now)) for kind, one in tasks]
    yield _by("portal_tasks_oldest_seconds", "Age of the oldest open task", ["kind"], ages)
    parked = GaugeMetricFamily("portal_parked_events", "Events set aside, by reason", labels=["store", "reason"])
    for name, count in operations.named("parked"):
        parked.add_metric(name.split(":", 1), count.value)
    yield parked
    yield GaugeMetricFamily("portal_mail_configured", "Whether a mail server is configured", value=reading.mail)
    yield from _stores(operations, now)
    yield _confirm_times(reading.times)


def _jobs(reading: Reading) -> Iterator[Metric]:
    jobs = reading.jobs
    states = {"due": jobs.due, "later": jobs.later, "doing": jobs.doing, "failed": jobs.failed}
    yield _by("portal_jobs", "Jobs by state", ["state"], states.items())
    yield _one(
        "portal_jobs_oldest_seconds", "Wait of the oldest job that could begin", _age(jobs.oldest_due_at, reading.now)
    )


def _ledger(operations: Operations, now: datetime) -> Iterator[Metric]:
    counted = operations.counts.get("positions")
    if counted is not None:
        yield _one("portal_counted_timestamp_seconds", "When the worker counted last", counted.looked_at.timestamp())
    yield _one("portal_ledger_positions", "Decisions in the one order", operations.count("positions"))
    for name, words in (("unsequenced", "waiting for their place"), ("unsealed", "not under a signed head")):
        found = operations.counts.get(name)
        yield _one(f"portal_ledger_{name}", f"Decisions {words}", operations.count(name))
        age = _age(found.oldest_at, now) if found else 0
        yield _one(f"portal_ledger_{name}_seconds", f"Age of the oldest decision {words}", age)
    size, signed_at = operations.head or (0, None)
    yield _one("portal_ledger_head_size", "Decisions under the newest signed head", size)
    yield _one("portal_ledger_head_age_seconds", "Age of the newest signed head", _age(signed_at, now))


def _stores(operations: Operations, now: datetime) -> Iterator[Metric]:
    stores, positions = operations.stores, operations.count("positions")
    gauges = (
        ("deadline_seconds", "Time a store has to confirm", lambda store: store.deadline.total_seconds()),
        ("lag_seconds", "Age of the oldest decision not confirmed", lambda store: store.lag(now).total_seconds()),
        ("overdue_seconds", "Time since the oldest deadline passed", lambda store: _age(store.oldest_due_at, now)),
        ("waiting_events", "Events not confirmed", lambda store: store.waiting),
        ("overdue_events", "Events past the deadline", lambda store: store.overdue),
        ("parked_events", "Events set aside", lambda store: store.parked),
        ("behind_positions", "Positions not read yet", lambda store: max(0, positions - store.position)),
        ("failures", "Failed deliveries in a row", lambda store: store.failures),
        ("paused_seconds", "How long it is paused", lambda store: _age(store.paused_at, now)),
        ("mail_waiting_seconds", "Age of a mail to its contact not sent yet", lambda store: _mail_wait(store, now)),
        ("mail_refused", "Whether its contact's mail was refused", lambda store: _is_refused(store)),
    )  # fmt: skip
    for name, words, value in gauges:
        yield _by(f"portal_store_{name}", words, STORE, [(store.id, value(store)) for store in stores])
    channel = GaugeMetricFamily("portal_store_channel", "1 for the state of its channel", labels=["store", "state"])
    for store in stores:
        for state in CHANNEL_STATES:
            channel.add_metric([store.id, state], store.channel == state)
    yield channel
    looked = [(store.id, store.looked_at.timestamp()) for store in stores if store.looked_at]
    yield _by("portal_store_looked_timestamp_seconds", "When the feed counted what it owes", STORE, looked)
    yield from _comparisons(stores)


def _comparisons(stores: Iterable[StoreNow]) -> Iterator[Metric]:
    compared = [(store.id, store.comparison) for store in stores if store.comparison]
    ends = [(store, one.ended_at.timestamp()) for store, one in compared]
    yield _by("portal_store_reconciled_timestamp_seconds", "When it was compared with the ledger last", STORE, ends)
    drift = [(store, one.drift) for store, one in compared]
    yield _by("portal_store_drift_events", "Differences found by the last comparison", STORE, drift)
    failed = [(store, one.outcome == "no-answer") for store, one in compared]
    yield _by("portal_store_comparison_failed", "Whether it gave no answer to it", STORE, failed)


def _confirm_times(times: dict[str, Times]) -> Metric:
    words = "Time from a decision to its confirmation"
    found = HistogramMetricFamily("portal_store_confirm_seconds", words, labels=STORE)
    for store, one in sorted(times.items()):
        buckets = [(str(float(edge)), float(sum(one.buckets[: EDGES.index(edge) + 1]))) for edge in CONFIRM_EDGES]
        found.add_metric([store], [*buckets, ("+Inf", float(one.events))], float(one.seconds))
    return found


def _mail_wait(store: StoreNow, now: datetime) -> float:
    return _age(store.mail.claimed_at, now) if store.mail and store.mail.state == "waiting" else 0


def _is_refused(store: StoreNow) -> bool:
    return store.mail is not None and store.mail.state == "refused"


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _by(name: str, words: str, labels: list[str], values: Iterable[tuple[str, float]]) -> Metric:
    """A gauge with one label."""
    found = GaugeMetricFamily(name, words, labels=labels)
    for label, value in values:
        found.add_metric([label], value)
    return found
