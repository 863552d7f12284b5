"""Structured logs by allow-list: a field that is not on the list does not leave, whatever its value (SEC-07).

Third-party loggers (urllib3, authlib, fhirclient, werkzeug, sqlalchemy) write free text that may carry tokens or
names, so only their level and logger name pass, never the message.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "logger", "request", "method", "endpoint", "status", "ms", "kind", "provider",
        "store", "type", "state", "count", "attempt", "reason", "error", "position", "size", "process", "job", "gate",
        "actor", "retry_after", "first", "last", "revision", "part", "pid", "bytes", "dropped", "code", "channel",
        "batch", "connection", "retrieval", "delivery", "message_id", "key", "host_kind", "parked", "seconds", "loop",
        "failures", "outcome", "counted", "differing", "repaired", "contact_id", "campaign", "reminder", "remedy",
        "attempts", "wanted", "meaning", "sid",
    }
)  # fmt: skip
OWN = ("patient_portal", "research", "consent", "fhir_bridge", "notifications", "database", "outbound", "sandbox")
LONGEST = 200


def only_allowed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop each field that is not allowed and name how many were; values are cut and freed of line breaks."""
    kept: dict[str, Any] = {}
    for key, value in event.items():
        if key in ALLOWED:
            kept[key] = value if isinstance(value, int | float | bool | None) else _plain(str(value))
    left_out = len(event) - len(kept)
    if left_out:
        kept["dropped"] = left_out
    return kept


def _plain(value: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in value)[:LONGEST]


class _ForeignOnlyByName(logging.Formatter):
    """One JSON line that says which library spoke how loudly, and nothing of what it said."""

    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps({"event": "library-log", "level": record.levelname.lower(), "logger": record.name}).decode()


def configure_logs(level: str = "info") -> None:
    """Set up this process's logs on standard error, one JSON object a line."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value).decode()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ForeignOnlyByName())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING) if level != "debug" else logging.DEBUG)
