"""What a call of the product does in the database: its own statements, caught as they are sent, then explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT JSON) "
# A table scanned from end to end is only worth a word when it is one that grows.
SMALL_TABLE_ROWS = 5_000


@dataclass(frozen=True)
class Caught:
    """A statement and its parameters as they went to the driver."""

    statement: str
    parameters: Any


@dataclass(frozen=True)
class Explained:
    """One statement's work. `buffers`: pages hit or read; `read`: pages not in shared buffers; `scans`: growing tables
    read from end to end; `nodes`: the plan in one line; `wal_bytes` with full-page images."""

    statement: str
    milliseconds: float
    rows: int
    buffers: int
    read: int
    wal_bytes: int
    scans: tuple[str, ...]
    nodes: str


class NeverCommitted(Exception):
    """Ends a transaction in whose statements only their plans matter."""


def _refuse_commit(_connection: Connection) -> None:
    raise NeverCommitted


@contextmanager
def catching(engine: Engine) -> Iterator[list[Caught]]:
    """Every statement that goes through `engine` inside the block."""
    caught: list[Caught] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        caught.append(Caught(statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield caught
    finally:
        event.remove(engine, "before_cursor_execute", note)


def explain_call(engine: Engine, call: Callable[[], object]) -> list[Explained]:
    """Run `call` up to its commit, which fails; then its statements once more, explained, and rolled back as well."""
    with catching(engine) as caught, suppress(NeverCommitted):
        event.listen(engine, "commit", _refuse_commit)
        try:
            call()
        finally:
            event.remove(engine, "commit", _refuse_commit)
    return explain_statements(engine, caught)


def explain_statements(engine: Engine, caught: list[Caught]) -> list[Explained]:
    """Each statement with what it read and wrote; nothing of it stays."""
    found = []
    with engine.connect() as connection:
        try:
            for one in caught:
                many = one.parameters if isinstance(one.parameters, list) else [one.parameters]
                row = connection.exec_driver_sql(EXPLAIN + one.statement, many[0]).scalar_one()
                found.append(_read(one.statement, row[0]))
        finally:
            connection.rollback()
    return found


def _read(statement: str, explained: dict[str, Any]) -> Explained:
    plan = explained["Plan"]
    nodes = list(_walk(plan))
    scans = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan" and _is_large(node)}
    return Explained(
        " ".join(statement.split())[:100],
        explained["Execution Time"],
        int(plan["Actual Rows"]),
        plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        plan["Shared Read Blocks"],
        plan.get("WAL Bytes", 0),
        tuple(sorted(scans)),
        " > ".join(_name(node) for node in nodes if node["Node Type"] not in ("Result", "Limit", "Function Scan")),
    )


def _is_large(node: dict[str, Any]) -> bool:
    return bool(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > SMALL_TABLE_ROWS)


def _name(node: dict[str, Any]) -> str:
    where = node.get("Index Name") or node.get("Relation Name")
    return str(node["Node Type"]) + (f"({where})" if where else "")


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _walk(child)
