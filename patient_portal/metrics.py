"""What is counted: answers by route and status, and how long they took. Labels come from the route map only."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

ANSWERS = Counter("portal_answers_total", "Answers by route and status", ["endpoint", "method", "status"])
SECONDS = Histogram("portal_answer_seconds", "Time to answer by route", ["endpoint"])
METHODS = {"GET", "POST", "HEAD", "OPTIONS"}


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


def exposition() -> bytes:
    """All samples; of every web process when `PROMETHEUS_MULTIPROC_DIR` is set."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library is untyped
    return generate_latest(registry)
